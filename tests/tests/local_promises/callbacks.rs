//! What functions may do while they are called: promise 7 and W11.

use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use futures::FutureExt as _;
use sig_router::{AddSenderError, Event, Listener, Router, Sender, TriggerError};

use crate::{drain, numbers, sender};

#[test]
fn promise_7_everything_is_allowed_inside_a_callback() {
    let router = Router::new();
    let calculator = router
        .add_sender("calculator")
        .request("double", |request| Ok(request.params::<u64>()? * 2));
    let _calculator = calculator.connect().unwrap();
    let (first, second) = (sender(&router, "first", &["e"]), sender(&router, "second", &["e"]));
    let other = Arc::new(Mutex::new(Some(router.listen("first/e").unwrap())));
    let outcome = Arc::new(Mutex::new(Vec::new()));
    let _second = {
        let outcome = Arc::clone(&outcome);
        router.add_listener("second/e", move |event: &Event<'_>| {
            outcome.lock().unwrap().push(event.decode::<u64>().unwrap())
        })
    }
    .unwrap();
    let listener = {
        let (router, outcome, signal) = (router.clone(), Arc::clone(&outcome), second.signal("e").unwrap());
        router.clone().add_listener("first/e", move |_: &Event<'_>| {
            let _runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let _entered = _runtime.enter();
            let doubled = router
                .request("calculator", "double", &21)
                .into_future()
                .now_or_never()
                .unwrap()
                .unwrap();
            signal.try_trigger(&doubled.parse::<u64>().unwrap()).unwrap();
            other.lock().unwrap().take();
            let (mut stream, visitor) = (router.listen("visitor").unwrap(), sender(&router, "visitor", &["e"]));
            visitor.signal("e").unwrap().try_trigger(&()).unwrap();
            assert!(visitor.remove());
            outcome.lock().unwrap().push(drain(&mut stream).len() as u64);
        })
    }
    .unwrap();
    first.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(*outcome.lock().unwrap(), [42, 3]);
    assert!(router.senders().iter().all(|sender| sender.name.as_str() != "visitor"));
    drop(listener);
}

/// How often a function was called, and what came of the innermost trigger.
type Outcome = Arc<Mutex<(u32, Option<TriggerError>)>>;

/// Triggers its own event from inside its own callback.
fn circle() -> (Router, Sender, Listener, Outcome) {
    let router = Router::new();
    let sender = sender(&router, "S", &["e"]);
    let (signal, outcome) = (sender.signal("e").unwrap(), Arc::new(Mutex::new((0, None))));
    let inner = Arc::clone(&outcome);
    let listener = router.add_listener("S/e", move |_: &Event<'_>| {
        inner.lock().unwrap().0 += 1;
        if let Err(error) = signal.try_trigger(&()) {
            inner.lock().unwrap().1 = Some(error);
        }
    });
    (router, sender, listener.unwrap(), outcome)
}

#[test]
fn promise_7_triggers_in_a_circle_are_an_error_128_deep() {
    let (_router, sender, _listener, outcome) = circle();
    for _ in 0..2 {
        // The outermost one is fine, again and again.
        sender.signal("e").unwrap().try_trigger(&()).unwrap();
        let (calls, error) = std::mem::take(&mut *outcome.lock().unwrap());
        assert_eq!(calls, 128);
        assert!(matches!(error, Some(TriggerError::TooDeep { limit: 128 })), "{error:?}");
    }
}

#[test]
fn promise_7_senders_added_in_a_circle_are_an_error_too() {
    let router = Router::new();
    let outcome = Arc::new(Mutex::new((Vec::new(), None)));
    let (inner, count) = (Arc::clone(&outcome), AtomicU64::new(0));
    let adding = router.clone();
    let _listener = router
        .add_listener("#connect", move |_: &Event<'_>| {
            let name = format!("S{}", count.fetch_add(1, Ordering::Relaxed));
            match adding.add_sender(name).event("e").connect() {
                Ok(sender) => inner.lock().unwrap().0.push(sender),
                Err(error) => inner.lock().unwrap().1 = Some(error),
            }
        })
        .unwrap();
    let first = sender(&router, "S", &["e"]);
    let (senders, error) = std::mem::take(&mut *outcome.lock().unwrap());
    assert_eq!(senders.len(), 127);
    assert!(
        matches!(error, Some(AddSenderError::TooDeep { limit: 128 })),
        "{error:?}"
    );
    drop(senders);
    assert!(first.is_connected());
}

#[test]
fn promise_7_a_callback_that_owns_senders_and_listeners_can_be_dropped() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let relay = || {
        let (relay, inner) = (sender(&router, "relay", &["e"]), router.listen("source/e").unwrap());
        router.add_listener("source/e", move |_: &Event<'_>| {
            let _ = (relay.signal("e").unwrap().try_trigger(&()), inner.len());
        })
    };
    // With and without a trigger in between, which makes the router resolve and remember who listens.
    for triggers in 0..3 {
        let listener = relay().unwrap();
        for _ in 0..triggers {
            source.signal("e").unwrap().try_trigger(&()).unwrap();
        }
        drop(listener);
        assert!(
            router.senders().iter().all(|sender| sender.name.as_str() != "relay"),
            "the relay went with its owner"
        );
        assert_eq!(router.senders()[0].listeners, 0);
    }
}

#[test]
fn w11_a_panicking_listener_stops_neither_others_nor_its_thread() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let (bad, good) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let panics = Arc::clone(&bad);
    let _bad = router
        .add_listener("*", move |_: &Event<'_>| {
            panics.fetch_add(1, Ordering::Relaxed);
            panic::resume_unwind(Box::new("on purpose"));
        })
        .unwrap();
    let counts = Arc::clone(&good);
    let _good = router
        .add_listener("source/e", move |_: &Event<'_>| {
            _ = counts.fetch_add(1, Ordering::Relaxed)
        })
        .unwrap();
    let mut stream = router.listen("source/e").unwrap();
    let signal = source.signal("e").unwrap();
    thread::spawn(move || (0..300).for_each(|_| signal.try_trigger(&()).unwrap()))
        .join()
        .unwrap();
    // More often than triggers may nest: none of them is still counted.
    assert_eq!((bad.load(Ordering::Relaxed), good.load(Ordering::Relaxed)), (300, 300));
    assert!(numbers(&mut stream).into_iter().eq(1..=300));
}
