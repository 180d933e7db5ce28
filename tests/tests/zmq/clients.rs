//! DEALER and REQ sockets of pyzmq that send pysig's JSON are clients.

use serde_json::{Value, json};
use sig_router::{Listen, Presence, Request};
use sig_tests::pyzmq::{Client, Pyzmq};
use sig_tests::rig::{holds, soon};

use crate::world::Served;

#[tokio::test]
async fn a_dealer_has_all_eight_methods_and_is_sent_events_and_requests() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let served = Served::start();
    let hub = &served.router;
    let rust = hub
        .add_sender("rust")
        .event("tic")
        .request("double", |request: Request| Ok(request.params::<i64>()? * 2))
        .connect()
        .unwrap();
    let mut dealer = pyzmq.client(&served.endpoint, "DEALER", "").await;

    assert_eq!(dealer.ok("get_version", json!({})).await, "1.01");
    let listed = dealer.ok("list_senders", json!({ "list_events": true })).await;
    assert!(listed.to_string().contains(r#""sender":"rust""#), "{listed}");

    // As a sender.
    let sender = json!({ "sender": "python", "events": ["toc"], "requests": ["ask"] });
    let mut tocs = hub.listen("python/toc").unwrap();
    assert_eq!(dealer.ok("add_sender", sender.clone()).await, Value::Null);
    assert_eq!(
        dealer.call("add_sender", sender).await["status"],
        -2,
        "it is connected already"
    );
    for n in 0..100 {
        dealer
            .send(
                "signal",
                json!({ "info": { "sender": "python", "event": "toc" }, "data": n }),
            )
            .await;
    }
    for n in 0..100 {
        let event = soon("an event of the dealer", tocs.recv()).await.unwrap().unwrap();
        assert_eq!((event.number(), event.decode::<u64>().unwrap()), (n + 1, n));
        assert_eq!(dealer.says("reply").await["status"], 0);
    }
    let asked = soon("the answer", hub.request("python", "ask", &json!({ "a": 1 })))
        .await
        .unwrap();
    assert_eq!(
        asked.parse::<Value>().unwrap(),
        json!({ "asked": "ask", "with": { "a": 1 } })
    );
    dealer.says("request").await;

    // As a listener.
    let tic = dealer
        .ok("add_listener", json!({ "sender": "rust", "event": "tic" }))
        .await["listener_id"]
        .clone();
    for n in 0..100 {
        rust.signal("tic").unwrap().trigger(&n).await.unwrap();
    }
    for n in 0..100 {
        let signal = dealer.says("signal").await;
        let info = json!({ "sender": "rust", "event": "tic" });
        assert_eq!(signal, json!({ "listener_id": tic, "info": info, "data": n }));
    }
    assert_eq!(
        dealer.ok("remove_listener", json!({ "listener_id": tic })).await,
        Value::Null
    );
    let doubled = json!({ "sender": "rust", "method": "double", "params": 21 });
    assert_eq!(dealer.ok("request", doubled).await, 42);
    let nobody = json!({ "sender": "nobody", "method": "double" });
    assert_eq!(dealer.call("request", nobody).await["status"], -2);
    assert_eq!(
        dealer.ok("remove_sender", json!({ "sender": "python" })).await,
        Value::Null
    );
    assert_eq!(hub.clients()[0].lost, 0);
}

#[tokio::test]
async fn whatever_a_dealer_sends_is_answered_with_a_status() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let served = Served::start();
    let mut dealer = pyzmq.client(&served.endpoint, "DEALER", "").await;
    for greeted in [false, true] {
        for (frames, status, why) in [
            (&["hello"][..], -2, "JSON"),
            (&["[1, 2]"], -2, ""),
            (&["{\"id\": 1"], -2, "middle"),
            (&["{\"id\": 1,, }"], -2, "JSON"),
            (&["{}", "{}"], -2, "one frame"),
            (&["a", "b", "c"], -2, "one frame"),
            (&["{\"id\": 7, \"method\": \"fly\"}"], -1, ""),
            (&["{\"id\": 8}"], -3, ""),
            (&["{\"id\": 9, \"method\": \"signal\"}"], -2, "info"),
        ] {
            dealer.send_frames(frames).await;
            let reply = dealer.says("reply").await;
            assert_eq!(reply["status"], status, "{frames:?}: {reply}");
            assert!(
                reply["exception"].as_str().unwrap_or_default().contains(why),
                "{frames:?}: {reply}"
            );
        }
        if !greeted {
            dealer.ok("get_version", json!({})).await;
        }
    }
    let large = " ".repeat(70_000);
    dealer.ok("list_senders", json!({ "unknown": large })).await;
    assert_eq!(served.router.clients().len(), 1);
}

#[tokio::test]
async fn a_dealer_puts_an_empty_frame_first_where_it_wants_one_back() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let served = Served::start();
    let mut req = pyzmq.client(&served.endpoint, "REQ", "").await;
    assert_eq!(req.ok("get_version", json!({})).await, "1.01");
    assert_eq!(req.call("fly", json!({})).await["status"], -1);
    req.send_frames(&["garbage"]).await;
    assert_eq!(req.says("reply").await["status"], -2);
    assert_eq!(req.ok("get_version", json!({})).await, "1.01");
}

#[tokio::test]
async fn a_req_socket_is_sent_replies_only_and_who_asks_it_is_told() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let served = Served::start();
    let hub = &served.router;
    let rust = hub.add_sender("rust").event("tic").connect().unwrap();
    let tic = rust.signal("tic").unwrap();
    let mut req = pyzmq.client(&served.endpoint, "REQ", "").await;
    req.ok("add_listener", json!({ "sender": "rust", "event": "tic" }))
        .await;
    let sender = json!({ "sender": "req", "events": ["toc"], "requests": ["ask"] });
    req.ok("add_sender", sender).await;
    tic.trigger(&1).await.unwrap();
    let refused = soon("the refusal", hub.request("req", "ask", &Value::Null))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("DEALER"), "{refused}");
    // The reply is the reply, and no event.
    let mut tocs = hub.listen("req/toc").unwrap();
    let toc = json!({ "info": { "sender": "req", "event": "toc" }, "data": 5 });
    assert_eq!(req.ok("signal", toc).await, Value::Null);
    let event = soon("the event of the REQ socket", tocs.recv()).await.unwrap().unwrap();
    assert_eq!(event.decode::<u64>().unwrap(), 5);
}

async fn counted(dealer: &mut Client, served: &Served, clients: usize) {
    dealer.ok("get_version", json!({})).await;
    holds("so many clients", || served.router.clients().len() == clients).await;
}

#[tokio::test]
async fn a_program_that_comes_back_under_its_identity_replaces_what_it_was() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let served = Served::start();
    let mut presence = served.router.listen(Listen::to("python/#disconnect").unwrap()).unwrap();
    let mut one = pyzmq.client(&served.endpoint, "DEALER", "bench").await;
    one.ok("add_sender", json!({ "sender": "python", "events": [] })).await;
    // The newer link takes the name over, whoever it is.
    let mut two = pyzmq.client(&served.endpoint, "DEALER", "bench").await;
    counted(&mut two, &served, 1).await;
    soon("the former one leaves", presence.recv()).await.unwrap().unwrap();
    two.ok("add_sender", json!({ "sender": "python", "events": [] })).await;
    two.kill().await;
    let left = soon("the newer one leaves", presence.recv()).await.unwrap().unwrap();
    assert_eq!(left.decode::<Presence>().unwrap().reason.as_deref(), Some("closed"));
    drop(one);
}
