//! What goes wrong for new users: each error says what is wrong and what to do.

use std::net::TcpListener;

use crate::harness::Sandbox;
use crate::router::Router;

/// A port that nobody listens at.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_wrong_address_is_explained() {
    let sandbox = Sandbox::new();
    for (url, why) in [
        ("127.0.0.1:3000", "write scheme://address, such as tcp://127.0.0.1:3000"),
        ("http://127.0.0.1:3000", "known are ipc:, serial:, tcp:, zmq:"),
        ("zmq:udp://127.0.0.1:3000", "write tcp://HOST:PORT, ipc://PATH"),
        ("tcp://127.0.0.1", "the port is missing"),
        ("tcp://127.0.0.1:3000?tls=1", "unknown option tls"),
    ] {
        sandbox.run(&["serve", url]).expect(2).says(&[url, why]);
        sandbox.run(&["ls", "--url", url]).expect(2).says(&[url, why]);
    }
}

#[test]
fn a_wrong_topic_is_explained() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&["listen", "*/alarm"])
        .expect(2)
        .says(&["*/alarm", "a channel's name begins with '#'"]);
    sandbox
        .run(&["listen", ""])
        .expect(2)
        .says(&["the sender name is empty"]);
    sandbox
        .run(&["trigger", "a", ""])
        .expect(2)
        .says(&["the event name is empty"]);
}

#[test]
fn an_unknown_command_is_answered_with_a_likely_one() {
    Sandbox::new()
        .run(&["lsten"])
        .expect(2)
        .says(&["unrecognized subcommand 'lsten'", "listen"]);
}

#[test]
fn a_wrong_time_is_explained() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&["request", "a", "b", "--timeout", "5x"])
        .expect(2)
        .says(&["\"x\" is not a unit of time"]);
    sandbox
        .run(&["serve", "--host", "--period", "1ms"])
        .expect(2)
        .says(&["at least 200ms"]);
    sandbox.run(&["serve", "--period", "5"]).expect(2).says(&["--host"]);
}

#[test]
fn data_that_is_not_json_is_explained_before_anybody_is_asked() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&["trigger", "a", "b", "hello"])
        .expect(2)
        .says(&["the data is not JSON", "--text"]);
    sandbox
        .run(&["request", "a", "b", "{x}"])
        .expect(2)
        .says(&["the parameters are not JSON", "quote them"]);
}

#[test]
fn without_a_router_both_usual_addresses_are_named() {
    let sandbox = Sandbox::new();
    if sandbox.run(&["version"]).expect(0).out.contains("router at ") {
        eprintln!("skipped: somebody runs a router at a usual address of this machine");
        return;
    }
    for command in [&["ls"][..], &["listen"], &["trigger", "a", "b"], &["request", "a", "b"]] {
        let failed = sandbox.run(command).expect(3);
        failed.says(&[
            "no router answers",
            "ipc://",
            "tcp://127.0.0.1:3000",
            "sig serve",
            "--url",
        ]);
    }
}

#[test]
fn a_named_router_that_is_not_there_is_named() {
    let sandbox = Sandbox::new();
    let url = format!("tcp://127.0.0.1:{}", dead_port());
    sandbox
        .run(&["ls", "--url", &url])
        .expect(3)
        .says(&["no router answers", &url, "sig serve"]);
    sandbox.run(&["version", "--url", &url]).expect(3).says(&[&url]);
    let from_env = sandbox.command(&["ls"]).env("SIG_URL", &url).output().unwrap();
    assert!(String::from_utf8(from_env.stderr).unwrap().contains(&url));
    assert_eq!(from_env.status.code(), Some(3));
}

#[test]
#[cfg(unix)]
fn a_named_socket_that_is_not_there_is_named() {
    let sandbox = Sandbox::new();
    let url = sandbox.socket();
    sandbox
        .run(&["ls", "--url", &url])
        .expect(3)
        .says(&["no router answers", &url, "sig serve"]);
}

#[test]
fn a_port_that_another_program_holds_is_explained() {
    let sandbox = Sandbox::new();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", holder.local_addr().unwrap());
    let failed = sandbox.run(&["serve", &url]).expect(6);
    failed.says(&[&url, "is taken", "another program", "sig serve tcp://127.0.0.1:0"]);
}

#[test]
fn an_address_that_a_router_holds_is_told_apart() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    for url in &router.urls {
        let failed = sandbox.run(&["serve", url]).expect(6);
        failed.says(&[url, "is taken", "a router runs there already", "sig serve"]);
    }
}

#[test]
fn an_address_that_others_can_reach_needs_a_word() {
    let sandbox = Sandbox::new();
    let refused = sandbox.run(&["serve", "tcp://0.0.0.0:0"]).expect(6);
    refused.says(&["tcp://0.0.0.0:0", "no tokens yet", "--insecure", "tcp://127.0.0.1"]);
    let mut open = sandbox.start(&["serve", "tcp://0.0.0.0:0", "--insecure"]);
    assert!(open.line("tcp://0.0.0.0").contains("EVERY HOST IN THE NETWORK"));
}

#[test]
fn a_taken_name_is_explained() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host"]);
    let failed = sandbox
        .run(&["trigger", "host", "cpu", "1", "--url", router.tcp()])
        .expect(6);
    failed.says(&["a sender host is connected already", "choose another name"]);
}

#[test]
fn whom_a_request_does_not_reach_is_named() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host"]);
    let request = |sender, method| sandbox.run(&["request", sender, method, "--url", router.tcp()]);
    request("nobody", "x")
        .expect(4)
        .says(&["no sender nobody is connected", "sig ls"]);
    request("host", "reboot")
        .expect(4)
        .says(&["sender host has no method reboot"]);
}
