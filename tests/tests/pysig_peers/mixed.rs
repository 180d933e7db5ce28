//! pysig clients and ours together on one port.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sig_router::Signal;
use sig_tests::pysig::{Flavour, Peer, Pysig};

use crate::support::{Serving, assert_nothing_heard, begin_trigger, listen, next_heard, next_plain, trigger};

/// Text of 1 byte to 3 KiB that tells one event from its neighbours.
fn text(n: usize) -> String {
    let size = n * 7_919 % 3_072 + 1;
    let mut text = format!("{n}/").repeat(size / 2 + 1);
    text.truncate(size);
    text
}

async fn flood(signal: &Signal, peer: &Peer, count: usize) {
    let began = Instant::now();
    let triggering = async {
        for n in 0..count {
            signal
                .trigger(&text(n))
                .await
                .unwrap_or_else(|error| panic!("event {n}: {error}"));
        }
    };
    let hearing = async {
        for n in 0..count {
            assert_eq!(next_heard(peer).await.3, text(n), "event {n}");
        }
    };
    tokio::join!(triggering, hearing);
    let rate = count as f64 / began.elapsed().as_secs_f64();
    println!("{count} events, {rate:.0} a second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_of_a_sender_of_ours_reach_a_pysig_listener() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let sender = server.router.add_sender("s").event("e").connect().unwrap();
        let listener = server.pysig(&pysig).await;
        listen(&listener, "l", "s", "e").await;
        let count = if pysig.flavour() == Flavour::Py2 { 10_000 } else { 3_000 };
        flood(&sender.signal("e").unwrap(), &listener, count).await;
        assert_nothing_heard(&listener);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_remote_sender_of_ours_reach_a_pysig_listener() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let native = server.native();
        let sender = native.add_remote_sender("s").event("e").connect().await.unwrap();
        let listener = server.pysig(&pysig).await;
        listen(&listener, "l", "s", "e").await;
        flood(&sender.signal("e").unwrap(), &listener, 2_000).await;
        assert_nothing_heard(&listener);
    }
}

#[tokio::test]
async fn pysigs_trio_and_ours_hear_each_other() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let (native, old) = (server.native(), server.pysig(&pysig).await);
        let timer = server.router.add_sender("timer").event("tic").connect().unwrap();
        let another = native
            .add_remote_sender("another_timer")
            .event("tic")
            .connect()
            .await
            .unwrap();
        old.ok("add_remote_sender", json!({ "name": "old_timer", "events": ["tic"] }))
            .await;
        let (new_listener, old_listener) = (server.native(), server.pysig(&pysig).await);
        for sender in ["timer", "another_timer", "old_timer"] {
            listen(&old_listener, sender, sender, "tic").await;
        }
        let mut heard = Vec::new();
        for topic in ["timer/tic", "another_timer/tic", "old_timer/tic"] {
            heard.push((topic, new_listener.listen_remote(topic).await.unwrap()));
        }
        for n in 0..10 {
            timer.signal("tic").unwrap().trigger(&n).await.unwrap();
            another.signal("tic").unwrap().trigger(&n).await.unwrap();
            begin_trigger(&old, "old_timer", "tic", json!(n)).await;
            let mut ids = Vec::new();
            for _ in 0..3 {
                let (id, sender, _, data) = next_heard(&old_listener).await;
                assert_eq!((&id, data), (&sender, json!(n)));
                ids.push(id);
            }
            ids.sort();
            assert_eq!(ids, ["another_timer", "old_timer", "timer"]);
            for (topic, stream) in &mut heard {
                assert_eq!(next_plain(stream).await, ((*topic).to_owned(), json!(n)));
            }
        }
        let mut dialects: Vec<_> = server
            .router
            .clients()
            .into_iter()
            .map(|client| client.dialect)
            .collect();
        dialects.sort_unstable();
        assert_eq!(dialects, ["pysig", "pysig", "sig/1", "sig/1"]);
    }
}

#[tokio::test]
async fn a_slow_pysig_listener_costs_the_others_no_event() {
    let Some(pysig) = Pysig::available() else { return };
    let server = Serving::start();
    let native = server.native();
    let mut heard = native.listen_remote("s/e").await.unwrap();
    let slow = server.pysig(&pysig).await;
    let listener = json!({ "id": "slow", "sender": "s", "event": "e", "sleep": 0.02 });
    slow.ok("add_remote_listener", listener).await;
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let triggering = async {
        for n in 0..500 {
            signal.trigger(&n).await.unwrap();
        }
    };
    let hearing = async {
        for n in 0..500 {
            assert_eq!(next_plain(&mut heard).await.1, n);
        }
    };
    let slowly = async {
        for n in 0..500 {
            assert_eq!(next_heard(&slow).await.3, n);
        }
    };
    tokio::join!(triggering, hearing, slowly);
}

#[tokio::test]
async fn a_pysig_listener_that_hangs_delays_the_others_once_and_loses_only_its_own() {
    let Some(pysig) = Pysig::available() else { return };
    let server = Serving::start();
    let (hanging, well) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
    // Longer than the ten seconds of patience (P46), once.
    let hang = json!({ "id": "hangs", "sender": "s", "event": "hang", "sleep": 12 });
    hanging.ok("add_remote_listener", hang).await;
    for peer in [&hanging, &well] {
        listen(peer, "l", "s", "e").await;
    }
    let sender = server
        .router
        .add_sender("s")
        .event("hang")
        .event("e")
        .connect()
        .unwrap();
    let signal = sender.signal("e").unwrap();
    let began = Instant::now();
    sender.signal("hang").unwrap().trigger(&Value::Null).await.unwrap();
    for n in 0..100 {
        signal.trigger(&n).await.unwrap();
        assert_eq!(next_heard(&well).await.3, n);
    }
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "the others waited {:?}",
        began.elapsed()
    );
    assert_eq!(next_heard(&hanging).await.0, "hangs");
    for n in 0..100 {
        assert_eq!(next_heard(&hanging).await.3, n);
    }
    assert_nothing_heard(&hanging);
    assert_eq!(server.router.clients().len(), 2);
}

#[tokio::test]
async fn a_pysig_sender_waits_for_a_listener_that_hangs_once() {
    let Some(pysig) = Pysig::available() else { return };
    let server = Serving::start();
    let (sender, hanging) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
    sender
        .ok("add_remote_sender", json!({ "name": "s", "events": ["hang", "e"] }))
        .await;
    let hang = json!({ "id": "hangs", "sender": "s", "event": "hang", "sleep": 15 });
    hanging.ok("add_remote_listener", hang).await;
    listen(&hanging, "l", "s", "e").await;
    let began = Instant::now();
    trigger(&sender, "s", "hang", Value::Null).await;
    sender
        .ok("trigger", json!({ "sender": "s", "event": "e", "count": 20 }))
        .await;
    // pysig's own server would take ten seconds for each.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(next_heard(&hanging).await.0, "hangs");
    for n in 0..20 {
        assert_eq!(next_heard(&hanging).await.3["n"], n);
    }
}
