//! Senders of pysig clients on our server: events, requests, and whose they are.

use serde_json::{Value, json};
use sig_router::{HandlerError, Request};
use sig_tests::pysig::Pysig;

use crate::support::{
    Serving, assert_nothing_heard, begin_trigger, done, listen, next, next_heard, next_plain, refused, trigger,
};

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

        begin_trigger(&owner, "c", "e", json!("mine")).await;
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
        begin_trigger(&client, "c", "#e", data.clone()).await;
        for stream in &mut here {
            assert_eq!(next_plain(stream).await, ("c/#e".to_owned(), data.clone()));
        }
        for stream in &mut there {
            assert_eq!(next_plain(stream).await, ("c/#e".to_owned(), data.clone()));
        }
    }
}
