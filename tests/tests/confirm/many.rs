//! Many of them leave nothing behind.

use futures::stream::StreamExt as _;
use sig_router::{Confirm, Event};
use sig_tests::rig::soon;

use crate::world::{FAR, World, counts, sender};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_in_turn_are_all_confirmed() {
    let world = World::local();
    let (here, there) = (world.client(), world.client());
    let (_sender, signal) = sender(&here).await;
    let _listener = there.add_remote_listener("s/e", |_: &Event<'_>| {}).await.unwrap();
    for number in 1..=10_000 {
        let confirming = signal.trigger_confirmed(&number, Confirm::Delivered);
        assert_eq!(counts(soon("delivered", confirming).await.unwrap()), [1, 1, 0, 0]);
    }
}

/// More than a link lets wait for their answers, and than a router keeps tallies of at a time: were one of them left
/// behind each time, the last ones could not be confirmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmations_leave_nothing_behind() {
    const EVENTS: u64 = 70_000;
    let world = World::tcp();
    let (here, there) = (world.client(), world.client());
    let (_sender, signal) = sender(&here).await;
    let _listener = there.add_remote_listener("s/e", |_: &Event<'_>| {}).await.unwrap();
    let confirmed = futures::stream::iter(1..=EVENTS)
        .map(|number| {
            let signal = &signal;
            async move {
                let confirming = signal.trigger_confirmed(&number, Confirm::Delivered).timeout(FAR);
                assert_eq!(
                    counts(soon("delivered", confirming).await.unwrap()),
                    [1, 1, 0, 0],
                    "{number}"
                );
            }
        })
        .buffer_unordered(512)
        .count()
        .await;
    assert_eq!(confirmed as u64, EVENTS);
}
