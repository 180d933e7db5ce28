//! In one process: who counts as what.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures::FutureExt as _;
use sig_router::{Confirm, Event, Listen, Policy, Router, Sender, Signal, TriggerError};
use sig_tests::rig::soon;
use tokio::time::Instant;

use crate::world::{FAR, counts};

fn sender(router: &Router) -> (Sender, Signal) {
    let sender = router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    (sender, signal)
}

#[tokio::test]
async fn every_listener_is_counted_and_functions_on_the_spot_are_delivered() {
    let router = Router::new();
    let (_sender, signal) = sender(&router);
    let calls = Arc::new(AtomicU64::new(0));
    let listeners: Vec<_> = ["s/e", "s", "*"]
        .map(|topic| {
            let calls = calls.clone();
            let count = move |_: &Event<'_>| {
                calls.fetch_add(1, Ordering::SeqCst);
            };
            router.add_listener(topic, count).unwrap()
        })
        .into();
    let mut streams = [router.listen("s/e").unwrap(), router.listen("*").unwrap()];

    let accepted = soon("accepted", signal.trigger_confirmed(&1, Confirm::Accepted))
        .await
        .unwrap();
    assert_eq!((counts(accepted), accepted.is_complete()), ([5, 3, 0, 0], true));
    assert_eq!(calls.load(Ordering::SeqCst), 3);

    // Those that were only accepted are there all the same, in front of the next.
    for stream in &mut streams {
        assert_eq!(stream.recv().await.unwrap().unwrap().number(), 1);
    }
    let confirming = signal.trigger_confirmed(&2, Confirm::Delivered).timeout(FAR);
    let mut confirming = confirming.into_future();
    for stream in &mut streams {
        assert!((&mut confirming).now_or_never().is_none(), "a stream still has it");
        assert_eq!(stream.recv().await.unwrap().unwrap().number(), 2);
    }
    let delivered = soon("delivered", confirming).await.unwrap();
    assert_eq!((counts(delivered), delivered.is_complete()), ([5, 5, 0, 0], true));
    drop(listeners);
}

#[tokio::test]
async fn without_listeners_all_is_done_at_once() {
    let router = Router::new();
    let (_sender, signal) = sender(&router);
    for confirm in [Confirm::Accepted, Confirm::Delivered] {
        let nobody = signal.trigger_confirmed(&1, confirm).into_future().now_or_never();
        let nobody = nobody.expect("nobody to wait for").unwrap();
        assert_eq!((counts(nobody), nobody.is_complete()), ([0; 4], true));
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_counts_are_as_far_as_they_are_known() {
    let router = Router::new();
    let (_sender, signal) = sender(&router);
    let _called = router.add_listener("s/e", |_: &Event<'_>| {}).unwrap();
    let _stuck = router.listen("s/e").unwrap();
    for (timeout, after) in [(None, 10_000), (Some(1500), 1500)] {
        let began = Instant::now();
        let mut confirming = signal.trigger_confirmed(&1, Confirm::Delivered);
        if let Some(timeout) = timeout {
            confirming = confirming.timeout(Duration::from_millis(timeout));
        }
        let confirmation = confirming.await.unwrap();
        assert_eq!(
            (counts(confirmation), confirmation.is_complete()),
            ([2, 1, 0, 1], false)
        );
        let (took, after) = (began.elapsed(), Duration::from_millis(after));
        assert!(took >= after && took < after + Duration::from_millis(50), "{took:?}");
    }
}

#[tokio::test]
async fn a_function_that_panics_has_lost_the_event_and_costs_the_others_nothing() {
    let router = Router::new();
    let (_sender, signal) = sender(&router);
    let _calm = router.add_listener("s/e", |_: &Event<'_>| {}).unwrap();
    let _panics = router.add_listener("s/e", |_: &Event<'_>| panic!("ouch")).unwrap();
    let _after = router.add_listener("s/e", |_: &Event<'_>| {}).unwrap();
    for confirm in [Confirm::Accepted, Confirm::Delivered] {
        let confirmation = soon("counts", signal.trigger_confirmed(&1, confirm)).await.unwrap();
        assert_eq!(
            (counts(confirmation), confirmation.is_complete()),
            ([2, 2, 1, 0], false)
        );
    }
}

#[tokio::test]
async fn what_a_policy_drops_is_lost() {
    let router = Router::new();
    let (_sender, signal) = sender(&router);
    let mut oldest = router
        .listen(Listen::to("s/e").unwrap().policy(Policy::DropOldest(2)))
        .unwrap();
    let triggers = futures::future::join_all((1..=3).map(|number| {
        let signal = signal.clone();
        async move {
            let confirming = signal.trigger_confirmed(&number, Confirm::Delivered).timeout(FAR);
            counts(confirming.await.unwrap())
        }
    }));
    let take = async {
        // After all three were triggered.
        tokio::task::yield_now().await;
        while oldest.recv().await.unwrap().is_err() {}
        oldest.recv().await.unwrap().unwrap()
    };
    let (confirmed, last) = soon("two deliveries", futures::future::join(triggers, take)).await;
    assert_eq!(last.number(), 3);
    // The first one had a place in the queue, for a while.
    assert_eq!(confirmed, [[1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]]);
    drop(oldest);

    let newest = router
        .listen(Listen::to("s/e").unwrap().policy(Policy::DropNewest(1)))
        .unwrap();
    signal.trigger(&4).await.unwrap();
    for confirm in [Confirm::Accepted, Confirm::Delivered] {
        let confirmation = soon("no room", signal.trigger_confirmed(&5, confirm)).await.unwrap();
        assert_eq!(counts(confirmation), [0, 0, 1, 0]);
    }
    drop(newest);
}

#[tokio::test]
async fn a_listener_that_leaves_has_lost_what_waits_for_it() {
    let router = Router::new();
    let (_sender, signal) = sender(&router);
    let stream = router.listen("s/e").unwrap();
    let mut confirming = signal
        .trigger_confirmed(&1, Confirm::Delivered)
        .timeout(FAR)
        .into_future();
    assert!((&mut confirming).now_or_never().is_none());
    drop(stream);
    let confirmation = soon("the end of the wait", confirming).await.unwrap();
    assert_eq!(counts(confirmation), [1, 0, 1, 0]);
}

#[tokio::test]
async fn cancel_safety_a_dropped_future_leaves_the_event_where_it_is() {
    let router = Router::new();
    let (_sender, signal) = sender(&router);
    let mut stream = router.listen("s/e").unwrap();
    // Never polled: not triggered.
    drop(signal.trigger_confirmed(&1, Confirm::Delivered));
    drop(signal.trigger_confirmed(&1, Confirm::Delivered).into_future());
    // Polled once: triggered.
    assert!(
        signal
            .trigger_confirmed(&2, Confirm::Delivered)
            .into_future()
            .now_or_never()
            .is_none()
    );
    let event = soon("the event", stream.recv()).await.unwrap().unwrap();
    assert_eq!((event.number(), event.decode::<u32>().unwrap()), (1, 2));
    assert!(stream.recv().now_or_never().is_none());
}

#[test]
fn without_a_runtime_nothing_is_triggered() {
    let router = Router::new();
    let (_sender, signal) = sender(&router);
    let (tell, told) = mpsc::sync_channel(1);
    let _listener = router
        .add_listener("s/e", move |event: &Event<'_>| tell.send(event.number()).unwrap())
        .unwrap();
    let confirming = signal.trigger_confirmed(&1, Confirm::Accepted).into_future();
    let refused = confirming.now_or_never().expect("it does not wait");
    assert!(matches!(refused, Err(TriggerError::NoRuntime)), "{refused:?}");
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn without_room_up_to_the_deadline_nothing_is_triggered() {
    let router = Router::new();
    let (_sender, signal) = sender(&router);
    let topic = Listen::to("s/e").unwrap().policy(Policy::Block(FAR)).capacity(2);
    let mut stream = router.listen(topic).unwrap();
    for number in 1..=2 {
        signal.trigger(&number).await.unwrap();
    }
    let confirming = signal
        .trigger_confirmed(&3, Confirm::Accepted)
        .timeout(Duration::from_millis(50));
    let refused = soon("an answer", confirming).await;
    assert!(matches!(refused, Err(TriggerError::Busy { .. })), "{refused:?}");
    for number in 1..=2 {
        assert_eq!(stream.recv().await.unwrap().unwrap().number(), number);
    }
    let confirming = signal.trigger_confirmed(&4, Confirm::Accepted);
    assert_eq!(counts(soon("room", confirming).await.unwrap()), [1, 0, 0, 0]);
    assert_eq!(
        stream.recv().await.unwrap().unwrap().number(),
        3,
        "no number was used up"
    );
}

#[tokio::test]
async fn a_function_may_confirm_what_it_triggers() {
    let router = Router::new();
    let (_sender, signal) = sender(&router);
    let other = router.add_sender("t").event("e").connect().unwrap();
    let _inner = router.add_listener("t/e", |_: &Event<'_>| {}).unwrap();
    let inner = other.signal("e").unwrap();
    let (tell, told) = mpsc::sync_channel(1);
    let _outer = router
        .add_listener("s/e", move |_: &Event<'_>| {
            let confirmed = inner
                .trigger_confirmed(&1, Confirm::Delivered)
                .into_future()
                .now_or_never();
            tell.send(confirmed.unwrap().unwrap()).unwrap();
        })
        .unwrap();
    let confirmation = soon("both", signal.trigger_confirmed(&1, Confirm::Delivered))
        .await
        .unwrap();
    assert_eq!(counts(confirmation), [1, 1, 0, 0]);
    assert_eq!(counts(told.try_recv().unwrap()), [1, 1, 0, 0]);
}
