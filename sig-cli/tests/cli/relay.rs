//! `sig relay`, both ways, with sockets of ZeroMQ at the other end.

use std::time::Duration;

use serde_json::Value;
use sig_carrier_zmq::{Error, Socket};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::golden::{golden, refusals};
use crate::harness::Sandbox;
use crate::router::Router;

const WAIT: Duration = Duration::from_secs(20);

/// Sockets go on while the test waits for a command.
fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// The next subscription, or its end.
async fn change(publisher: &Socket) -> Vec<u8> {
    let change = timeout(WAIT, publisher.recv())
        .await
        .expect("a change in time")
        .unwrap();
    change.frame(0).unwrap().to_vec()
}

#[test]
fn a_publisher_becomes_a_sender_of_what_was_asked_for() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let url = ["--url", router.tcp()];
    runtime().block_on(async {
        let publisher = Socket::xpub().unwrap().bind("tcp://127.0.0.1:0").await.unwrap();
        let endpoint = publisher.bound().unwrap();
        let topics = ["relay", "from", &endpoint, "camera", "frame", "status.t=celsius"];
        let mut relay = sandbox.start(&[&topics[..], &url].concat());
        relay.note("relaying");
        let mut subscribed = [change(&publisher).await, change(&publisher).await];
        subscribed.sort();
        assert_eq!(
            subscribed,
            [b"\x01frame".to_vec(), b"\x01status.t".to_vec()],
            "and to nothing else"
        );

        let mut listener = sandbox.start(&[&["listen", "camera", "--json", "-n", "3"][..], &url].concat());
        listener.note("listening");
        for message in [
            ["frames", "1"],
            ["frame", "\u{1}\u{2}"],
            ["status.t", "21.50"],
            ["frame.left", "[1, 2]"],
        ] {
            publisher.send(message).await.unwrap();
        }
        for (event, data) in [
            ("frame", "{\"$bytes\":\"AQI=\"}"),
            ("celsius", "21.50"),
            ("frame", "[1, 2]"),
        ] {
            let line = listener.line(&format!("\"{event}\""));
            assert!(line.contains(data), "{line}");
        }

        // Nothing is subscribed to while it is disabled.
        sandbox
            .run(&[&["request", "camera", "disable"][..], &url].concat())
            .expect(0);
        let mut gone = [change(&publisher).await, change(&publisher).await];
        gone.sort();
        assert_eq!(gone, [b"\0frame".to_vec(), b"\0status.t".to_vec()]);
        let told = sandbox
            .run(&[&["request", "camera", "relayed"][..], &url].concat())
            .expect(0);
        let told: Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(told, serde_json::json!({ "enabled": false, "messages": 3, "lost": 0 }));
        sandbox
            .run(&[&["request", "camera", "enable"][..], &url].concat())
            .expect(0);
        change(&publisher).await;
        relay.signal("INT");
        relay.line("relayed 3 messages, 0 were lost");
        relay.finish().expect(0);
    });
}

#[test]
fn events_are_published_and_come_back_as_they_were() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let url = ["--url", router.tcp()];
    let args = [
        &["relay", "to", "tcp://127.0.0.1:0", "thermometer/celsius", "--json"][..],
        &url,
    ]
    .concat();
    let mut relay = sandbox.start(&args);
    let line: Value = serde_json::from_str(&relay.line("publishing")).unwrap();
    let endpoint = line["publishing"]["endpoint"].as_str().unwrap().to_owned();
    let received = runtime().block_on(async {
        let subscriber = Socket::sub()?
            .connect(&endpoint)
            .await?
            .subscribe("thermometer/")
            .await?;
        for _ in 0..100 {
            sandbox
                .run(&[&["trigger", "thermometer", "celsius", "21.50"][..], &url].concat())
                .expect(0);
            match subscriber.recv_within(Duration::from_millis(50)).await {
                Err(error) if error.is_timeout() => {}
                received => return received,
            }
        }
        panic!("nothing comes");
    });
    let received = received.unwrap_or_else(|error: Error| panic!("{error}"));
    assert_eq!(
        received.iter().collect::<Vec<_>>(),
        [&b"thermometer/celsius"[..], b"21.50"]
    );

    // Routers cascade.
    let other = Router::start_at(&sandbox, &["tcp://127.0.0.1:0"], &[]);
    let back = [
        "relay",
        "from",
        &endpoint,
        "copy",
        "thermometer/celsius=celsius",
        "--url",
        other.tcp(),
    ];
    let mut back = sandbox.start(&back);
    back.note("relaying");
    let mut listener = sandbox.start(&["listen", "copy/celsius", "-n", "1", "--url", other.tcp()]);
    listener.note("listening");
    for _ in 0..100 {
        sandbox
            .run(&[&["trigger", "thermometer", "celsius", "-7.250"][..], &url].concat())
            .expect(0);
        let told = sandbox
            .run(&["request", "copy", "relayed", "--url", other.tcp()])
            .expect(0);
        if !told.out.contains("\"messages\":0") {
            break;
        }
    }
    assert_eq!(listener.finish().expect(0).out, "copy/celsius -7.250\n");
}

#[test]
fn what_it_cannot_do_is_said_with_the_way_out() {
    let sandbox = Sandbox::new();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("tcp://{}", holder.local_addr().unwrap());
    let said = refusals(
        &sandbox,
        &[
            &["relay"],
            &["relay", "from", "nowhere", "camera", "frame"],
            &["relay", "from", "tcp://127.0.0.1:1", "camera", ""],
            &["relay", "from", "tcp://127.0.0.1:1", "camera"],
            &["relay", "from", "tcp://127.0.0.1:1", "", "frame"],
            &[
                "relay",
                "from",
                "tcp://127.0.0.1:1",
                "camera",
                "frame",
                "--url",
                "tcp://127.0.0.1:1",
            ],
            &["relay", "to", "nowhere", "camera"],
            &["relay", "to", &taken, "camera"],
            &["relay", "to", "tcp://*:5560", "*"],
            &["relay", "to", "tcp://127.0.0.1:0", "*/frame"],
            &["relay", "to", "tcp://127.0.0.1:0", "*", "--url", "tcp://127.0.0.1:1"],
        ],
        &[(&taken, "tcp://127.0.0.1:PORT")],
    );
    golden("sig-relay-refused", &said);
}

/// The frames of a stream of one-liner: its name, a zero byte, the length of the description, that, and the data.
fn streamed(name: &str, data: &[u8]) -> Vec<u8> {
    let described = b"\x80\x04\x88\x85\x94.";
    let length = u16::try_from(described.len()).unwrap().to_le_bytes();
    [name.as_bytes(), b"\0", &length, described, data].concat()
}

#[test]
fn the_streams_of_a_one_liner_server_go_on_byte_for_byte() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    runtime().block_on(async {
        let server = Socket::xpub().unwrap().bind("tcp://127.0.0.1:0").await.unwrap();
        let from = [
            "relay",
            "from",
            &server.bound().unwrap(),
            "rig",
            "new_frame",
            "--url",
            router.tcp(),
        ];
        let mut from = sandbox.start(&from);
        from.note("relaying");
        assert_eq!(change(&server).await, b"\x01new_frame");
        let to = [
            "relay",
            "to",
            "tcp://127.0.0.1:0",
            "rig",
            "--bare",
            "--json",
            "--url",
            router.tcp(),
        ];
        let mut to = sandbox.start(&to);
        let line: Value = serde_json::from_str(&to.line("publishing")).unwrap();
        let client = Socket::sub().unwrap();
        client
            .connect(line["publishing"]["endpoint"].as_str().unwrap())
            .await
            .unwrap();
        client.subscribe("new_frame\0").await.unwrap();
        // Until the client is there, nothing comes to it.
        let first = loop {
            server.send(streamed("new_frame", b"first")).await.unwrap();
            match client.recv_within(Duration::from_millis(50)).await {
                Err(error) if error.is_timeout() => {}
                first => break first.unwrap(),
            }
        };
        assert_eq!(first.into_frames(), [streamed("new_frame", b"first")]);
        server.send(streamed("new_frame_2", b"of another")).await.unwrap();
        server.send(streamed("new_frame", b"\xff\0last")).await.unwrap();
        let last = loop {
            let message = timeout(WAIT, client.recv()).await.unwrap().unwrap().into_frames();
            if message != [streamed("new_frame", b"first")] {
                break message;
            }
        };
        assert_eq!(last, [streamed("new_frame", b"\xff\0last")]);
    });
}
