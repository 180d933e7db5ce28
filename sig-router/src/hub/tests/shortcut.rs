//! Triggers that need not their sender's lane, and queues that lend room to them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use futures::FutureExt as _;
use futures::executor::block_on;
use proptest::prelude::*;

use super::{FOR_EVER, drain, router, sender, settings};
use crate::hub::{First, Hub};
use crate::listener::{EventStream, Listener};
use crate::pressure::Marks;
use crate::queue::ListenerQueue;
use crate::{Confirm, Event, Router, Signal, TriggerError};

/// Room for so many events, which is enough to lend some of it.
const ROOM: usize = 64;

fn stream(hub: &Arc<Hub>, topic: &str) -> EventStream {
    let marks = Marks {
        count: ROOM,
        bytes: 4096,
        patience: FOR_EVER,
    };
    let queue = ListenerQueue::new(settings(marks), Arc::clone(hub.stalls()));
    EventStream::new(hub, topic.parse().unwrap(), First::default(), queue)
}

fn is_past_the_lane(hub: &Hub, event: &str) -> bool {
    let event = hub.sender("S").unwrap().event(event).unwrap();
    !event.shortcut().is_shut()
}

fn counter(router: &Router, topic: &str) -> (Listener, Arc<AtomicU64>) {
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    let listener = router.add_listener(topic, move |_: &Event<'_>| _ = counter.fetch_add(1, Ordering::Relaxed));
    (listener.unwrap(), calls)
}

#[test]
fn promise_6_a_queue_lends_no_more_than_it_has_room() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let mut stream = stream(&hub, "S/e");
    for round in 0..3 {
        let accepted = (0..).take_while(|_| signal.try_trigger(&7).is_ok()).count();
        assert_eq!((accepted, stream.len()), (ROOM, ROOM), "round {round}");
        assert_eq!(drain(&mut stream).len(), ROOM);
    }
    // By its bytes it is full earlier.
    let long = "x".repeat(98);
    let accepted = (0..).take_while(|_| signal.try_trigger(&long).is_ok()).count();
    assert_eq!(accepted, 4096_usize.div_ceil(100));
    assert_eq!(drain(&mut stream).len(), accepted);
}

#[test]
fn events_of_one_kind_come_past_the_lane_and_those_of_two_do_not() {
    let (hub, router) = router();
    let source = router.add_sender("S").events(["a", "b"]).connect().unwrap();
    let (a, b) = (source.signal("a").unwrap(), source.signal("b").unwrap());
    let mut stream = stream(&hub, "S");
    drain(&mut stream);
    (0..4).for_each(|_| a.try_trigger(&()).unwrap());
    assert!(is_past_the_lane(&hub, "a"));
    for _ in 0..4 {
        a.try_trigger(&()).unwrap();
        b.try_trigger(&()).unwrap();
    }
    assert!(!is_past_the_lane(&hub, "a") && !is_past_the_lane(&hub, "b"));
    assert_eq!(drain(&mut stream).len(), 12);
}

#[test]
fn promise_1_what_came_past_the_lane_is_there_when_its_sender_leaves_or_the_router_closes() {
    for closes in [false, true] {
        let (hub, router) = router();
        let (source, signal) = sender(&router, "S");
        let mut stream = stream(&hub, "S");
        (0..10).for_each(|_| signal.try_trigger(&7).unwrap());
        assert!(is_past_the_lane(&hub, "e"));
        let mut expected = vec!["e"; 10];
        if closes {
            hub.close();
            // It is heard by nobody any more.
            signal.try_trigger(&7).unwrap();
        } else {
            assert!(source.remove());
            // The same name is another sender, whose events the signal is not for.
            let again = router.add_sender("S").event("e").connect().unwrap();
            let other = again.signal("e").unwrap();
            (0..10).for_each(|_| other.try_trigger(&7).unwrap());
            assert!(is_past_the_lane(&hub, "e"));
            assert!(matches!(signal.try_trigger(&7), Err(TriggerError::SenderGone { .. })));
            drop(again);
            expected.extend(["#disconnect", "#connect"]);
            expected.extend(["e"; 10]);
            expected.push("#disconnect");
        }
        assert_eq!(names(&mut stream), expected);
    }
}

fn names(stream: &mut EventStream) -> Vec<String> {
    let events = std::iter::from_fn(|| stream.recv().now_or_never().flatten());
    events.map(|event| event.unwrap().name().to_string()).collect()
}

#[test]
fn promise_9_what_a_function_owns_goes_with_its_guard_from_outside_and_from_inside() {
    let (_hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let (listener, owned) = counter(&router, "S/e");
    (0..3).for_each(|_| signal.try_trigger(&"before").unwrap());
    drop(listener);
    assert_eq!(Arc::strong_count(&owned), 1);

    let (guard, owned): (Arc<Mutex<Option<Listener>>>, _) = (Arc::default(), Arc::new(()));
    let (own, again, kept) = (Arc::clone(&guard), signal.clone(), Arc::clone(&owned));
    let listener = router.add_listener("S/e", move |event: &Event<'_>| {
        let _kept = &kept;
        if event.value() == Some(&"leave") {
            drop(own.lock().unwrap().take());
            again.try_trigger(&"nobody hears it").unwrap();
        }
    });
    *guard.lock().unwrap() = Some(listener.unwrap());
    (0..3).for_each(|_| signal.try_trigger(&"before").unwrap());
    signal.try_trigger(&"leave").unwrap();
    assert_eq!(Arc::strong_count(&owned), 1);
}

/// While a trigger is among the functions as they were, another one is among those as they are.
#[test]
fn promise_2_functions_that_a_trigger_brings_back_late_are_not_taken_again() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let (entered, enters) = mpsc::sync_channel(1);
    let (go, goes) = mpsc::sync_channel(1);
    let goes = Arc::new(Mutex::new(goes));
    let count = Arc::new(AtomicU64::new(0));
    let (calls, other) = (Arc::clone(&count), router.clone());
    let comes = move || {
        let (entered, goes, calls) = (entered.clone(), Arc::clone(&goes), Arc::clone(&calls));
        other.add_listener("S/e", move |event: &Event<'_>| {
            calls.fetch_add(1, Ordering::Relaxed);
            if event.value() == Some(&"stay") {
                entered.send(()).unwrap();
                goes.lock().unwrap().recv().unwrap();
            }
        })
    };
    let (added, again) = (Arc::new(Mutex::new(Vec::new())), signal.clone());
    let (kept, enters) = (Arc::clone(&added), Mutex::new(enters));
    let _listener = router.add_listener("S/e", move |event: &Event<'_>| {
        if event.value() == Some(&"change") {
            let again = again.clone();
            kept.lock().unwrap().push(comes().unwrap());
            thread::spawn(move || again.try_trigger(&"stay").unwrap());
            enters.lock().unwrap().recv().unwrap();
        }
    });
    (0..3).for_each(|_| signal.try_trigger(&"before").unwrap());
    signal.try_trigger(&"change").unwrap();
    (0..3).for_each(|_| signal.try_trigger(&"after").unwrap());
    assert_eq!(count.load(Ordering::Relaxed), 4);
    assert!(is_past_the_lane(&hub, "e"));
    go.send(()).unwrap();
}

#[test]
fn a_stream_that_is_dropped_leaves_nothing_behind() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let mut stream = stream(&hub, "S/e");
    (0..10).for_each(|_| signal.try_trigger(&7).unwrap());
    assert!(is_past_the_lane(&hub, "e"));
    let queue = Arc::downgrade(stream.reader().queue());
    drop(stream);
    signal.try_trigger(&7).unwrap();
    assert_eq!(queue.strong_count(), 0);
    assert!(is_past_the_lane(&hub, "e"), "nobody hears it");
}

#[test]
fn a_reader_that_sleeps_is_woken_by_what_comes_past_the_lane() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let mut stream = stream(&hub, "S/e");
    let (heard, hears) = mpsc::sync_channel(1);
    let reader = thread::spawn(move || {
        while let Some(Ok(event)) = block_on(stream.recv()) {
            heard.send(event.number()).unwrap();
        }
    });
    for number in 1..=1000 {
        signal.try_trigger(&7).unwrap();
        assert_eq!(hears.recv_timeout(Duration::from_secs(10)), Ok(number));
    }
    assert!(is_past_the_lane(&hub, "e"));
    drop((signal, _sender, router));
    hub.close();
    reader.join().unwrap();
}

#[test]
fn w11_a_listener_that_panics_past_the_lane_costs_the_others_nothing() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let (_before, before) = counter(&router, "S/e");
    let _panics = router
        .add_listener("S/e", |_: &Event<'_>| panic!("as it is meant to"))
        .unwrap();
    let (_after, after) = counter(&router, "S/e");
    let mut heard = None;
    for round in 1..=2 {
        (0..10).for_each(|_| signal.try_trigger(&7).unwrap());
        assert!(is_past_the_lane(&hub, "e"));
        let calls = (before.load(Ordering::Relaxed), after.load(Ordering::Relaxed));
        assert_eq!(calls, (10 * round, 10 * round));
        heard.get_or_insert_with(|| stream(&hub, "S/e"));
    }
    assert_eq!(drain(&mut heard.unwrap()).len(), 10);
}

/// A function that triggers what it hears, with a stream beside it or without.
#[test]
fn promise_7_triggers_in_a_circle_past_the_lane_are_an_error_128_deep() {
    for has_stream in [false, true] {
        let (hub, router) = router();
        let (_sender, signal) = sender(&router, "S");
        let circles = Arc::new(AtomicBool::new(false));
        let (again, goes_on, depth) = (signal.clone(), Arc::clone(&circles), Arc::new(AtomicU64::new(0)));
        let deepest = Arc::clone(&depth);
        let _listener = router.add_listener("S/e", move |event: &Event<'_>| {
            let level = *event.value::<u64>().unwrap();
            deepest.fetch_max(level, Ordering::Relaxed);
            if goes_on.load(Ordering::Relaxed) && again.try_trigger(&(level + 1)).is_err() {
                goes_on.store(false, Ordering::Relaxed);
            }
        });
        let marks = Marks {
            count: 4096,
            bytes: 1 << 20,
            patience: FOR_EVER,
        };
        let queue = ListenerQueue::new(settings(marks), Arc::clone(hub.stalls()));
        let mut stream =
            has_stream.then(|| EventStream::new(&hub, "S/e".parse().unwrap(), First::default(), Arc::clone(&queue)));
        for round in 0..3 {
            (0..5).for_each(|_| signal.try_trigger(&1_u64).unwrap());
            assert!(is_past_the_lane(&hub, "e"));
            circles.store(true, Ordering::Relaxed);
            signal.try_trigger(&1_u64).unwrap();
            assert_eq!(depth.load(Ordering::Relaxed), 128, "round {round}");
        }
        let heard = stream.as_mut().map_or_else(Vec::new, drain);
        let expected = if has_stream { 3 * (5 + 128) } else { 0 };
        assert!(heard.into_iter().eq((1..=expected).map(Ok)));
    }
}

/// What happens while a stream listens to all of two senders.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// One of the signals is triggered so many times.
    Trigger(usize, usize),
    Confirm(usize),
    /// So many are taken.
    Take(usize),
    Look,
    /// Others come, and go.
    Function,
    Stream,
    Leave,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0_usize..3, 1_usize..12).prop_map(|(signal, count)| Step::Trigger(signal, count)),
        1 => (0_usize..3).prop_map(Step::Confirm),
        4 => (1_usize..20).prop_map(Step::Take),
        2 => Just(Step::Look),
        1 => Just(Step::Function),
        1 => Just(Step::Stream),
        1 => Just(Step::Leave),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    /// Whichever way each event goes: a stream hears them in the order in which they were triggered, whoever triggers
    /// and whoever else listens, and a function as often as they were.
    #[test]
    fn promise_1_events_come_in_their_order_whichever_way_they_go(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (hub, router) = router();
        let source = router.add_sender("S").events(["a", "b"]).connect().unwrap();
        let other = router.add_sender("T").event("c").connect().unwrap();
        let signals = [source.signal("a"), source.signal("b"), other.signal("c")].map(Result::unwrap);
        let mut stream = stream(&hub, "*/*");
        drain(&mut stream);
        let mut waits = std::collections::VecDeque::new();
        let mut numbers = [0; 3];
        let (mut functions, mut streams) = (Vec::new(), Vec::new());
        let mut took = |signal: usize, waits: &mut std::collections::VecDeque<_>| {
            numbers[signal] += 1;
            waits.push_back((signals[signal].name().to_string(), numbers[signal]));
        };
        let take = |stream: &mut EventStream, waits: &mut std::collections::VecDeque<_>, most: usize| {
            for _ in 0..most {
                let taken = stream.recv().now_or_never().flatten();
                let taken = taken.map(|event| event.unwrap()).map(|event| (event.name().to_string(), event.number()));
                assert_eq!(taken, waits.pop_front());
            }
        };
        for step in steps {
            match step {
                Step::Trigger(signal, count) => {
                    for _ in 0..count {
                        match signals[signal].try_trigger(&7) {
                            Ok(()) => took(signal, &mut waits),
                            Err(error) => {
                                let is_busy = matches!(error, TriggerError::Busy { .. });
                                prop_assert!(is_busy);
                                prop_assert!(waits.len() >= ROOM / 2, "{} wait", waits.len());
                            }
                        }
                    }
                    prop_assert!(waits.len() <= ROOM + ROOM / 4, "{} wait", waits.len());
                }
                Step::Confirm(signal) if waits.len() < ROOM / 2 => {
                    let confirmed = runtime.block_on(confirm(&signals[signal]));
                    prop_assert!(confirmed);
                    took(signal, &mut waits);
                }
                Step::Confirm(_) => {}
                Step::Take(most) => take(&mut stream, &mut waits, most),
                Step::Look => prop_assert_eq!(stream.len(), waits.len()),
                Step::Function => functions.push(counter(&router, "S/a")),
                Step::Stream => streams.push(router.listen("S/a").unwrap()),
                Step::Leave => {
                    functions.clear();
                    streams.clear();
                }
            }
        }
        let left = waits.len();
        take(&mut stream, &mut waits, left + 1);
    }
}

async fn confirm(signal: &Signal) -> bool {
    let confirmed = signal.trigger_confirmed(&7, Confirm::Accepted).await.unwrap();
    confirmed.is_complete()
}
