//! `--json`: one object per line, whatever happens.

use serde_json::Value;

use crate::harness::Sandbox;
use crate::router::Router;

#[track_caller]
fn objects(text: &str) -> Vec<Value> {
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(objects.iter().all(Value::is_object), "{text}");
    objects
}

#[test]
fn errors_are_objects_with_a_code() {
    let sandbox = Sandbox::new();
    for (args, code, exit) in [
        (&["nonsense"][..], "usage", 2),
        (&["serve", "tcp://0.0.0.0:0"], "exposed", 6),
        (&["serve", "http://x"], "address", 2),
        (&["trigger", "a", "b", "hello"], "not_json", 2),
        (&["ls", "--url", "tcp://127.0.0.1:1"], "no_router", 3),
    ] {
        let failed = sandbox.run(&[args, &["--json"]].concat()).expect(exit);
        assert_eq!(failed.out, "");
        let errors = objects(&failed.err);
        assert_eq!(errors.len(), 1, "{}", failed.err);
        assert_eq!(errors[0]["error"]["code"], code);
        assert!(errors[0]["error"]["text"].as_str().is_some_and(|text| !text.is_empty()));
    }
}

#[test]
fn a_router_says_where_it_listens_and_for_whom() {
    let sandbox = Sandbox::new();
    let mut process = sandbox.start(&["serve", "tcp://127.0.0.1:0", "--host", "--json"]);
    let line: Value = serde_json::from_str(&process.line("listening")).unwrap();
    assert_eq!(line["listening"]["exposure"], "machine");
    assert!(
        line["listening"]["url"]
            .as_str()
            .unwrap()
            .starts_with("tcp://127.0.0.1:")
    );
    let line: Value = serde_json::from_str(&process.line("sender")).unwrap();
    assert_eq!(line["sender"]["name"], "host");
    process.line("ready");
}

#[test]
fn events_lists_and_versions_are_objects() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host"]);
    let run = |args: &[&str]| {
        objects(
            &sandbox
                .run(&[args, &["--json", "--url", router.tcp()]].concat())
                .expect(0)
                .out,
        )
    };

    let events = run(&["listen", "host/memory", "--count", "2"]);
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&events[0]["sender"], &events[0]["event"]),
        (&"host".into(), &"memory".into())
    );
    assert_eq!(
        events[0]["number"].as_u64().unwrap() + 1,
        events[1]["number"].as_u64().unwrap()
    );
    assert!(events[0]["data"]["total"].as_u64().unwrap() > 0);

    let senders = run(&["ls"]);
    let host = senders.iter().find(|row| row["sender"] == "host").unwrap();
    assert_eq!(host["connected"], true);
    assert!(host["events"].as_array().unwrap().contains(&"cpu".into()));

    let versions = run(&["version"]);
    assert_eq!(versions[0]["sig"], env!("CARGO_PKG_VERSION"));
    assert_eq!(versions[1]["router"]["url"], router.tcp());

    let snapshot = run(&["request", "host", "snapshot"]);
    assert!(snapshot[0]["cpu"]["percent"].is_number() && snapshot[0]["disks"].is_array());
}
