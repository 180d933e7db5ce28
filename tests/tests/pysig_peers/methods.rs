//! What a server is asked for, as real pysig clients do it.

use serde_json::{Value, json};
use sig_tests::pysig::Pysig;

use crate::support::{Serving, done, listen, next, refused};

#[tokio::test]
async fn p47_get_version_is_that_of_the_protocol() {
    let server = Serving::start();
    for pysig in Pysig::all() {
        let client = server.pysig(&pysig).await;
        assert_eq!(client.ok("get_version", json!({})).await, "1.01");
    }
}

#[tokio::test]
async fn p48_list_senders_names_the_broadcast_sender_and_placeholders() {
    let server = Serving::start();
    let _here = server
        .router
        .add_sender("here")
        .event("e")
        .event("#c")
        .connect()
        .unwrap();
    let _listener = server.router.listen("awaited/later").unwrap();
    for pysig in Pysig::all() {
        let client = server.pysig(&pysig).await;
        let mut listed = client.ok("list_senders", json!({})).await;
        let rows = listed.as_array_mut().unwrap();
        rows.sort_by_key(|row| row["sender"].to_string());
        let expected = [
            json!({ "sender": "awaited", "connected": false }),
            json!({ "sender": "here", "connected": true }),
            json!({ "sender": null, "connected": true }),
        ];
        assert_eq!(rows[..], expected);

        let listed = client.ok("list_senders", json!({ "list_events": true })).await;
        let events = |name: Value| {
            let row = listed
                .as_array()
                .unwrap()
                .iter()
                .find(|row| row["sender"] == name)
                .unwrap();
            let mut events: Vec<_> = row["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["event"].clone())
                .collect();
            events.sort_by_key(ToString::to_string);
            events
        };
        assert_eq!(
            events("here".into()),
            [
                json!("#c"),
                json!("#connect"),
                json!("#disconnect"),
                json!("e"),
                Value::Null
            ]
        );
        assert!(events("awaited".into()).contains(&"later".into()));
        assert!(events(Value::Null).contains(&Value::Null));
    }
}

#[tokio::test]
async fn p49_add_listener_gives_an_id() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let _sender = server.router.add_sender("s").event("e").connect().unwrap();
        let client = server.pysig(&pysig).await;
        let mut ids = Vec::new();
        for (sender, event) in [
            (json!("s"), json!("e")),
            (json!("s"), json!("e")),
            (json!("s"), json!("#connect")),
            (json!("s"), Value::Null),
            (Value::Null, json!("#c")),
            (Value::Null, Value::Null),
            (json!("not here yet"), json!("whatever")),
        ] {
            let response = done(&client, "add_listener", json!({ "sender": sender, "event": event })).await;
            assert_eq!(response.as_object().unwrap().len(), 1, "{response}");
            ids.push(
                response["listener_id"]
                    .as_u64()
                    .expect("an id that every JSON library holds"),
            );
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 7, "ids are not unique");
        assert_eq!(server.router.clients()[0].listeners, 7);

        let undeclared = json!({ "sender": "s", "event": "undeclared" });
        assert_eq!(
            refused(&client, "add_listener", undeclared).await,
            "Failed to add to router"
        );
        assert_eq!(server.router.clients()[0].listeners, 7);
    }
}

#[tokio::test]
async fn p50_remove_listener_wants_an_id_of_the_same_client() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let sender = server
            .router
            .add_sender("s")
            .event("e")
            .event("fence")
            .connect()
            .unwrap();
        let (client, other) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
        let topic = json!({ "sender": "s", "event": "e" });
        let id = done(&client, "add_listener", topic).await["listener_id"].clone();
        listen(&client, "fence", "s", "fence").await;

        let remove = json!({ "listener_id": id });
        assert_eq!(
            refused(&other, "remove_listener", remove.clone()).await,
            "Listener not found"
        );
        assert_eq!(
            refused(&client, "remove_listener", json!({})).await,
            "Invalid arguments"
        );
        assert_eq!(
            refused(&client, "remove_listener", json!({ "listener_id": 999_999 })).await,
            "Listener not found"
        );
        assert_eq!(done(&client, "remove_listener", remove.clone()).await, Value::Null);
        assert_eq!(refused(&client, "remove_listener", remove).await, "Listener not found");

        client.ok("observe", json!({})).await;
        sender.signal("e").unwrap().trigger(&1).await.unwrap();
        sender.signal("fence").unwrap().trigger(&2).await.unwrap();
        let seen = client
            .next_event("a call of the server", |line| line.get("rx").is_some())
            .await;
        assert_eq!(
            seen["rx"]["params"]["info"]["event"], "fence",
            "the removed listener was called"
        );
    }
}

#[tokio::test]
async fn p51_add_sender_answers_null_and_refuses_a_name_in_use() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let (first, second) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
        let sender = json!({ "sender": "s", "events": ["e"], "requests": ["echo", null] });
        assert_eq!(done(&first, "add_sender", sender.clone()).await, Value::Null);
        for client in [&first, &second] {
            let text = refused(client, "add_sender", sender.clone()).await;
            assert_eq!(text, "sender s is already connected");
        }
        let _ours = server.router.add_sender("ours").event("e").connect().unwrap();
        let text = refused(&first, "add_sender", json!({ "sender": "ours", "events": [] })).await;
        assert_eq!(text, "sender ours is already connected");
        for incomplete in [
            json!({ "sender": "x" }),
            json!({ "events": ["e"] }),
            json!({}),
            Value::Null,
        ] {
            assert_eq!(refused(&first, "add_sender", incomplete).await, "Invalid arguments");
        }

        // What pysig itself says: a list of events, one alone (P17), or none at all.
        done(&first, "add_sender", json!({ "sender": "one", "events": "e" })).await;
        done(&first, "add_sender", json!({ "sender": "none", "events": [] })).await;
        let info = |name: &str| {
            server
                .router
                .senders()
                .into_iter()
                .find(|info| info.name.as_str() == name)
                .unwrap()
        };
        assert_eq!(info("s").requests, Some(vec![Some("echo".to_owned()), None]));
        assert_eq!(
            info("one").events.iter().filter(|event| !event.is_presence()).count(),
            1
        );
        assert!(info("none").connected);
        assert!(
            server.router.senders().iter().all(|info| info.name.as_str() != "x"),
            "nothing is left of a refused sender"
        );
    }
}

#[tokio::test]
async fn p52_signal_says_what_is_missing() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let client = server.pysig(&pysig).await;
        client
            .ok("add_remote_sender", json!({ "name": "s", "events": ["e"] }))
            .await;
        let mut heard = server.router.listen("s/e").unwrap();
        for (params, text) in [
            (json!({}), "invalid arguments, missing info"),
            (json!({ "info": {} }), "invalid arguments, missing sender"),
            (
                json!({ "info": { "sender": "nobody", "event": "e" } }),
                "sender nobody not found",
            ),
        ] {
            assert_eq!(refused(&client, "signal", params).await, text);
        }
        let response = done(
            &client,
            "signal",
            json!({ "info": { "sender": "s", "event": "e" }, "data": [1] }),
        )
        .await;
        assert_eq!(response, Value::Null);
        assert_eq!(next(&mut heard).await, ("s/e".to_owned(), json!([1])));
        done(&client, "signal", json!({ "info": { "sender": "s", "event": "e" } })).await;
        assert_eq!(next(&mut heard).await, ("s/e".to_owned(), Value::Null));
    }
}

#[tokio::test]
async fn p53_signal_of_an_undeclared_event_is_refused_in_words() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let client = server.pysig(&pysig).await;
        client
            .ok("add_remote_sender", json!({ "name": "s", "events": ["e"] }))
            .await;
        let text = refused(
            &client,
            "signal",
            json!({ "info": { "sender": "s", "event": "other" } }),
        )
        .await;
        assert!(text.contains("other") && !text.contains("NoneType"), "{text}");
    }
}
