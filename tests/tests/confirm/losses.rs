//! What a policy drops on its way is lost, wherever that is.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sig_router::{Confirm, Confirmation, Listen, Policy, ServerRouter, Signal, TriggerError};
use sig_tests::rig::{client_of, holds, soon};
use sig_tests::valve::Valve;

use crate::world::{FAR, World, counts, sender};

/// A confirmed trigger that has begun.
fn begin(signal: &Signal, data: String) -> BoxFuture<'static, Result<Confirmation, TriggerError>> {
    let signal = signal.clone();
    let mut confirming = async move { signal.trigger_confirmed(&data, Confirm::Delivered).timeout(FAR).await }.boxed();
    match (&mut confirming).now_or_never() {
        Some(done) => futures::future::ready(done).boxed(),
        None => confirming,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_listener_elsewhere_drops_is_lost() {
    for world in World::each() {
        let (here, there) = (world.client(), world.client());
        let (_sender, signal) = sender(&here).await;
        let topic = Listen::to("s/e").unwrap().policy(Policy::DropOldest(1));
        let mut stream = there.listen_remote(topic).await.unwrap();
        let first = begin(&signal, "first".into());
        holds("the first to arrive", || stream.len() == 1).await;
        let second = begin(&signal, "second".into());
        assert_eq!(
            counts(soon("the loss", first).await.unwrap()),
            [1, 0, 1, 0],
            "{}",
            world.name
        );
        while soon("the second", stream.recv()).await.unwrap().is_err() {}
        assert_eq!(
            counts(soon("its delivery", second).await.unwrap()),
            [1, 1, 0, 0],
            "{}",
            world.name
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_in_front_of_a_link_is_lost_at_once() {
    let server = ServerRouter::new().unwrap();
    let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = listener.medium().local_addr().to_string();
    let valve = Valve::around(listener);
    server.attach(Arc::clone(&valve) as _);
    let client = client_of(&address);
    let sender = server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let topic = Listen::to("s/e").unwrap().policy(Policy::DropOldest(2));
    let mut stream = client.listen_remote(topic).await.unwrap();

    valve.close();
    // So much goes without a policy having a say.
    let large = "x".repeat(40_000);
    signal.trigger(&large).await.unwrap();
    signal.trigger(&large).await.unwrap();
    let mut confirming: Vec<_> = (3..=6).map(|number| begin(&signal, number.to_string())).collect();
    let kept = confirming.split_off(2);
    for confirming in confirming {
        let confirmation = confirming.now_or_never().expect("it was dropped").unwrap();
        assert_eq!(counts(confirmation), [1, 0, 1, 0]);
    }
    valve.let_out(1000);
    let taking = async {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&6) {
            numbers.extend(stream.recv().await.unwrap().ok().map(|event| event.number()));
        }
        numbers
    };
    let (kept, numbers) = soon(
        "the rest",
        futures::future::join(futures::future::join_all(kept), taking),
    )
    .await;
    assert!(numbers.ends_with(&[5, 6]), "{numbers:?}");
    for confirmation in kept {
        assert_eq!(counts(confirmation.unwrap()), [1, 1, 0, 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latest_delivers_the_newest_and_has_lost_those_before() {
    let world = World::local();
    let (here, there) = (world.client(), world.client());
    let (_sender, signal) = sender(&here).await;
    let topic = Listen::to("s/e").unwrap().policy(Policy::Latest);
    let mut stream = there.listen_remote(topic).await.unwrap();
    let first = begin(&signal, "first".into());
    holds("the first to arrive", || stream.len() == 1).await;
    let second = begin(&signal, "second".into());
    assert_eq!(counts(soon("it is left out", first).await.unwrap()), [1, 0, 1, 0]);
    let event = soon("the second", stream.recv()).await.unwrap().unwrap();
    assert_eq!((event.number(), event.skipped()), (2, 1));
    assert_eq!(counts(soon("its delivery", second).await.unwrap()), [1, 1, 0, 0]);
}
