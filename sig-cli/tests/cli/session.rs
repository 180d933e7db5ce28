//! serve, listen, trigger, request and ls together, over each carrier.

use std::fmt::Write as _;

use serde_json::Value;

use crate::harness::{Running, Sandbox};
use crate::router::Router;

fn listen(sandbox: &Sandbox, url: &str, args: &[&str]) -> Running {
    let mut listener = sandbox.start(&[&["listen", "--url", url], args].concat());
    listener.note("listening");
    listener
}

#[test]
fn an_event_passes_over_every_carrier() {
    let sandbox = Sandbox::new();
    let (socket, zmq) = (sandbox.socket(), "zmq:tcp://127.0.0.1:*");
    let urls = if cfg!(unix) {
        vec!["tcp://127.0.0.1:0", &socket, zmq]
    } else {
        vec!["tcp://127.0.0.1:0", zmq]
    };
    let router = Router::start_at(&sandbox, &urls, &[]);
    for from in &router.urls {
        for to in &router.urls {
            let listener = listen(&sandbox, to, &["thermometer/celsius", "-n", "1"]);
            let sent = sandbox
                .run(&["trigger", "thermometer", "celsius", "21.5", "--url", from])
                .expect(0);
            sent.says(&["sent 1 event as thermometer/celsius"]);
            assert_eq!(
                listener.finish().expect(0).out,
                "thermometer/celsius 21.5\n",
                "{from} to {to}"
            );
        }
    }
}

#[test]
fn all_forms_of_topics_hear() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let forms = ["a/#alarm", "a", "#alarm", "*"];
    let listeners = forms.map(|topic| listen(&sandbox, router.tcp(), &[topic, "--json"]));
    sandbox
        .run(&["trigger", "a", "#alarm", "\"fire\"", "--url", router.tcp()])
        .expect(0);
    for mut listener in listeners {
        let event: Value = serde_json::from_str(&listener.line("fire")).unwrap();
        assert_eq!(
            event,
            serde_json::json!({"sender": "a", "event": "#alarm", "number": 1, "data": "fire"})
        );
    }
}

#[test]
fn an_event_under_several_topics_is_printed_once() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let listener = listen(&sandbox, router.tcp(), &["a/one", "a/one", "a/two", "-n", "2"]);
    let mut sender = sandbox.start_with_input(&["trigger", "a", "one", "-", "--url", router.tcp()]);
    sender.write("1\n2\n");
    assert_eq!(listener.finish().expect(0).out, "a/one 1\na/one 2\n");
    sender.finish().expect(0);
}

#[test]
fn standard_input_is_a_stream_of_events() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let count = 5_000;
    let listener = listen(&sandbox, router.tcp(), &["counter/n", "-n", &count.to_string()]);
    let mut sender = sandbox.start_with_input(&["trigger", "counter", "n", "-", "--url", router.tcp()]);
    let (mut lines, mut expected) = (String::new(), String::new());
    for n in 0..count {
        writeln!(lines, "{n}").unwrap();
        writeln!(expected, "counter/n {n}").unwrap();
    }
    sender.write(&lines);
    sender.finish().expect(0).says(&[&format!("sent {count} events")]);
    assert!(
        listener.finish().expect(0).out == expected,
        "events were lost or reordered"
    );
}

#[test]
fn lines_are_taken_as_text_when_asked() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let listener = listen(&sandbox, router.tcp(), &["app/log", "-n", "2"]);
    let mut sender = sandbox.start_with_input(&["trigger", "app", "log", "-", "--text", "--url", router.tcp()]);
    sender.write("it says \"hi\"\n[1\n");
    assert_eq!(
        listener.finish().expect(0).out,
        "app/log \"it says \\\"hi\\\"\"\napp/log \"[1\"\n"
    );
    sender.finish().expect(0);
}

#[test]
fn a_line_that_is_not_json_is_named_and_those_before_it_were_sent() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let listener = listen(&sandbox, router.tcp(), &["a/b", "-n", "1"]);
    let mut sender = sandbox.start_with_input(&["trigger", "a", "b", "-", "--url", router.tcp()]);
    sender.write("1\n\nwhat\n2\n");
    sender
        .finish()
        .expect(2)
        .says(&["line 3 of standard input is not JSON", "--text"]);
    assert_eq!(listener.finish().expect(0).out, "a/b 1\n");
}

#[test]
fn requests_are_answered_over_every_carrier() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host"]);
    for url in &router.urls {
        let response = sandbox.run(&["request", "host", "snapshot", "--url", url]).expect(0);
        let snapshot: Value = serde_json::from_str(&response.out).unwrap();
        assert!(snapshot["memory"]["total"].as_u64().unwrap() > 0, "{snapshot}");
    }
}

#[test]
fn host_figures_come_as_events() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host", "--period", "200ms"]);
    for event in ["cpu", "memory", "disks", "network"] {
        let heard = sandbox.run(&["listen", &format!("host/{event}"), "-n", "1", "--url", router.tcp()]);
        assert!(heard.expect(0).out.starts_with(&format!("host/{event} ")));
    }
}

#[test]
fn senders_are_listed() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host"]);
    let _listener = listen(&sandbox, router.tcp(), &["timer/tic"]);
    let table = sandbox.run(&["ls", "--url", router.tcp()]).expect(0).out;
    assert!(table.contains("timer  not connected, but listened to"), "{table}");
    let events = sandbox.run(&["ls", "--events", "--url", router.tcp()]).expect(0).out;
    assert!(
        events.contains("host/cpu\nhost/disks\nhost/memory\nhost/network\n"),
        "{events}"
    );
}

#[test]
fn nobody_at_all_is_said_on_standard_error() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let listed = sandbox.run(&["ls", "--url", router.tcp()]).expect(0);
    assert_eq!(listed.out, "");
    listed.says(&["no senders"]);
}

#[test]
fn a_listener_hears_that_its_topic_has_no_sender_yet() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host"]);
    let mut listener = sandbox.start(&["listen", "hots/cpu", "host/cpuu", "--url", router.tcp()]);
    assert!(listener.note("hots").contains("there are: host"));
    assert!(listener.note("cpuu").contains("it has: cpu, disks, memory, network"));
    assert!(listener.is_running());
}

#[test]
fn listening_ends_after_its_time() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host", "--period", "200ms"]);
    let url = ["--url", router.tcp()];
    sandbox
        .run(&[&["listen", "nobody", "--timeout", "100ms"], &url[..]].concat())
        .expect(5)
        .says(&["0 events"]);
    sandbox
        .run(&[&["listen", "host/cpu", "--timeout", "4s"], &url[..]].concat())
        .expect(0);
    sandbox
        .run(&[&["listen", "host/cpu", "--timeout", "500ms", "-n", "1000"], &url[..]].concat())
        .expect(5);
}

#[test]
fn a_listener_survives_a_restart_of_the_router() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let urls = router.urls.clone();
    let mut listeners: Vec<Running> = urls.iter().map(|url| listen(&sandbox, url, &["a/b"])).collect();
    router.process.kill();
    for listener in &mut listeners {
        listener.note("lost the router");
    }
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let router = Router::start_at(&sandbox, &urls, &[]);
    for listener in &mut listeners {
        listener.note("is back");
    }
    sandbox
        .run(&["trigger", "a", "b", "7", "--url", router.tcp()])
        .expect(0);
    for listener in &mut listeners {
        listener.line("a/b 7");
    }
}

#[test]
fn a_command_can_wait_for_its_router() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let url = router.tcp().to_owned();
    router.process.kill();
    let mut listener = sandbox.start(&["listen", "a/b", "-n", "1", "--wait", "--url", &url]);
    listener.note("waiting for a router");
    let _router = Router::start_at(&sandbox, &[&url], &[]);
    listener.note("listening");
    sandbox.run(&["trigger", "a", "b", "--url", &url]).expect(0);
    assert_eq!(listener.finish().expect(0).out, "a/b null\n");
}

#[test]
#[cfg(unix)]
fn the_local_socket_is_found_without_an_address() {
    let sandbox = Sandbox::new();
    let _router = Router::start_at(&sandbox, &["ipc://"], &["--host"]);
    let listed = sandbox.run(&["ls"]).expect(0);
    assert!(listed.out.starts_with("host "), "{listed:?}");
    assert!(sandbox.run(&["version"]).expect(0).out.contains("router at ipc://"));
}

#[test]
fn a_trigger_is_confirmed_by_its_listeners() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let url = router.tcp();
    let trigger = ["trigger", "valve", "close", "7", "--url", url, "--confirm"];
    let nobody = sandbox.run(&[&trigger[..], &["delivered"]].concat()).expect(0);
    assert_eq!(nobody.out, "0 accepted, 0 delivered, 0 lost, 0 pending\n");

    let listeners = [
        listen(&sandbox, url, &["valve"]),
        listen(&sandbox, url, &["valve/close"]),
    ];
    let delivered = sandbox.run(&[&trigger[..], &["delivered"]].concat()).expect(0);
    assert_eq!(delivered.out, "2 accepted, 2 delivered, 0 lost, 0 pending\n");
    delivered.says(&["sent 1 event as valve/close"]);
    let accepted = sandbox.run(&[&trigger[..], &["accepted", "--json"]].concat()).expect(0);
    let counts: Value = serde_json::from_str(&accepted.out).unwrap();
    assert_eq!(
        (&counts["accepted"], &counts["lost"], &counts["pending"]),
        (&2.into(), &0.into(), &0.into())
    );

    // Each line of standard input counts.
    let lines = ["trigger", "valve", "close", "-", "--url", url, "--confirm", "delivered"];
    let mut sender = sandbox.start_with_input(&lines);
    sender.write("1\n2\n3\n");
    let delivered = sender.finish().expect(0);
    assert_eq!(delivered.out, "6 accepted, 6 delivered, 0 lost, 0 pending\n");
    drop(listeners);

    for wrong in [&["--confirm", "seen"][..], &["--timeout", "1"]] {
        sandbox
            .run(&[&["trigger", "a", "b", "--url", url], wrong].concat())
            .expect(2);
    }
}

#[cfg(unix)]
#[test]
fn a_listener_that_is_stuck_is_pending_and_one_that_is_killed_has_lost() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let url = router.tcp();
    let mut quick = listen(&sandbox, url, &["valve"]);
    let stuck = listen(&sandbox, url, &["valve"]);
    stuck.signal("STOP");
    let trigger = |data, timeout| {
        sandbox.start(&[
            "trigger",
            "valve",
            "close",
            data,
            "--confirm",
            "delivered",
            "--timeout",
            timeout,
            "--url",
            url,
        ])
    };
    let pending = trigger("1", "1").finish().expect(5);
    assert_eq!(pending.out, "2 accepted, 1 delivered, 0 lost, 1 pending\n");
    let confirming = trigger("2", "1h");
    quick.line("valve/close 2");
    stuck.kill();
    let lost = confirming.finish().expect(1);
    assert_eq!(lost.out, "2 accepted, 1 delivered, 1 lost, 0 pending\n");
}
