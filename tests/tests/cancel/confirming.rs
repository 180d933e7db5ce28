//! Triggers that wait for a confirmation, dropped everywhere.

use std::time::Duration;

use sig_router::{Confirm, Confirmation, Event, RemoteEventStream, Signal, TriggerError};
use sig_tests::rig::soon;
use tokio::task::JoinHandle;

use super::{DroppedAfter, World};

/// How often an event is confirmed.
const TIMES: usize = 200;

/// Takes its time with each event, so that a confirmation is waited for; gives what it heard when it has the last one.
fn hear(mut stream: RemoteEventStream) -> JoinHandle<Vec<usize>> {
    tokio::spawn(async move {
        let mut heard = Vec::new();
        loop {
            let event = soon("an event", stream.recv()).await.unwrap().unwrap();
            assert_eq!(event.number(), heard.len() as u64 + 1, "the numbers have no gap");
            heard.push(event.decode::<usize>().unwrap());
            if heard.last() == Some(&TIMES) {
                return heard;
            }
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    })
}

/// Confirms one event after the other, each dropped at its first, second, third wait and so on; the last one is not. Gives
/// those that were not dropped.
async fn confirm_all(signal: &Signal, confirm: Confirm) -> Vec<(usize, Confirmation)> {
    let mut confirmed = Vec::new();
    for n in 0..=TIMES {
        let polls = if n == TIMES { usize::MAX } else { n % 5 };
        let future = Some(Box::pin(signal.trigger_confirmed(&n, confirm).into_future()));
        let result: Option<Result<_, TriggerError>> = soon("confirming", DroppedAfter { future, polls }).await;
        confirmed.extend(result.map(|result| (n, result.unwrap())));
    }
    confirmed
}

/// What was dropped was triggered or not, never by halves; what was confirmed has come; and afterwards all is as before.
async fn check(world: &World, signal: &Signal, confirm: Confirm) {
    let topic = "confirmed/e";
    let stream = world.client.listen_remote(topic).await.unwrap();
    let other = world.server.client();
    let _function = other.add_remote_listener(topic, |_: &Event<'_>| {}).await.unwrap();
    let hearing = hear(stream);
    let confirmed = confirm_all(signal, confirm).await;
    let heard = soon("the last one", hearing).await.unwrap();
    assert!(heard.is_sorted(), "{heard:?}");
    // The first polls drop some of them before they are triggered at all.
    assert!(heard.len() < TIMES && heard.len() > TIMES / 2, "{} came", heard.len());
    assert!(confirmed.len() <= heard.len(), "{} were confirmed", confirmed.len());
    let both = |confirmation: &Confirmation| match confirm {
        Confirm::Delivered => confirmation.delivered == 2,
        _ => confirmation.accepted == 2,
    };
    for (n, confirmation) in &confirmed {
        assert!(heard.contains(n), "{n} was confirmed and did not come");
        assert!(
            confirmation.is_complete() && both(confirmation),
            "{n}: {confirmation:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_a_confirmation_that_is_given_up_does_nothing_by_halves() {
    for confirm in [Confirm::Delivered, Confirm::Accepted] {
        let world = World::new().await;
        let publisher = world.server.client();
        let sender = publisher.add_remote_sender("confirmed").event("e");
        let sender = sender.connect().await.unwrap();
        check(&world, &sender.signal("e").unwrap(), confirm).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_nor_does_one_at_the_server() {
    for confirm in [Confirm::Delivered, Confirm::Accepted] {
        let world = World::new().await;
        let sender = world.server.router.add_sender("confirmed").event("e");
        let sender = sender.connect().unwrap();
        check(&world, &sender.signal("e").unwrap(), confirm).await;
        world.end().await;
    }
}
