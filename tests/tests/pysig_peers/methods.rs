//! The eight methods of a server, as real pysig clients call them.

use serde_json::{Value, json};
use sig_router::{HandlerError, Request};
use sig_tests::pysig::{Peer, Pysig};

use crate::support::{Serving, assert_nothing_heard, listen, next, next_heard, next_plain, trigger};

/// The whole reply to a call.
async fn call(peer: &Peer, method: &str, params: Value) -> Value {
    peer.ok("call", json!({ "method": method, "params": params })).await
}

/// The response to a call that must succeed.
async fn done(peer: &Peer, method: &str, params: Value) -> Value {
    let mut reply = call(peer, method, params).await;
    assert_eq!(reply["status"], 0, "{method}: {reply}");
    reply["response"].take()
}

/// The text of a failure, after checking that it is one in pysig's form.
async fn refused(peer: &Peer, method: &str, params: Value) -> String {
    let reply = call(peer, method, params).await;
    assert_eq!(reply["status"], -2, "{method}: {reply}");
    assert_eq!(reply.get("response"), None, "{reply}");
    reply["exception"].as_str().expect("a failure has a text").to_owned()
}

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

#[tokio::test]
async fn p55_requests_are_forwarded_both_ways() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let (client, asker) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
        let sender = json!({ "name": "c", "events": [], "requests": ["echo", "none"] });
        client.ok("add_remote_sender", sender).await;
        let _ours = server
            .router
            .add_sender("ours")
            .request("double", |request: Request| Ok(request.params::<i64>()? * 2))
            .default_request(|request| Ok(request.method().to_owned()))
            .connect()
            .unwrap();

        // A pysig client asks ours, and another client's.
        let request = json!({ "sender": "ours", "method": "double", "params": 21 });
        assert_eq!(asker.ok("remote_request", request).await, 42);
        let request = json!({ "sender": "ours", "method": "anything" });
        assert_eq!(asker.ok("remote_request", request).await, "anything");
        let params = json!({ "deep": [1, 2.5, "drei", null, { "x": true }] });
        let request = json!({ "sender": "c", "method": "echo", "params": params });
        assert_eq!(asker.ok("remote_request", request).await, params);

        // We ask a pysig client, from the server and from a client of ours.
        let native = server.native();
        assert_eq!(
            server
                .router
                .request("c", "echo", &params)
                .await
                .unwrap()
                .parse::<Value>()
                .unwrap(),
            params
        );
        assert_eq!(
            native
                .remote_request("c", "none", &1)
                .await
                .unwrap()
                .parse::<Value>()
                .unwrap(),
            Value::Null
        );

        // An unknown method never reaches the client.
        drop(client.take_events());
        let text = refused(&asker, "request", json!({ "sender": "c", "method": "zzz" })).await;
        assert_eq!(text, "method zzz not found");
        let text = refused(&asker, "request", json!({ "sender": "nobody", "method": "zzz" })).await;
        assert_eq!(text, "Sender nobody is not connected");
        for incomplete in [json!({ "sender": "c" }), json!({ "method": "echo" })] {
            let text = refused(&asker, "request", incomplete).await;
            assert_eq!(text, "invalid arguments, missing sender or method");
        }
        assert_eq!(client.take_events(), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn p56_errors_of_handlers_reach_the_asker() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let (client, asker) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
        client
            .ok(
                "add_remote_sender",
                json!({ "name": "c", "events": [], "requests": ["fail"] }),
            )
            .await;
        let failing = |_: Request| Err::<(), _>(HandlerError::new("out of paper").with_code("paper"));
        let _ours = server
            .router
            .add_sender("ours")
            .request("print", failing)
            .connect()
            .unwrap();

        let text = refused(&asker, "request", json!({ "sender": "c", "method": "fail" })).await;
        assert_eq!(text, "boom");
        let text = refused(&asker, "request", json!({ "sender": "ours", "method": "print" })).await;
        assert_eq!(text, "out of paper");
        let error = server.router.request("c", "fail", &()).await.unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), ("handler_failed", "boom"));
    }
}

#[tokio::test]
async fn p57_only_the_owner_signals_for_a_sender_or_removes_it() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let (owner, thief) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
        owner
            .ok("add_remote_sender", json!({ "name": "c", "events": ["e"] }))
            .await;
        let _ours = server.router.add_sender("ours").event("e").connect().unwrap();
        let mut heard = server.router.listen("*").unwrap();

        for sender in ["c", "ours"] {
            let text = refused(&thief, "signal", json!({ "info": { "sender": sender, "event": "e" } })).await;
            assert!(text.contains(sender) && text.contains("owner"), "{text}");
            let text = refused(&thief, "remove_sender", json!({ "sender": sender })).await;
            assert!(text.contains(sender) && text.contains("owner"), "{text}");
        }
        let text = refused(&thief, "remove_sender", json!({ "sender": "nobody" })).await;
        assert_eq!(text, "sender nobody not found");
        assert_eq!(refused(&thief, "remove_sender", json!({})).await, "Invalid arguments");

        trigger(&owner, "c", "e", json!("mine")).await;
        assert_eq!(
            next(&mut heard).await,
            ("c/e".to_owned(), json!("mine")),
            "nobody else was heard"
        );
        assert_eq!(
            done(&owner, "remove_sender", json!({ "sender": "c" })).await,
            Value::Null
        );
        assert_eq!(next(&mut heard).await.0, "c/#disconnect");
    }
}

#[tokio::test]
async fn p58_signals_of_a_disconnected_sender_are_refused() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let (client, listener) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
        listen(&listener, "l", "c", "e").await;
        client
            .ok("add_remote_sender", json!({ "name": "c", "events": ["e"] }))
            .await;
        trigger(&client, "c", "e", json!(1)).await;
        done(&client, "remove_sender", json!({ "sender": "c" })).await;
        // The listener keeps the sender's name known (P25).
        let text = refused(
            &client,
            "signal",
            json!({ "info": { "sender": "c", "event": "e" }, "data": 2 }),
        )
        .await;
        assert_eq!(text, "sender c not connected");
        done(&client, "add_sender", json!({ "sender": "c", "events": ["e"] })).await;
        trigger(&client, "c", "e", json!(3)).await;
        for n in [1, 3] {
            assert_eq!(next_heard(&listener).await.3, n);
        }
        assert_nothing_heard(&listener);
    }
}

#[tokio::test]
async fn a_pysig_sender_is_heard_by_listeners_of_ours_in_all_four_forms() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let native = server.native();
        let mut here = Vec::new();
        let mut there = Vec::new();
        for topic in ["c/#e", "c", "*", "#e"] {
            here.push(server.router.listen(topic).unwrap());
            there.push(native.listen_remote(topic).await.unwrap());
        }
        let client = server.pysig(&pysig).await;
        client
            .ok("add_remote_sender", json!({ "name": "c", "events": ["#e"] }))
            .await;
        let data = json!({ "n": [1, null, "zwei", 1.5] });
        trigger(&client, "c", "#e", data.clone()).await;
        for stream in &mut here {
            assert_eq!(next_plain(stream).await, ("c/#e".to_owned(), data.clone()));
        }
        for stream in &mut there {
            assert_eq!(next_plain(stream).await, ("c/#e".to_owned(), data.clone()));
        }
    }
}
