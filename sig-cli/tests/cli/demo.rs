//! The README's first command.

use std::net::TcpListener;

use serde_json::Value;

use crate::harness::Sandbox;

#[test]
fn the_demo_shows_figures_and_ends_by_itself() {
    let sandbox = Sandbox::new();
    let shown = sandbox.run(&["demo", "--seconds", "4"]).expect(0).out;
    for text in [
        "this machine only",
        "sender host",
        "In a second terminal",
        "host/#connect",
        "host/cpu {",
        "closed",
    ] {
        assert!(shown.contains(text), "{text:?} is missing in:\n{shown}");
    }
    if cfg!(unix) {
        assert!(shown.contains("this user only"), "{shown}");
    }
}

#[test]
fn what_the_demo_says_to_paste_works() {
    let sandbox = Sandbox::new();
    let mut demo = sandbox.start(&["demo"]);
    let ls = demo.line("ls --events --url");
    let args: Vec<&str> = ls.split_whitespace().skip(1).collect();
    assert!(sandbox.run(&args).expect(0).out.contains("host/cpu"));
    let url = args.last().unwrap();
    sandbox
        .run(&["trigger", "me", "hello", "--text", "world", "--url", url])
        .expect(0);
    demo.line("me/hello \"world\"");
}

#[test]
fn taken_addresses_do_not_keep_the_demo_from_running() {
    let sandbox = Sandbox::new();
    // Whether the test holds the port or somebody else does is the same to the demo.
    let _holder = TcpListener::bind("127.0.0.1:3000");
    let mut first = sandbox.start(&["demo"]);
    assert!(!first.line("tcp://127.0.0.1:").contains(":3000 "));
    first.line("host/cpu");
    let mut second = sandbox.start(&["demo"]);
    second.note("tcp://127.0.0.1:3000 is taken");
    second.line("host/cpu");
}

#[test]
fn programs_can_read_the_demo() {
    let sandbox = Sandbox::new();
    let shown = sandbox.run(&["demo", "--seconds", "4", "--json"]).expect(0).out;
    let lines: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines
            .iter()
            .any(|line| line["event"] == "cpu" && line["data"]["percent"].is_number()),
        "{shown}"
    );
    assert!(lines.last().unwrap()["closed"].is_object());
}
