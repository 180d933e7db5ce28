//! `sig relay`, both ways, with sockets of ZeroMQ at the other end.

use std::time::Duration;

use serde_json::Value;
use sig_carrier_zmq::{Error, Socket};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

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
    for (args, code, says) in [
        (
            &["from", "nowhere", "camera", "frame"][..],
            2,
            &["nowhere", "tcp://HOST:PORT"][..],
        ),
        (
            &["from", "tcp://127.0.0.1:1", "camera", ""],
            2,
            &["event name is empty", "=all"],
        ),
        (&["from", "tcp://127.0.0.1:1", "camera"], 2, &["TOPIC[=EVENT]"]),
        (&["to", "tcp://*:5560", "*"], 6, &["other machines", "--insecure"]),
        (
            &["to", "tcp://127.0.0.1:0", "*", "--url", "tcp://127.0.0.1:1"],
            3,
            &["no router answers"],
        ),
    ] {
        sandbox.run(&[&["relay"], args].concat()).expect(code).says(says);
    }
}
