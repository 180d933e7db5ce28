//! The real pysig alone, server and client: what later tests build on works, and pysig is what BEHAVIOURS says it is.

use serde_json::{Value, json};
use sig_tests::pysig::{Peer, Pysig};

async fn serving(pysig: &Pysig) -> (Peer, Value) {
    let server = pysig.spawn().await;
    let started = server.ok("start_server", json!({})).await;
    assert_eq!(started["started"], true);
    (server, started["port"].clone())
}

async fn connected(pysig: &Pysig, port: &Value) -> Peer {
    let client = pysig.spawn().await;
    assert_eq!(client.ok("connect", json!({ "port": port })).await, true);
    client
}

async fn listen(client: &Peer, id: &str, sender: Option<&str>, event: Option<&str>) {
    let added = client
        .ok(
            "add_remote_listener",
            json!({ "id": id, "sender": sender, "event": event }),
        )
        .await;
    assert_eq!(added, true, "{id}");
}

#[tokio::test]
async fn all_four_listening_forms_hear_a_remote_sender() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let listener = connected(&pysig, &port).await;
        listen(&listener, "specific", Some("timer"), Some("#tick")).await;
        listen(&listener, "sender", Some("timer"), None).await;
        listen(&listener, "router", None, None).await;
        listen(&listener, "channel", None, Some("#tick")).await;

        let sender = connected(&pysig, &port).await;
        sender
            .ok("add_remote_sender", json!({ "name": "timer", "events": ["#tick"] }))
            .await;
        sender
            .ok(
                "trigger",
                json!({ "sender": "timer", "event": "#tick", "data": { "n": 1 } }),
            )
            .await;

        for (id, presence) in [
            ("router", true),
            ("sender", true),
            ("channel", false),
            ("specific", false),
        ] {
            if presence {
                assert_eq!(listener.heard(id).await.event, "#connect", "{id}");
            }
            let heard = listener.heard(id).await;
            assert_eq!(
                (heard.sender, heard.event, heard.data),
                ("timer".into(), "#tick".into(), json!({ "n": 1 })),
                "{id}"
            );
        }
        assert_eq!(server.ok("clients", json!({})).await, 2);
    }
}

#[tokio::test]
async fn requests_go_both_ways_and_calls_show_the_whole_reply() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let client = connected(&pysig, &port).await;
        client
            .ok(
                "add_remote_sender",
                json!({ "name": "c", "events": [], "requests": ["echo", "fail", null] }),
            )
            .await;
        server
            .ok("add_sender", json!({ "name": "s", "events": [], "requests": ["echo"] }))
            .await;

        let answer = server
            .ok(
                "request",
                json!({ "sender": "c", "method": "echo", "params": [1, "zwei", null] }),
            )
            .await;
        assert_eq!(answer, json!([1, "zwei", null]));
        let answer = server
            .ok("request", json!({ "sender": "c", "method": "other", "params": 5 }))
            .await;
        assert_eq!(answer, json!({ "method": "other", "params": 5 }));
        let asked = client
            .next_event("the request it served", |line| line["request"]["method"] == "other")
            .await;
        assert_eq!(asked["request"]["handler"], Value::Null);
        let answer = client
            .ok(
                "remote_request",
                json!({ "sender": "s", "method": "echo", "params": 7 }),
            )
            .await;
        assert_eq!(answer, 7);

        let reply = client
            .ok(
                "call",
                json!({ "method": "request", "params": { "sender": "s", "method": "zz" } }),
            )
            .await;
        assert_eq!(
            (&reply["status"], &reply["exception"]),
            (&json!(-2), &json!("method zz not found"))
        );
        assert_eq!(client.ok("call", json!({})).await["status"], -3);
        assert_eq!(client.ok("get_version", json!({})).await, "1.01");
        let raised = client
            .command("request", json!({ "sender": "c", "method": "fail" }))
            .await
            .unwrap_err();
        assert_eq!((raised.kind.as_str(), raised.text.as_str()), ("Exception", "boom"));
    }
}

#[tokio::test]
async fn senders_and_presence_follow_a_client_that_is_killed() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        server
            .ok(
                "add_listener",
                json!({ "id": "gone", "sender": "c", "event": "#disconnect" }),
            )
            .await;
        let client = connected(&pysig, &port).await;
        client
            .ok("add_remote_sender", json!({ "name": "c", "events": ["e"] }))
            .await;
        let listed = client.ok("list_senders", json!({ "list_events": true })).await;
        let row = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["sender"] == "c")
            .unwrap();
        assert_eq!(row["connected"], true);
        assert!(
            row["events"].as_array().unwrap().contains(&json!({ "event": "e" })),
            "{row}"
        );

        client.kill().await;
        assert_eq!(server.heard("gone").await.event, "#disconnect");
        server
            .next_event("the end of the connection", |line| {
                line.get("client_disconnected").is_some()
            })
            .await;
    }
}

#[tokio::test]
async fn a_client_reconnects_by_itself_and_registers_again_as_its_script_says() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let client = pysig.spawn().await;
        let script = json!([
            { "cmd": "add_remote_sender", "name": "c", "events": ["e"] },
            { "cmd": "add_remote_listener", "id": "server's", "sender": "s", "event": "e" },
        ]);
        server.ok("add_sender", json!({ "name": "s", "events": ["e"] })).await;
        server
            .ok("add_listener", json!({ "id": "client's", "sender": "c", "event": "e" }))
            .await;
        client
            .ok(
                "connect",
                json!({ "port": port, "one_reconnect": true, "on_connected": script }),
            )
            .await;
        client
            .next_event("the first connection", |line| line["connected"] == true)
            .await;

        assert_eq!(server.ok("stop_server", json!({})).await, true);
        client.next_event("the loss", |line| line["disconnected"] == true).await;
        server.ok("start_server", json!({ "port": port })).await;
        let again = client
            .next_event("the second connection", |line| line["connected"] == true)
            .await;
        assert_eq!(again["answers"][0]["ok"], "c", "{again}");
        assert_eq!(again["answers"][1]["ok"], true);
        client
            .ok("trigger", json!({ "sender": "c", "event": "e", "data": "again" }))
            .await;
        assert_eq!(server.heard("client's").await.data, "again");
        server
            .ok("trigger", json!({ "sender": "s", "event": "e", "data": "here too" }))
            .await;
        assert_eq!(client.heard("server's").await.data, "here too");
    }
}

#[tokio::test]
async fn what_strict_json_cannot_say_passes_in_both_directions() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let client = connected(&pysig, &port).await;
        client.ok("observe", json!({})).await;
        listen(&client, "l", Some("s"), Some("e")).await;
        server.ok("add_sender", json!({ "name": "s", "events": ["e"] })).await;
        let data = json!([{ "$float": "NaN" }, { "$float": "-Infinity" }, 1.5, null, "grün"]);
        server
            .ok("trigger", json!({ "sender": "s", "event": "e", "data": data }))
            .await;
        assert_eq!(client.heard("l").await.data, data);
        let seen = client
            .next_event("the observed message", |line| line["rx"]["method"] == "signal")
            .await;
        assert_eq!(seen["rx"]["params"]["data"], data);
    }
}

#[tokio::test]
async fn a_command_in_a_thread_of_its_own_leaves_the_others_running() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let client = connected(&pysig, &port).await;
        client
            .ok(
                "add_remote_sender",
                json!({ "name": "c", "events": [], "requests": ["slow"] }),
            )
            .await;
        let slow = json!({ "sender": "c", "method": "slow", "params": { "seconds": 0.5, "tag": 1 } });
        let pending = server.start("request", slow).await;
        client
            .next_event("the slow request", |line| line["request"]["method"] == "slow")
            .await;
        assert_eq!(server.ok("clients", json!({})).await, 1);
        assert_eq!(pending.answer().await.unwrap()["tag"], 1);
    }
}

#[tokio::test]
async fn many_numbered_events_arrive_in_order() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let client = connected(&pysig, &port).await;
        server.ok("add_sender", json!({ "name": "s", "events": ["e"] })).await;
        listen(&client, "l", Some("s"), Some("e")).await;
        // pysig polls for each acknowledgement every 10 ms, so a hundred events are a second.
        server
            .ok(
                "trigger",
                json!({ "sender": "s", "event": "e", "count": 100, "pad": 3000 }),
            )
            .await;
        for n in 0..100 {
            let heard = client.heard("l").await;
            assert_eq!(heard.data["n"], n);
            assert_eq!(heard.data["pad"].as_str().map(str::len), Some(3000));
        }
        let more: Vec<_> = client
            .take_events()
            .into_iter()
            .filter(|line| line.get("listener").is_some())
            .collect();
        assert_eq!(more, Vec::<Value>::new());
    }
}

#[tokio::test]
#[should_panic(expected = "its process ended")]
async fn waiting_for_a_dead_peer_panics_instead_of_hanging() {
    let Some(pysig) = Pysig::available() else {
        panic!("its process ended: there is none to start")
    };
    let peer = pysig.spawn().await;
    peer.kill().await;
    peer.heard("nobody").await;
}
