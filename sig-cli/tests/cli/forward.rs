//! `sig forward`: its errors, what it says, and how it ends. That messages pass is tested with the forwarder itself, and here once.

use serde_json::Value;

use crate::golden::{golden, refusals};
use crate::harness::{Running, Sandbox};

fn started(sandbox: &Sandbox, args: &[&str]) -> (Running, Value, Value) {
    let args = [&["forward", "--json"], args].concat();
    let mut process = sandbox.start(&args);
    let front: Value = serde_json::from_str(&process.line("front")).unwrap();
    let back: Value = serde_json::from_str(&process.line("back")).unwrap();
    process.line("ready");
    (process, front["front"].clone(), back["back"].clone())
}

#[test]
fn what_it_cannot_do_is_said_with_the_way_out() {
    let sandbox = Sandbox::new();
    let free = "tcp://127.0.0.1:0";
    let (_process, front, _) = started(&sandbox, &[free, free]);
    let taken = front["endpoint"].as_str().unwrap();
    let said = refusals(
        &sandbox,
        &[
            &["forward", "nowhere", free],
            &["forward", free, "http://x"],
            &["forward", "tcp://127.0.0.1", free],
            &["forward", free, "tcp://127.0.0.1:99999"],
            &["forward", free, taken],
            &["forward", taken, free, "--json"],
            &["forward", "tcp://*:5559", free],
            &["forward", free, free, "--capture", "tcp://0.0.0.0:1"],
            &["forward", free],
            &["forward", free, free, "--pattern", "pairs"],
            &["forward", free, free, "--report", "1ms"],
            &["forward", free, free, "--high-water", "0"],
        ],
        &[(taken, "tcp://127.0.0.1:PORT")],
    );
    golden("sig-forward-refused", &said);
}

#[test]
fn it_passes_messages_and_says_what_has_passed_when_it_is_stopped() {
    let sandbox = Sandbox::new();
    let path = format!("ipc://{}", sandbox.path().join("front").display());
    for (signal, pattern, types) in [
        ("INT", "topics", ["XSUB", "XPUB"]),
        ("TERM", "broadcast", ["SUB", "PUB"]),
    ] {
        let capture = ["--capture", "tcp://127.0.0.1:0", "--pattern", pattern];
        let (mut process, front, back) = started(&sandbox, &[&[&path, "tcp://127.0.0.1:*"], &capture[..]].concat());
        assert_eq!([front["type"].as_str().unwrap(), back["type"].as_str().unwrap()], types);
        assert_eq!(front["endpoint"], path.as_str());
        let (front, back) = (front["endpoint"].clone(), back["endpoint"].clone());
        let passed = crate::zeromq::publish(front.as_str().unwrap(), back.as_str().unwrap(), "room.1", "21.5");
        assert_eq!(passed, [b"room.1".to_vec(), b"21.5".to_vec()]);
        process.signal(signal);
        let line: Value = serde_json::from_str(&process.line("passed")).unwrap();
        let passed = &line["passed"];
        assert!(passed["messages"].as_u64().unwrap() >= 1, "{line}");
        assert_eq!(passed["topics"][0]["topic"], "room.1");
        process.finish().expect(0);
    }
}

#[test]
fn it_can_connect_on_both_sides_and_reports_on_the_way() {
    let sandbox = Sandbox::new();
    let (_one, _, back) = started(&sandbox, &["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"]);
    let (_other, front, _) = started(&sandbox, &["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"]);
    let (from, to) = (back["endpoint"].as_str().unwrap(), front["endpoint"].as_str().unwrap());
    let mut between = sandbox.start(&[
        "forward",
        from,
        to,
        "--connect-front",
        "--connect-back",
        "--report",
        "200ms",
    ]);
    between.line(&format!("The front (XSUB) connects to {from}"));
    between.line(&format!("The back (XPUB) connects to {to}"));
    between.line("Ready");
    between.line("Passed 0 messages");
    between.signal("INT");
    between.line("Passed 0 messages (0 bytes), 0 back");
    between.finish().expect(0);
}
