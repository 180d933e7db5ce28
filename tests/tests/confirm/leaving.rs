//! Whoever leaves before it has dealt with an event has lost it, and is waited for no longer.

use std::time::Duration;

use futures::FutureExt as _;
use sig_router::{Confirm, Event, Offline, SenderState, TriggerError};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{becomes, client_of, connected, holds, soon};

use crate::world::{FAR, World, counts, sender};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_gone_has_lost_it() {
    for world in World::each() {
        for how in ["killed", "kicked", "closed"] {
            let (here, there) = (world.client(), world.client());
            let (sender, signal) = sender(&here).await;
            let mut stuck = there.listen_remote("s/e").await.unwrap();
            let confirming = signal
                .trigger_confirmed(&1, Confirm::Delivered)
                .timeout(FAR)
                .into_future();
            let end = async {
                // It lies there, and nobody takes it.
                holds("the event to arrive", || !stuck.is_empty()).await;
                match how {
                    // Its tasks end at once, and nothing is said.
                    "killed" => drop(there),
                    "kicked" => {
                        let clients = world.server.clients();
                        let listening = clients.iter().find(|client| client.listeners > 0).unwrap();
                        assert!(world.server.kick(listening.id, "a test"));
                    }
                    _ => drop(there.close(Duration::from_secs(1)).await),
                }
            };
            let (confirmation, ()) = soon(how, futures::future::join(confirming, end)).await;
            assert_eq!(counts(confirmation.unwrap()), [1, 0, 1, 0], "{}: {how}", world.name);
            assert!(stuck.recv().now_or_never().is_some());
            drop(stuck);
            sender.remove().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_dropped_elsewhere_has_lost_it() {
    for world in World::each() {
        let (here, there) = (world.client(), world.client());
        let (_sender, signal) = sender(&here).await;
        let stuck = there.listen_remote("s/e").await.unwrap();
        let confirming = signal
            .trigger_confirmed(&1, Confirm::Delivered)
            .timeout(FAR)
            .into_future();
        let end = async {
            holds("the event to arrive", || !stuck.is_empty()).await;
            drop(stuck);
        };
        let (confirmation, ()) = soon("the end of the wait", futures::future::join(confirming, end)).await;
        assert_eq!(counts(confirmation.unwrap()), [1, 0, 1, 0], "{}", world.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_link_a_sender_loses_what_it_waits_for() {
    let world = World::tcp();
    let proxy = Proxy::to(world.address()).await;
    let (here, there) = (client_of(&proxy.address.to_string()), world.client());
    let (_sender, signal) = sender(&here).await;
    let _near = here.local().add_listener("s/e", |_: &Event<'_>| {}).unwrap();
    let mut stuck = there.listen_remote("s/e").await.unwrap();
    let confirming = signal
        .trigger_confirmed(&1, Confirm::Delivered)
        .timeout(FAR)
        .into_future();
    let cut = async {
        holds("the event to arrive", || !stuck.is_empty()).await;
        proxy.set(Cable::Cut);
    };
    let (confirmation, ()) = soon("the end of the wait", futures::future::join(confirming, cut)).await;
    // What became of it at the other end is not known, and will never be told.
    assert_eq!(counts(confirmation.unwrap()), [1, 1, 1, 0]);
    assert!(stuck.recv().await.unwrap().is_ok());

    // Without a link it is as with every trigger.
    let confirming = signal.trigger_confirmed(&2, Confirm::Delivered);
    let refused = soon("an answer", confirming.timeout(Duration::from_millis(100))).await;
    assert!(matches!(refused, Err(TriggerError::Offline { .. })), "{refused:?}");

    proxy.set(Cable::Whole);
    connected(&here).await;
    let confirming = signal.trigger_confirmed(&3, Confirm::Accepted);
    assert_eq!(counts(soon("accepted", confirming).await.unwrap()), [2, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_without_a_link_is_confirmed_when_it_has_gone() {
    let world = World::tcp();
    let proxy = Proxy::to(world.address()).await;
    let (here, there) = (client_of(&proxy.address.to_string()), world.client());
    let sender = here.add_remote_sender("s").event("e").offline(Offline::Buffer(2));
    let sender = sender.connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = there.listen_remote("s/e").await.unwrap();
    proxy.set(Cable::Cut);
    becomes(sender.states(), |state| *state == SenderState::Pending).await;
    let mut confirming: Vec<_> = (1..=3)
        .map(|number| {
            let signal = signal.clone();
            let confirming = async move { signal.trigger_confirmed(&number, Confirm::Delivered).timeout(FAR).await };
            let mut confirming = confirming.boxed();
            let early = (&mut confirming).now_or_never();
            assert!(early.is_none(), "{early:?}");
            confirming
        })
        .collect();
    // There is room for two.
    let first = confirming
        .remove(0)
        .now_or_never()
        .expect("it had to make room")
        .unwrap();
    assert_eq!(counts(first), [0, 0, 1, 0]);
    proxy.set(Cable::Whole);
    let taking = async {
        let mut numbers = Vec::new();
        while numbers.len() < 2 {
            if let Ok(event) = stream.recv().await.unwrap() {
                numbers.push(event.number());
            }
        }
        numbers
    };
    let (confirmed, numbers) = soon(
        "both",
        futures::future::join(futures::future::join_all(confirming), taking),
    )
    .await;
    assert_eq!(numbers, [2, 3]);
    let confirmed: Vec<_> = confirmed
        .into_iter()
        .map(|confirmation| counts(confirmation.unwrap()))
        .collect();
    assert_eq!(confirmed, [[1, 1, 0, 0]; 2]);
}
