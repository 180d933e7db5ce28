//! Queues that are full: who waits, for how long, and what is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::FutureExt as _;

use super::{FOR_EVER, drain, router, sender, settings, stream};
use crate::clock;
use crate::hub::First;
use crate::listener::EventStream;
use crate::pressure::{Gate, GivenUp, Marks, Pressure};
use crate::queue::ListenerQueue;
use crate::{Event, TriggerError};

#[test]
fn w3_a_stuck_stream_costs_the_others_its_patience_once() {
    const PATIENCE: Duration = Duration::from_millis(100);
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let mut stuck = stream(&hub, "S/e", PATIENCE);
    let heard = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&heard);
    let _healthy = router
        .add_listener("S/e", move |_: &Event<'_>| {
            counter.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();

    let began = Instant::now();
    (0..100).for_each(|_| signal.blocking_trigger(&()).unwrap());
    let took = began.elapsed();
    assert_eq!(heard.load(Ordering::Relaxed), 100);
    assert!(took >= PATIENCE, "it was waited for: {took:?}");
    assert!(took < 20 * PATIENCE, "once, not for each of the 96 events: {took:?}");
    assert_eq!(drain(&mut stuck), [Ok(1), Ok(2), Ok(3), Ok(4), Err(96)]);
}

#[tokio::test]
async fn w3_the_same_for_a_trigger_that_is_awaited() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let mut stuck = stream(&hub, "S/e", Duration::from_millis(50));
    for _ in 0..10 {
        signal.trigger(&()).await.unwrap();
    }
    assert_eq!(drain(&mut stuck), [Ok(1), Ok(2), Ok(3), Ok(4), Err(6)]);
}

#[test]
fn w3_who_never_waits_is_not_shut_out_for_ever() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let mut stuck = stream(&hub, "S/e", Duration::ZERO);
    let mut other = router.listen("S/e").unwrap();
    for _ in 0..10 {
        signal.try_trigger(&()).unwrap();
    }
    assert_eq!(drain(&mut other).len(), 10);
    assert_eq!(drain(&mut stuck), [Ok(1), Ok(2), Ok(3), Ok(4), Err(6)]);

    // A new episode: it is whole again, and what it loses is counted anew.
    for _ in 0..5 {
        signal.try_trigger(&()).unwrap();
    }
    assert_eq!(drain(&mut stuck), [Ok(11), Ok(12), Ok(13), Ok(14), Err(1)]);
}

#[test]
fn a_trigger_that_is_refused_is_nobodys_and_costs_no_number() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let mut full = stream(&hub, "S/e", FOR_EVER);
    let mut other = router.listen("S/e").unwrap();
    (0..4).for_each(|_| signal.try_trigger(&()).unwrap());
    for _ in 0..3 {
        assert!(matches!(signal.try_trigger(&()), Err(TriggerError::Busy { .. })));
    }
    // Without a runtime there is no waiting either.
    let refused = signal.trigger(&()).now_or_never().unwrap();
    assert!(matches!(refused, Err(TriggerError::NoRuntime)));

    let four = [Ok(1), Ok(2), Ok(3), Ok(4)];
    assert_eq!((drain(&mut full), drain(&mut other)), (four.to_vec(), four.to_vec()));
    signal.try_trigger(&()).unwrap();
    assert_eq!((drain(&mut full), drain(&mut other)), (vec![Ok(5)], vec![Ok(5)]));
}

#[test]
fn a_full_stream_holds_up_its_own_sender_and_no_other() {
    let (hub, router) = router();
    let ((_s, s), (_t, t)) = (sender(&router, "S"), sender(&router, "T"));
    let full = stream(&hub, "S/e", FOR_EVER);
    while s.try_trigger(&()).is_ok() {}
    (0..100).for_each(|_| t.try_trigger(&()).unwrap());
    drop(full);
    s.try_trigger(&()).unwrap();
}

#[test]
fn a_slow_stream_loses_nothing() {
    const EVENTS: u64 = 500;
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let mut slow = stream(&hub, "S/e", FOR_EVER);
    let consumer = thread::spawn(move || {
        let next = |_| {
            thread::yield_now();
            futures::executor::block_on(slow.recv()).unwrap().unwrap().number()
        };
        (0..EVENTS).map(next).eq(1..=EVENTS)
    });
    for _ in 0..EVENTS {
        signal.blocking_trigger(&()).unwrap();
    }
    assert!(consumer.join().unwrap());
}

#[tokio::test]
async fn a_blocking_trigger_works_inside_a_runtime() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let mut slow = stream(&hub, "S/e", FOR_EVER);
    let consumer = thread::spawn(move || (0..50).all(|_| futures::executor::block_on(slow.recv()).unwrap().is_ok()));
    for _ in 0..50 {
        signal.blocking_trigger(&()).unwrap();
    }
    assert!(consumer.join().unwrap());
}

#[tokio::test]
async fn a_trigger_that_waits_learns_that_its_sender_is_gone() {
    let (hub, router) = router();
    let (sender, signal) = sender(&router, "S");
    let stuck = stream(&hub, "S/e", Duration::from_millis(20));
    while signal.try_trigger(&()).is_ok() && stuck.len() < 4 {}
    let mut waiting = Box::pin(signal.trigger(&()));
    assert!((&mut waiting).now_or_never().is_none());
    drop(sender);
    assert!(matches!(waiting.await, Err(TriggerError::SenderGone { .. })));
}

#[test]
fn bytes_fill_a_queue_as_events_do() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let marks = Marks {
        count: 1000,
        bytes: 100,
        patience: FOR_EVER,
    };
    let queue = ListenerQueue::new(settings(marks), Arc::clone(hub.stalls()));
    let mut full = EventStream::new(&hub, "S/e".parse().unwrap(), First::default(), queue);
    let sixty = "x".repeat(58);
    signal.try_trigger(&sixty).unwrap();
    signal.try_trigger(&sixty).unwrap();
    assert!(matches!(signal.try_trigger(&sixty), Err(TriggerError::Busy { .. })));
    assert_eq!(drain(&mut full), [Ok(1), Ok(2)]);
    // One that is larger than the whole queue gets through alone.
    signal.try_trigger(&"x".repeat(1000)).unwrap();
    assert_eq!(drain(&mut full), [Ok(3)]);
}

#[test]
fn promise_3_presence_passes_a_lagging_queue_and_a_pair_of_it_waits_at_most() {
    let (hub, router) = router();
    let mut stuck = stream(&hub, "*", Duration::ZERO);
    let (first, signal) = sender(&router, "S");
    (0..10).for_each(|_| signal.try_trigger(&()).unwrap());
    drop(first);
    // #connect and four events in their place, then #disconnect, and what was lost before it.
    assert_eq!(drain(&mut stuck), [Ok(1), Ok(1), Ok(2), Ok(3), Ok(4), Ok(1), Err(6)]);

    // While little waits every change is told, and then a pair at most.
    (0..999).for_each(|_| drop(sender(&router, "S")));
    let _last = sender(&router, "S");
    assert!(stuck.len() <= 260, "{}", stuck.len());
    let told = drain(&mut stuck);
    assert_eq!(told.last(), Some(&Ok(1001)), "the last one, which is there");
}

#[test]
fn a_queue_turns_full_once_and_is_reported_once() {
    let marks = Marks {
        count: 2,
        bytes: 100,
        patience: Duration::ZERO,
    };
    let (mut pressure, gate) = (Pressure::new(marks), Arc::new(Gate::new()));
    assert_eq!(
        [0; 4].map(|_| pressure.put(1, 1, &gate, Duration::ZERO)),
        [false, true, false, false]
    );
    assert!(!gate.is_open());
    for opened in pressure.took(4, 4, clock::now()) {
        opened.release();
    }
    assert!(gate.is_open());
    // Nobody has looked since: it is still on the list, and the list does not grow.
    assert_eq!([0; 3].map(|_| pressure.put(1, 1, &gate, Duration::ZERO)), [false; 3]);
    pressure
        .took(3, 3, clock::now())
        .iter()
        .for_each(|opened| opened.release());
    assert!(matches!(pressure.give_up(Instant::now()), GivenUp::NotFull));
    assert_eq!(
        [0; 3].map(|_| pressure.put(1, 1, &gate, Duration::ZERO)),
        [false, true, false]
    );
}

#[test]
fn promise_1_who_gives_up_counts_with_its_own_sender_and_not_with_the_next_of_its_name() {
    let (hub, router) = router();
    let (first, signal) = sender(&router, "S");
    signal.try_trigger(&()).unwrap();
    let record = hub.sender("S").and_then(|record| record.event("e")).unwrap();
    let generation = 1;
    hub.count_lost(&record, generation);
    assert_eq!(record.number(), 2);
    let _listener = router.listen("S/e").unwrap();
    drop(first);
    let (_second, _) = sender(&router, "S");
    hub.count_lost(&record, generation);
    assert_eq!(record.number(), 0);
}
