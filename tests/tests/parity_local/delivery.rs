//! How a listener is called: P2 to P5 and P14 to P16.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use futures::FutureExt as _;
use sig_router::{Event, Listener, Presence, Router};

use crate::Log;

#[test]
fn p2_a_callback_gets_the_names_and_the_very_value() {
    #[derive(serde::Serialize)]
    struct Reading {
        celsius: f64,
    }

    let router = Router::new();
    let sender = router.add_sender("S").event("e").connect().unwrap();
    let reading = Reading { celsius: 21.5 };
    let (address, heard) = (&raw const reading as usize, Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&heard);
    let _listener = router
        .add_listener("S/e", move |event: &Event<'_>| {
            assert_eq!((event.sender().as_str(), event.name().as_str()), ("S", "e"));
            let value = event.value::<Reading>().unwrap();
            assert_eq!(std::ptr::from_ref(value) as usize, address);
            assert_eq!(event.payload().unwrap().json_text().unwrap(), r#"{"celsius":21.5}"#);
            counter.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    sender.signal("e").unwrap().try_trigger(&reading).unwrap();
    // A failed assertion in the callback would only have been logged.
    assert_eq!(heard.load(Ordering::Relaxed), 1);
    assert!((reading.celsius - 21.5).abs() < f64::EPSILON);
}

#[test]
fn p2_data_may_be_nothing() {
    let (router, log) = (Router::new(), Log::default());
    let sender = router.add_sender("S").event("e").connect().unwrap();
    let noted = log.clone();
    let _listener = router
        .add_listener("S/e", move |event: &Event<'_>| {
            noted.note(format!("{:?}", event.decode::<Option<u8>>()));
        })
        .unwrap();
    let signal = sender.signal("e").unwrap();
    signal.try_trigger(&()).unwrap();
    signal.try_trigger(&Some(7)).unwrap();
    assert_eq!(log.take(), ["Ok(None)", "Ok(Some(7))"]);
}

#[test]
fn p3_order_of_delivery() {
    let (router, log) = (Router::new(), Log::default());
    // Registered crosswise, some before the sender and some after.
    let mut listeners = vec![
        log.listen(&router, "specific 1", "S/#e"),
        log.listen(&router, "channel 1", "#e"),
        log.listen(&router, "sender 1", "S"),
    ];
    let sender = router.add_sender("S").event("#e").connect().unwrap();
    listeners.extend([
        log.listen(&router, "router 1", "*"),
        log.listen(&router, "channel 2", "#e"),
        log.listen(&router, "specific 2", "S/#e"),
        log.listen(&router, "router 2", "*"),
        log.listen(&router, "sender 2", "S"),
    ]);
    log.take();

    sender.signal("#e").unwrap().try_trigger(&()).unwrap();
    let order = [
        "router 1",
        "router 2",
        "sender 1",
        "sender 2",
        "channel 1",
        "channel 2",
        "specific 1",
        "specific 2",
    ];
    assert_eq!(log.take(), order.map(|name| format!("{name} S/#e")));
}

#[test]
fn p4_a_trigger_is_synchronous_and_needs_neither_runtime_nor_listener() {
    let (router, log) = (Router::new(), Log::default());
    let sender = router.add_sender("S").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    signal.try_trigger(&"nobody hears this").unwrap();

    let (here, noted) = (thread::current().id(), log.clone());
    let _listener = router
        .add_listener("S/e", move |event: &Event<'_>| {
            assert_eq!(thread::current().id(), here);
            noted.note(event.decode::<String>().unwrap());
        })
        .unwrap();
    signal.try_trigger(&"try").unwrap();
    assert_eq!(log.take(), ["try"]);
    signal.blocking_trigger(&"blocking").unwrap();
    assert_eq!(log.take(), ["blocking"]);
    // Awaiting does not wait either where nobody has a queue.
    signal.trigger(&"awaited").now_or_never().unwrap().unwrap();
    assert_eq!(log.take(), ["awaited"]);
}

#[test]
fn p5_one_function_in_many_places_is_called_for_each() {
    let router = Router::new();
    let sender = router.add_sender("S").event("#e").connect().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let function = {
        let count = Arc::clone(&count);
        move |_: &Event<'_>| {
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    let mut listeners: Vec<Listener> = ["S/#e", "S/#e", "S", "#e", "*"]
        .map(|topic| router.add_listener(topic, function.clone()).unwrap())
        .into();
    let signal = sender.signal("#e").unwrap();
    signal.try_trigger(&()).unwrap();
    assert_eq!(count.swap(0, Ordering::Relaxed), 5);

    // A guard stands for one registration, not for the function.
    drop(listeners.remove(0));
    signal.try_trigger(&()).unwrap();
    assert_eq!(count.swap(0, Ordering::Relaxed), 4);
}

#[test]
fn p14_a_listener_that_panics_stops_nobody() {
    let (router, log) = (Router::new(), Log::default());
    let sender = router.add_sender("S").event("e").connect().unwrap();
    let _before = log.listen(&router, "before", "S/e");
    let _bad = router
        .add_listener("S/e", |event: &Event<'_>| {
            // Without the noise that `panic!` makes.
            panic::resume_unwind(Box::new(format!("no. {}", event.number())));
        })
        .unwrap();
    let _after = log.listen(&router, "after", "S/e");
    for _ in 0..2 {
        sender.signal("e").unwrap().try_trigger(&()).unwrap();
        assert_eq!(log.take(), ["before S/e", "after S/e"]);
    }
}

#[test]
fn p15_a_listener_that_removes_itself_takes_nobody_along() {
    let (router, log) = (Router::new(), Log::default());
    let sender = router.add_sender("S").event("e").connect().unwrap();
    let (guard, noted) = (Arc::new(Mutex::new(None)), log.clone());
    let slot = Arc::clone(&guard);
    let once = router
        .add_listener("S/e", move |_: &Event<'_>| {
            noted.note("once");
            slot.lock().unwrap().take();
        })
        .unwrap();
    *guard.lock().unwrap() = Some(once);
    let _next = log.listen(&router, "next", "S/e");
    let signal = sender.signal("e").unwrap();
    signal.try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["once", "next S/e"]);
    signal.try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["next S/e"]);
}

#[test]
fn p15_a_trigger_calls_who_listened_when_it_began_and_still_does() {
    let (router, log) = (Router::new(), Log::default());
    let sender = router.add_sender("S").event("e").connect().unwrap();
    let late = Arc::new(Mutex::new(Vec::new()));
    let doomed = Arc::new(Mutex::new(None));
    let _first = {
        let (router, log, late, doomed) = (router.clone(), log.clone(), Arc::clone(&late), Arc::clone(&doomed));
        router.clone().add_listener("S/e", move |_: &Event<'_>| {
            log.note("first");
            late.lock().unwrap().push(log.listen(&router, "late", "S/e"));
            doomed.lock().unwrap().take();
        })
    }
    .unwrap();
    *doomed.lock().unwrap() = Some(log.listen(&router, "doomed", "S/e"));
    let signal = sender.signal("e").unwrap();
    signal.try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["first"]);
    signal.try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["first", "late S/e"]);
    late.lock().unwrap().clear();
}

#[test]
fn p16_a_listener_cannot_change_what_others_get() {
    let (router, log) = (Router::new(), Log::default());
    let _meddler = router
        .add_listener("*", |event: &Event<'_>| {
            // All that can be had is a copy.
            let mut presence: Presence = event.decode().unwrap();
            presence.events.clear();
        })
        .unwrap();
    let noted = log.clone();
    let _other = router
        .add_listener("#connect", move |event: &Event<'_>| {
            noted.note(format!(
                "{} {}",
                event.sender(),
                event.decode::<Presence>().unwrap().events.len()
            ));
        })
        .unwrap();
    let _sender = router.add_sender("S").event("e").connect().unwrap();
    assert_eq!(log.take(), ["S 3"]);
}
