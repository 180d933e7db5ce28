//! `sig top` and `sig doctor`.

use serde_json::Value;

use crate::harness::Sandbox;
use crate::router::Router;

#[test]
fn top_shows_one_table_with_rates_and_ends() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host"]);
    let mut listener = sandbox.start(&["listen", "host", "--url", router.tcp()]);
    listener.note("listening");
    let shown = sandbox.run(&["top", "--once", router.tcp()]).expect(0);
    assert_eq!(shown.err, "");
    let lines: Vec<&str> = shown.out.lines().collect();
    assert!(
        lines[0].starts_with(&format!(
            "router at {}, sig {}",
            router.tcp(),
            env!("CARGO_PKG_VERSION")
        )),
        "{shown:?}"
    );
    assert!(lines[1].starts_with("2 clients, 1 sender, 1 listener; "), "{shown:?}");
    let host: Vec<&str> = lines
        .iter()
        .find(|line| line.starts_with("host "))
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!((host[1], host[4]), ("-", "1"), "{shown:?}");
    assert!(host[3].parse::<f64>().unwrap() > 0.0, "no rate in {shown:?}");
    assert_eq!(
        lines.iter().filter(|line| line.contains(" sig/1 ")).count(),
        2,
        "{shown:?}"
    );

    let shown = sandbox
        .run(&["top", "--once", "--json", "--url", router.tcp()])
        .expect(0);
    let table: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(table["router"]["clients"], 2);
    assert_eq!(table["carriers"].as_array().unwrap().len(), router.urls.len());
    assert_eq!(table["senders"][0]["name"], "host");
    assert!(table["senders"][0]["rate"].as_f64().unwrap() > 0.0, "{table}");
    assert!(
        table["clients"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["rate_out"].as_f64().unwrap() > 0.0),
        "{table}"
    );
}

#[test]
fn top_goes_on_until_it_is_stopped() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let mut top = sandbox.start(&["top", "--json", "--url", router.tcp()]);
    for _ in 0..2 {
        let table: Value = serde_json::from_str(&top.line("uptime_ms")).unwrap();
        assert_eq!(table["router"]["clients"], 1);
    }
    #[cfg(unix)]
    {
        top.signal("INT");
        top.finish().expect(0);
    }
}

#[test]
fn doctor_names_what_is_wrong_and_what_to_do() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host"]);
    let healthy = sandbox.run(&["doctor", router.tcp()]).expect(0);
    assert_eq!(healthy.out, "");
    healthy.says(&["nothing is wrong at tcp://127.0.0.1:"]);

    let mut listener = sandbox.start(&["listen", "host/cpus", "hots/cpu", "host/cpu", "--url", router.tcp()]);
    listener.note("listening");
    let found = sandbox.run(&["doctor", "--url", router.tcp()]).expect(1);
    assert_eq!(found.err, "");
    let lines: Vec<&str> = found.out.lines().collect();
    assert_eq!(lines.len(), 4, "{found:?}");
    assert!(lines[0].starts_with("unmatched: host/cpus: sender host is connected and has no event cpus, but client #"));
    assert!(lines[1].starts_with("  fix: did you mean host/cpu?"), "{found:?}");
    assert!(
        lines[2].starts_with("unmatched: hots/cpu: no sender hots is connected, but client #"),
        "{found:?}"
    );
    assert!(lines[3].starts_with("  fix: did you mean host/cpu?"), "{found:?}");
    let found = sandbox.run(&["doctor", "--json", "--url", router.tcp()]).expect(1);
    let first: Value = serde_json::from_str(found.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["finding"]["code"], "unmatched");
    assert!(first["finding"]["fix"].as_str().unwrap().contains("host/cpu"));
}

#[test]
fn nobody_to_look_at_is_an_error_like_any_other() {
    let sandbox = Sandbox::new();
    for command in ["top", "doctor"] {
        sandbox
            .run(&[command, "tcp://127.0.0.1:1"])
            .expect(3)
            .says(&["no router answers", "127.0.0.1:1"]);
        sandbox.run(&[command, "http://x"]).expect(2);
    }
}

#[test]
fn what_the_router_tells_of_itself_can_be_listened_to_without_a_false_hint() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let mut listener = sandbox.start(&["listen", "#router/client_connected", "-n", "1", "--url", router.tcp()]);
    listener.note("listening");
    sandbox.run(&["ls", "--url", router.tcp()]).expect(0);
    let heard = listener.finish().expect(0);
    assert!(heard.out.starts_with("#router/client_connected {\"id\":"), "{heard:?}");
    assert!(!heard.err.contains("no sender"), "{heard:?}");

    let mut channel = sandbox.start(&["listen", "#router", "--url", router.tcp()]);
    channel.note("what the router tells of itself is #router/*");
}
