//! Order, gaps and giving up: promises 1, 2 and 11.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use futures::{FutureExt as _, StreamExt as _};
use sig_router::{Event, Lagged, Router, TriggerError};
use tokio::task::JoinSet;

use crate::{drain, numbers, sender};

#[test]
fn promise_1_a_stream_keeps_the_order_of_concurrent_triggers() {
    const EACH: u64 = 200;
    let router = Router::new();
    let source = sender(&router, "source", &["a", "b"]);
    let mut stream = router.listen("source").unwrap();
    let start = Arc::new(Barrier::new(4));
    let threads = ["a", "a", "b", "b"].map(|event| {
        let (signal, start) = (source.signal(event).unwrap(), Arc::clone(&start));
        thread::spawn(move || {
            start.wait();
            (0..EACH).for_each(|_| signal.try_trigger(&()).unwrap());
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let events: Vec<_> = drain(&mut stream).into_iter().map(Result::unwrap).collect();
    for name in ["a", "b"] {
        let numbers = events
            .iter()
            .filter(|event| event.name().as_str() == name)
            .map(Event::number);
        assert!(numbers.eq(1..=2 * EACH), "{name}");
    }
}

#[test]
fn promise_1_a_stream_that_begins_in_the_middle_has_no_gaps() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let stop = Arc::new(AtomicBool::new(false));
    let threads = [(); 3].map(|()| {
        let (signal, stop) = (source.signal("e").unwrap(), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                // Busy is fine: the number is given to an event that is triggered, and to no other.
                let _ = signal.try_trigger(&());
            }
        })
    });
    for _ in 0..500 {
        let mut stream = router.listen("source/e").unwrap();
        let mut numbers = Vec::new();
        // Not all: they may come as fast as they are taken.
        while numbers.len() < 64 {
            match stream.recv().now_or_never() {
                Some(event) => numbers.push(event.unwrap().unwrap().number()),
                None => thread::yield_now(),
            }
        }
        let first = numbers[0];
        assert!(
            numbers.iter().copied().eq(first..first + numbers.len() as u64),
            "{numbers:?}"
        );
    }
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn promise_1_functions_hear_each_number_once_whoever_listens_beside_them() {
    const EACH: u64 = 20_000;
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let numbers = Arc::clone(&heard);
    let _listener = router.add_listener("source", move |event: &Event<'_>| {
        if !event.name().is_presence() {
            numbers.lock().unwrap().push(event.number());
        }
    });
    let start = Arc::new(Barrier::new(4));
    let threads = [(); 3].map(|()| {
        let (signal, start) = (source.signal("e").unwrap(), Arc::clone(&start));
        thread::spawn(move || {
            start.wait();
            (0..EACH).for_each(|_| signal.blocking_trigger(&0).unwrap());
        })
    });
    start.wait();
    while !threads.iter().all(thread::JoinHandle::is_finished) {
        // Each makes the router count in another way.
        drop(router.listen("source/e").unwrap());
        drop(router.add_listener("source/e", |_: &Event<'_>| {}).unwrap());
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let mut heard = heard.lock().unwrap();
    heard.sort_unstable();
    assert!(heard.iter().copied().eq(1..=3 * EACH));
}

#[test]
fn promise_2_an_event_triggered_after_listen_returned_is_not_missed() {
    let router = Router::new();
    let source = sender(&router, "source", &["#e"]);
    let (signal, keep_busy) = (source.signal("#e").unwrap(), source.signal("#e").unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    // Others trigger at the same time, so that what the router remembers of its listeners is always in use.
    let busy = thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let _ = keep_busy.try_trigger(&0);
        }
    });
    for topic in ["source/#e", "source", "#e", "*"].into_iter().cycle().take(100) {
        let heard = Arc::new(AtomicBool::new(false));
        let inner = Arc::clone(&heard);
        let _listener = router
            .add_listener(topic, move |event: &Event<'_>| {
                _ = inner.fetch_or(event.value() == Some(&1_i32), Ordering::Relaxed)
            })
            .unwrap();
        let mut stream = router.listen(topic).unwrap();
        // The others may have filled the queue, and nobody but this thread takes from it.
        while signal.try_trigger(&1_i32).is_err() {
            drop(drain(&mut stream));
        }
        assert!(heard.load(Ordering::Relaxed), "{topic}");
        let ours = |event: Result<Event<'static>, Lagged>| event.unwrap().decode::<i32>().unwrap() == 1;
        assert!(drain(&mut stream).into_iter().any(ours), "{topic}");
    }
    stop.store(true, Ordering::Relaxed);
    busy.join().unwrap();
}

#[test]
fn promise_1_presence_keeps_its_place_among_the_events_of_its_sender() {
    let router = Router::new();
    let mut stream = router.listen("*").unwrap();
    for _ in 0..2 {
        let source = sender(&router, "source", &["e"]);
        source.signal("e").unwrap().try_trigger(&()).unwrap();
        source.signal("e").unwrap().try_trigger(&()).unwrap();
    }
    let names: Vec<_> = drain(&mut stream)
        .into_iter()
        .map(|event| event.unwrap().name().to_string())
        .collect();
    assert_eq!(names, ["#connect", "e", "e", "#disconnect"].repeat(2));
}

#[test]
fn promise_1_values_that_cannot_be_packed_are_an_error_and_cost_no_number() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let mut stream = router.listen("source/e").unwrap();
    let signal = source.signal("e").unwrap();
    let keys_are_no_text = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(
        signal.try_trigger(&keys_are_no_text),
        Err(TriggerError::Pack(_))
    ));
    signal.try_trigger(&1).unwrap();
    assert_eq!(numbers(&mut stream), [1]);

    // Who is called on the spot needs no packing.
    drop(stream);
    signal.try_trigger(&keys_are_no_text).unwrap();
}

#[tokio::test]
async fn promise_11_giving_up_on_recv_loses_nothing() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let mut stream = router.listen("source/e").unwrap();
    let signal = source.signal("e").unwrap();
    for number in 1..=3 {
        assert!(stream.recv().now_or_never().is_none());
        signal.try_trigger(&()).unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().number(), number);
    }
}

#[tokio::test]
async fn promise_11_a_trigger_that_is_given_up_was_not_triggered() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let mut stream = router.listen("source/e").unwrap();
    let signal = source.signal("e").unwrap();
    let full = loop {
        if let Err(error) = signal.try_trigger(&()) {
            break error;
        }
    };
    assert!(matches!(full, TriggerError::Busy { .. }), "{full}");
    let room = stream.len() as u64;
    let mut waiting = Box::pin(signal.trigger(&()));
    assert!((&mut waiting).now_or_never().is_none());
    drop(waiting);
    assert!(numbers(&mut stream).into_iter().eq(1..=room));
    signal.trigger(&()).await.unwrap();
    assert_eq!(numbers(&mut stream), [room + 1]);
}

#[tokio::test]
async fn a_trigger_that_waits_goes_on_when_there_is_room() {
    const EVENTS: u64 = 5000;
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let mut stream = router.listen("source/e").unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let signal = source.signal("e").unwrap();
        tasks.spawn(async move {
            for _ in 0..EVENTS / 2 {
                signal.trigger(&()).await.unwrap();
            }
        });
    }
    for number in 1..=EVENTS {
        assert_eq!(stream.recv().await.unwrap().unwrap().number(), number);
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}
