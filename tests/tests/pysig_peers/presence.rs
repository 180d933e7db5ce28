//! Who hears what of whom, and in which order: pysig clients on our server.

use serde_json::{Value, json};
use sig_router::Presence;
use sig_tests::pysig::Pysig;

use crate::support::{
    Events as _, Serving, assert_nothing_heard, disconnect, listen, next_call, next_heard, next_plain, soon, trigger,
};

#[tokio::test]
async fn p54_all_four_kinds_hear_senders_anywhere_in_pysigs_order() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let listener = server.pysig(&pysig).await;
        // Registered against the order of delivery (P3), which does not depend on it.
        listen(&listener, "specific", "timer", "#tick").await;
        listen(&listener, "channel", None, "#tick").await;
        listen(&listener, "sender", "timer", None).await;
        listen(&listener, "router", None, None).await;
        listen(&listener, "presence", None, "#connect").await;

        // The server's own sender, a native client's and another pysig client's.
        let (native, other) = (server.native(), server.pysig(&pysig).await);
        for place in ["here", "native", "pysig"] {
            let events = [
                "router: timer/#connect",
                "sender: timer/#connect",
                "presence: timer/#connect",
            ];
            let ticks = [
                "router: timer/#tick",
                "sender: timer/#tick",
                "channel: timer/#tick",
                "specific: timer/#tick",
            ];
            match place {
                "here" => {
                    let sender = server.router.add_sender("timer").event("#tick").connect().unwrap();
                    sender.signal("#tick").unwrap().trigger(&1).await.unwrap();
                }
                "native" => {
                    let sender = native
                        .add_remote_sender("timer")
                        .event("#tick")
                        .connect()
                        .await
                        .unwrap();
                    sender.signal("#tick").unwrap().trigger(&1).await.unwrap();
                    sender.remove().await;
                }
                _ => {
                    other
                        .ok("add_remote_sender", json!({ "name": "timer", "events": ["#tick"] }))
                        .await;
                    trigger(&other, "timer", "#tick", json!(1)).await;
                    other.kill().await;
                }
            }
            for expected in events.iter().chain(&ticks) {
                assert_eq!(next_call(&listener).await, *expected, "{place}");
            }
            for expected in ["router: timer/#disconnect", "sender: timer/#disconnect"] {
                assert_eq!(next_call(&listener).await, expected, "{place}");
            }
        }
        assert_nothing_heard(&listener);
    }
}

#[tokio::test]
async fn p22_connect_tells_pysig_listeners_events_and_methods() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let listener = server.pysig(&pysig).await;
        listen(&listener, "l", "s", None).await;
        let sender = server
            .router
            .add_sender("s")
            .event("a")
            .event("#b")
            .request("m", |_| Ok(()))
            .default_request(|_| Ok(()))
            .connect()
            .unwrap();
        sender.remove();
        for event in ["#connect", "#disconnect"] {
            let (_, _, name, data) = next_heard(&listener).await;
            assert_eq!(name, event);
            let mut events: Vec<_> = data["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event.as_str().unwrap())
                .collect();
            events.sort_unstable();
            assert_eq!(events, ["#b", "#connect", "#disconnect", "a"]);
            let mut methods = data["requests"].as_array().unwrap().clone();
            methods.sort_by_key(Value::to_string);
            assert_eq!(methods, [json!("m"), Value::Null]);
        }
        let _plain = server.router.add_sender("s").event("a").connect().unwrap();
        assert_eq!(next_heard(&listener).await.3["requests"], Value::Null);
    }
}

#[tokio::test]
async fn p23_a_pysig_sender_leaves_with_its_payload_and_a_reason() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let native = server.native();
        let mut presence = native.listen_remote("c").await.unwrap();
        let client = server.pysig(&pysig).await;
        let sender = json!({ "name": "c", "events": ["e"], "requests": ["echo"] });
        client.ok("add_remote_sender", sender).await;
        let connected: Presence = presence.next_event().await.decode().unwrap();
        assert_eq!(connected.carrier, "tcp");
        client.kill().await;
        let left = presence.next_event().await;
        assert_eq!(left.name().as_str(), "#disconnect");
        let left: Presence = left.decode().unwrap();
        assert!(
            matches!(left.reason.as_deref(), Some("closed" | "link_lost")),
            "{left:?}"
        );
        assert_eq!(
            (left.events, left.requests, left.generation),
            (connected.events, connected.requests, connected.generation)
        );
    }
}

#[tokio::test]
async fn p59_a_client_that_leaves_takes_its_listeners_first() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let leaver = server.pysig(&pysig).await;
        listen(&leaver, "own", None, None).await;
        leaver
            .ok("add_remote_sender", json!({ "name": "a", "events": ["e"] }))
            .await;
        leaver
            .ok("add_remote_sender", json!({ "name": "b", "events": ["e"] }))
            .await;
        let stays = server.pysig(&pysig).await;
        listen(&stays, "gone", None, "#disconnect").await;
        listen(&stays, "e", "a", "e").await;
        let mut here = server.router.listen("#disconnect").unwrap();
        drop(leaver.take_events());

        disconnect(&leaver).await;
        let mut left = [next_call(&stays).await, next_call(&stays).await];
        left.sort();
        assert_eq!(left, ["gone: a/#disconnect", "gone: b/#disconnect"]);
        let mut left = [here.next_event().await, here.next_event().await].map(|event| event.sender().to_string());
        left.sort();
        assert_eq!(left, ["a", "b"]);
        assert_nothing_heard(&leaver);
        assert_eq!(server.router.clients().len(), 1);

        // Listeners of others outlive the sender and resume with the next of that name.
        let next = server.pysig(&pysig).await;
        next.ok("add_remote_sender", json!({ "name": "a", "events": ["e"] }))
            .await;
        trigger(&next, "a", "e", json!("again")).await;
        assert_eq!(next_heard(&stays).await.3, "again");
    }
}

#[tokio::test]
async fn p60_every_registration_gets_its_copy() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let sender = server
            .router
            .add_sender("s")
            .event("e")
            .event("fence")
            .connect()
            .unwrap();
        let (one, two) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
        for peer in [&one, &two] {
            listen(peer, "x", "s", "e").await;
            listen(peer, "x", "s", "e").await;
            listen(peer, "y", "s", "e").await;
            listen(peer, "fence", "s", "fence").await;
        }
        sender.signal("e").unwrap().trigger(&7).await.unwrap();
        sender.signal("fence").unwrap().trigger(&8).await.unwrap();
        for peer in [&one, &two] {
            for id in ["x", "x", "y"] {
                assert_eq!(
                    next_heard(peer).await,
                    (id.to_owned(), "s".to_owned(), "e".to_owned(), json!(7))
                );
            }
            assert_eq!(next_heard(peer).await.3, 8);
            assert_nothing_heard(peer);
        }
    }
}

#[tokio::test]
async fn p63_a_pysig_trigger_returns_when_its_listeners_have_run() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let (sender, listener) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
        sender
            .ok("add_remote_sender", json!({ "name": "s", "events": ["e"] }))
            .await;
        let slow = json!({ "id": "slow", "sender": "s", "event": "e", "sleep": 1 });
        listener.ok("add_remote_listener", slow).await;
        listen(&listener, "last", "s", "e").await;
        let mut here = server.router.listen("s/e").unwrap();
        let pending = sender
            .start("trigger", json!({ "sender": "s", "event": "e", "data": 1 }))
            .await;
        // The stream took it, the slow listener runs, and the one behind it has not been called yet.
        assert_eq!(next_plain(&mut here).await.1, 1);
        assert_eq!(next_call(&listener).await, "slow: s/e");
        soon("the trigger to return", pending.answer()).await.unwrap();
        // What the process said before it answers this was said before the trigger returned.
        listener.ok("is_connected", json!({})).await;
        let heard = listener.take_events();
        assert!(
            heard.iter().any(|line| line["listener"] == "last"),
            "the trigger returned before: {heard:?}"
        );
    }
}

#[tokio::test]
async fn p68_a_listener_that_raises_does_not_stop_the_others() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let sender = server.router.add_sender("s").event("e").connect().unwrap();
        let client = server.pysig(&pysig).await;
        let raising = json!({ "id": "raises", "sender": "s", "event": "e", "raise": "ouch" });
        client.ok("add_remote_listener", raising).await;
        listen(&client, "calm", "s", "e").await;
        for n in 0..3 {
            sender.signal("e").unwrap().trigger(&n).await.unwrap();
        }
        for n in 0..3 {
            for id in ["raises", "calm"] {
                let heard = next_heard(&client).await;
                assert_eq!((heard.0.as_str(), heard.3), (id, json!(n)));
            }
        }
        assert_eq!(server.router.clients().len(), 1, "the client stays");
    }
}
