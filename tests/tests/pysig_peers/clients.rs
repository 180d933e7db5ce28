//! pysig's ClientRouter against our server: what an application of pysig's sees.

use serde_json::{Value, json};
use sig_router::{Event, HandlerError, Request};
use sig_tests::pysig::Pysig;
use tokio::sync::mpsc;

use crate::support::{Serving, begin_trigger, listen, next, next_call, next_heard, next_plain, soon, trigger};

#[tokio::test]
async fn p61_a_pysig_client_that_is_refused_changes_nothing_here() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let ours = server.router.add_sender("s").event("e").connect().unwrap();
        let mut heard = server.router.listen("s/e").unwrap();
        let client = server.pysig(&pysig).await;
        // pysig ignores the refusal and believes that it has the sender.
        assert_eq!(
            client
                .ok("add_remote_sender", json!({ "name": "s", "events": ["e"] }))
                .await,
            "s"
        );
        trigger(&client, "s", "e", json!("false")).await;
        ours.signal("e").unwrap().trigger(&"true").await.unwrap();
        assert_eq!(next(&mut heard).await.1, "true");
        assert!(ours.is_connected());
    }
}

#[tokio::test]
async fn p62_client_local_listeners_hear_remote_senders_without_the_network() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let mut there = server.router.listen("c").unwrap();
        let client = server.pysig(&pysig).await;
        client
            .ok("add_listener", json!({ "id": "local", "sender": "c", "event": null }))
            .await;
        client
            .ok("add_remote_sender", json!({ "name": "c", "events": ["e"] }))
            .await;
        begin_trigger(&client, "c", "e", json!(1)).await;
        for expected in ["local: c/#connect", "local: c/e"] {
            assert_eq!(next_call(&client).await, expected);
        }
        for expected in ["c/#connect", "c/e"] {
            assert_eq!(next(&mut there).await.0, expected);
        }
    }
}

#[tokio::test]
async fn p64_add_remote_listener_says_whether_it_was_taken() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let client = server.pysig(&pysig).await;
        // Before the sender is there, and all broadcast forms.
        listen(&client, "early", "s", "e").await;
        listen(&client, "sender", "s", None).await;
        listen(&client, "channel", None, "#c").await;
        listen(&client, "router", None, None).await;
        let sender = server.router.add_sender("s").event("e").connect().unwrap();
        let undeclared = json!({ "id": "no", "sender": "s", "event": "undeclared" });
        assert_eq!(client.ok("add_remote_listener", undeclared).await, false);
        sender.signal("e").unwrap().trigger(&1).await.unwrap();
        for expected in [
            "router: s/#connect",
            "sender: s/#connect",
            "router: s/e",
            "sender: s/e",
            "early: s/e",
        ] {
            assert_eq!(next_call(&client).await, expected);
        }
    }
}

#[tokio::test]
async fn p65_p66_pysigs_removals_do_their_work_on_our_server() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let _sender = server.router.add_sender("s").event("e").connect().unwrap();
        let client = server.pysig(&pysig).await;
        listen(&client, "l", "s", "e").await;
        let topic = json!({ "id": "l", "sender": "s", "event": "e" });
        assert_eq!(client.ok("remove_remote_listener", topic.clone()).await, true);
        assert_eq!(client.ok("remove_remote_listener", topic).await, false);
        assert_eq!(server.router.clients()[0].listeners, 0);

        let mut presence = server.router.listen("c").unwrap();
        client
            .ok("add_remote_sender", json!({ "name": "c", "events": ["e"] }))
            .await;
        // Ends in pysig's own error, after the server has removed it.
        let raised = client
            .command("remove_remote_sender", json!({ "name": "c" }))
            .await
            .unwrap_err();
        assert_eq!(raised.kind, "TypeError");
        assert_eq!(next(&mut presence).await.0, "c/#connect");
        assert_eq!(next(&mut presence).await.0, "c/#disconnect");
        assert_eq!(
            client.ok("remove_remote_sender", json!({ "name": "unknown" })).await,
            false
        );
        assert_eq!(server.router.clients()[0].senders, 0);
    }
}

#[tokio::test]
async fn p67_remote_requests_of_pysig_tell_values_from_failures() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let value = |request: Request| Ok(request.params::<Value>()?);
        let failing = |_: Request| Err::<(), _>(HandlerError::new("boom"));
        let _sender = server
            .router
            .add_sender("s")
            .request("value", value)
            .request("fail", failing)
            .connect()
            .unwrap();
        let client = server.pysig(&pysig).await;
        let ask = async |sender: &str, method: &str, params: Value| {
            let request = json!({ "sender": sender, "method": method, "params": params });
            client.ok("remote_request", request).await
        };
        for value in [
            json!(0),
            json!(5),
            json!(false),
            json!(""),
            json!([]),
            json!("grün 漢字 😀"),
            json!(1.5e300),
        ] {
            assert_eq!(ask("s", "value", value.clone()).await, value);
        }
        assert_eq!(ask("s", "value", Value::Null).await, json!({}));
        assert_eq!(ask("s", "unknown", Value::Null).await, Value::Null);
        assert_eq!(ask("s", "fail", Value::Null).await, Value::Null);
        assert_eq!(ask("unknown", "value", Value::Null).await, Value::Null);
    }
}

#[tokio::test]
async fn w2_a_pysig_client_may_listen_to_its_own_sender_and_ask_it() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let client = server.pysig(&pysig).await;
        client
            .ok(
                "add_remote_sender",
                json!({ "name": "c", "events": ["e"], "requests": ["echo"] }),
            )
            .await;
        listen(&client, "own", "c", "e").await;
        // pysig's own server needs ten seconds for each, and loses the answers. Half of that is the limit here.
        let limit = std::time::Duration::from_secs(5);
        let began = std::time::Instant::now();
        trigger(&client, "c", "e", json!(1)).await;
        let request = json!({ "sender": "c", "method": "echo", "params": 2 });
        assert_eq!(client.ok("remote_request", request).await, 2);
        assert_eq!(next_heard(&client).await.3, 1);
        assert!(began.elapsed() < limit, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn callbacks_of_ours_may_ask_pysig_and_trigger_to_it() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let native = server.native();
        let client = server.pysig(&pysig).await;
        client
            .ok(
                "add_remote_sender",
                json!({ "name": "c", "events": ["e"], "requests": ["echo"] }),
            )
            .await;
        listen(&client, "answers", "answerer", "answer").await;
        let answerer = native
            .add_remote_sender("answerer")
            .event("answer")
            .connect()
            .await
            .unwrap();
        let answer = answerer.signal("answer").unwrap();
        let (heard, mut hears) = mpsc::channel(10);
        let _listener = native
            .add_remote_listener("c/e", move |event: &Event<'_>| {
                let n: i64 = event.decode().unwrap();
                answer.try_trigger(&(n * 2)).unwrap();
                heard.try_send(n).unwrap();
            })
            .await
            .unwrap();
        for n in 0..5 {
            trigger(&client, "c", "e", json!(n)).await;
            assert_eq!(soon("the listener", hears.recv()).await, Some(n));
            let asked = native.remote_request("c", "echo", &n).await.unwrap();
            assert_eq!(asked.parse::<i64>().unwrap(), n);
        }
        for n in 0..5 {
            assert_eq!(next_heard(&client).await.3, n * 2);
        }
    }
}

#[tokio::test]
async fn text_and_numbers_pass_unchanged() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let native = server.native();
        let sender = native.add_remote_sender("s").event("e").connect().await.unwrap();
        let client = server.pysig(&pysig).await;
        listen(&client, "l", "s", "e").await;
        client
            .ok("add_remote_sender", json!({ "name": "c", "events": ["e"] }))
            .await;
        let mut heard = native.listen_remote("c/e").await.unwrap();
        for data in [
            json!(null),
            json!(0),
            json!(-1),
            json!(9_007_199_254_740_993_u64),
            json!(u64::MAX),
            json!(0.1),
            json!("grün 漢字 😀 \u{0} \" \\ \u{7f} \u{2028}"),
            json!({ "": {}, "a": [[], [[]]], "ключ": true }),
        ] {
            sender.signal("e").unwrap().trigger(&data).await.unwrap();
            assert_eq!(next_heard(&client).await.3, data);
            begin_trigger(&client, "c", "e", data.clone()).await;
            assert_eq!(next_plain(&mut heard).await.1, data);
        }
    }
}
