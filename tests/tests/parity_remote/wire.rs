//! Messages, statuses and ids: P37 to P41, P45 and P46.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use sig_core::{Batch, Carrier as _, CarrierError, ClientId, Dialect, Disconnect, Encoding};
use sig_router::{ClientRouter, RequestError};
use sig_tests::pysig::Pysig;
use tokio::net::TcpListener;

use crate::support::{Raw, Serving, dial, listen, next_heard};

/// A client of ours and the server end of its connection, which the test plays.
async fn our_client() -> (ClientRouter, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = dial(listener.local_addr().expect("it is bound").port(), Dialect::Pysig);
    (client, Raw::accept(&listener).await)
}

fn fields(message: &Value) -> Vec<&str> {
    message
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn p37_messages_have_pysigs_form_in_both_directions() {
    let server = Serving::start();
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    let mut raw = server.raw().await;
    let reply = raw.ask(json!({ "id": 1, "method": "get_version", "params": {} })).await;
    assert_eq!(reply, json!({ "id": 1, "status": 0, "response": "1.01" }));
    let reply = raw
        .ask(json!({ "id": 2, "method": "add_listener", "params": { "sender": "s", "event": "no" } }))
        .await;
    assert_eq!(
        reply,
        json!({ "id": 2, "status": -2, "exception": "Failed to add to router" })
    );
    let reply = raw
        .ask(json!({ "id": 3, "method": "add_listener", "params": { "sender": "s", "event": "e" } }))
        .await;
    let listener = &reply["response"]["listener_id"];
    sender.signal("e").unwrap().trigger(&[1]).await.unwrap();
    let call = raw.receive().await;
    assert_eq!(fields(&call), ["id", "method", "params"]);
    let params = json!({ "listener_id": listener, "info": { "sender": "s", "event": "e" }, "data": [1] });
    assert_eq!((&call["method"], &call["params"]), (&json!("signal"), &params));

    let (client, mut raw) = our_client().await;
    let asking = client.remote_version();
    let answering = async {
        let call = raw.receive().await;
        assert_eq!(
            (fields(&call), &call["method"]),
            (vec!["id", "method", "params"], &json!("get_version"))
        );
        raw.send(json!({ "id": call["id"], "status": 0, "response": "0.9" }).to_string())
            .await;
        raw
    };
    let (version, _raw) = tokio::join!(asking, answering);
    assert_eq!(version.unwrap(), "0.9");
}

#[tokio::test]
async fn p38_every_status_is_given_to_pysig_and_by_it() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let client = server.pysig(&pysig).await;
        for (call, status) in [
            (json!({ "method": "get_version" }), 0),
            (json!({ "method": "no_such_method", "params": {} }), -1),
            (json!({ "method": "add_listener", "params": { "event": "plain" } }), -2),
            (json!({ "params": {} }), -3),
        ] {
            let reply = client.ok("call", call).await;
            assert_eq!(reply["status"], status, "{reply}");
            assert_eq!(reply.get("response").is_some(), status == 0, "{reply}");
            assert_eq!(reply["exception"].is_string(), status == -2, "{reply}");
        }
    }
    let (_client, mut raw) = our_client().await;
    for (call, status) in [
        (json!({ "id": 1, "method": "get_version" }), -1),
        (
            json!({ "id": 2, "method": "request", "params": { "sender": "nobody", "method": "m" } }),
            -2,
        ),
        (
            json!({ "id": 3, "method": "signal", "params": { "listener_id": 7, "info": { "sender": "s", "event": "e" } } }),
            -2,
        ),
        (json!({ "id": 4 }), -3),
    ] {
        let reply = raw.ask(call).await;
        assert_eq!(reply["status"], status, "{reply}");
    }
}

#[tokio::test]
async fn p39_ids_are_opaque_and_each_side_counts_its_own() {
    let server = Serving::start();
    let (_client, mut from_client) = our_client().await;
    let mut from_server = server.raw().await;
    let ids = [
        r#""text""#,
        r#"{"a":[1,null]}"#,
        "null",
        "-7",
        "1.50",
        "123456789012345678901234567890",
        "[]",
        "true",
    ];
    for id in ids {
        for raw in [&mut from_server, &mut from_client] {
            raw.send(format!(r#"{{"id":{id},"method":"nothing"}}"#)).await;
            let reply = raw.document().await.unwrap();
            assert!(reply.contains(&format!(r#""id":{id},"#)), "{id}: {reply}");
        }
    }
    for raw in [&mut from_server, &mut from_client] {
        let reply = raw.ask(json!({ "method": "nothing" })).await;
        assert_eq!(reply, json!({ "id": null, "status": -1 }));
    }

    // The same id is under way in both directions. A status of null makes no reply.
    let sender =
        json!({ "id": 90, "method": "add_sender", "params": { "sender": "c", "events": [], "requests": ["m"] } });
    from_server.ask(sender).await;
    let asking = async {
        server
            .router
            .request("c", "m", &5)
            .await
            .unwrap()
            .parse::<Value>()
            .unwrap()
    };
    let answering = async {
        let call = from_server.receive().await;
        assert_eq!(call["method"], "request");
        let same = json!({ "id": call["id"], "status": null, "method": "get_version" });
        from_server.send(same.to_string()).await;
        from_server
            .send(json!({ "id": call["id"], "status": 0, "response": 6 }).to_string())
            .await;
        assert_eq!(
            from_server.receive().await,
            json!({ "id": call["id"], "status": 0, "response": "1.01" })
        );
    };
    assert_eq!(tokio::join!(asking, answering).0, 6);
}

#[tokio::test]
async fn p40_params_may_be_left_out_and_every_object_is_answered() {
    let server = Serving::start();
    let mut raw = server.raw().await;
    for (message, status) in [
        (r#"{"id":1,"method":"list_senders"}"#, 0),
        (r#"{"id":1,"method":"list_senders","params":null}"#, 0),
        (r#"{"id":1,"method":"list_senders","params":{"unknown":[]}}"#, 0),
        (r#"{"id":1,"method":"add_listener"}"#, 0),
        (r#"{"id":1,"method":"add_sender","params":null}"#, -2),
        (r#"{"id":1,"method":"signal","params":[1,2]}"#, -2),
        (r#"{"id":1,"method":"request","params":{"sender":{},"method":5}}"#, -2),
        (r#"{"id":1,"method":"","params":7}"#, -1),
        (r#"{"id":1}"#, -3),
        ("{}", -3),
    ] {
        raw.send(message).await;
        assert_eq!(raw.receive().await["status"], status, "{message}");
    }
}

#[tokio::test]
async fn p41_an_array_ends_the_connection_and_a_reply_with_a_method_is_a_reply() {
    let server = Serving::start();
    let (mut raw, mut other) = (server.raw().await, server.raw().await);
    let get_version = json!({ "id": 1, "method": "get_version" });
    for raw in [&mut raw, &mut other] {
        assert_eq!(raw.ask(get_version.clone()).await["status"], 0);
        raw.send(r#"{"id":5,"status":0,"method":"get_version"}"#).await;
        assert_eq!(
            raw.ask(get_version.clone()).await["id"],
            1,
            "the reply was not answered"
        );
    }
    raw.send("[1,2]").await;
    assert_eq!(raw.document().await, None);
    assert_eq!(other.ask(get_version).await["status"], 0, "the others are unaffected");
}

#[tokio::test]
async fn p45_unknown_clients_and_unknown_replies_do_no_harm() {
    let carrier = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let mut batch = Batch::of_frames(Encoding::Packed);
    batch.push_frame(Bytes::from_static(b"{}"));
    let nobody = ClientId::next();
    let error = carrier.handle_tx(nobody, &mut batch).await.unwrap_err();
    assert!(
        matches!(error, CarrierError::UnknownClient(id) if id == nobody),
        "{error}"
    );
    carrier.close_client(nobody, &Disconnect::closed());

    let server = Serving::start();
    let (_client, mut from_client) = our_client().await;
    let mut from_server = server.raw().await;
    for raw in [&mut from_server, &mut from_client] {
        for late in [
            r#"{"id":999,"status":0,"response":1}"#,
            r#"{"id":"x","status":-2,"exception":"?"}"#,
        ] {
            raw.send(late).await;
        }
        assert_eq!(raw.ask(json!({ "id": 1, "method": "nothing" })).await["status"], -1);
    }
}

#[tokio::test]
async fn p46_a_reply_is_awaited_for_ten_seconds_and_the_link_goes_on() {
    let limits = Duration::from_secs(9)..Duration::from_secs(12);
    let Some(pysig) = Pysig::available() else { return };
    let server = Serving::start();
    let (asked, asker) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
    asked
        .ok(
            "add_remote_sender",
            json!({ "name": "c", "events": [], "requests": ["slow", "echo"] }),
        )
        .await;
    let sender = server
        .router
        .add_sender("s")
        .event("e")
        .request_async("never", async |_| std::future::pending::<Result<(), _>>().await)
        .connect()
        .unwrap();
    listen(&asker, "l", "s", "e").await;

    let began = Instant::now();
    let params = json!({ "seconds": 11 });
    let ours = async {
        let error = server.router.request("c", "slow", &params).await.unwrap_err();
        (error, began.elapsed())
    };
    let theirs = async {
        let answer = asker
            .ok("remote_request", json!({ "sender": "s", "method": "never" }))
            .await;
        (answer, began.elapsed())
    };
    let ((error, our_wait), (answer, their_wait)) = tokio::join!(ours, theirs);
    assert!(matches!(error, RequestError::TimedOut { .. }), "{error}");
    assert_eq!(answer, Value::Null);
    assert!(
        limits.contains(&our_wait) && limits.contains(&their_wait),
        "{our_wait:?}, {their_wait:?}"
    );

    // Both are served as before.
    sender.signal("e").unwrap().trigger(&1).await.unwrap();
    assert_eq!(next_heard(&asker).await.3, 1);
    let answer = server.router.request("c", "echo", &2).await.unwrap();
    assert_eq!(answer.parse::<i32>().unwrap(), 2);
}
