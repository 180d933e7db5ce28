//! Senders: P17 to P20 and P24 to P31.

use std::sync::{Arc, Mutex};

use sig_router::{AddSenderError, Event, NameError, Router, SignalError, TriggerError};

use crate::Log;

#[test]
fn p17_events_are_declared_one_by_one_or_together() {
    let router = Router::new();
    let sender = router
        .add_sender("S")
        .event("one")
        .events(["two", "#three"])
        .connect()
        .unwrap();
    assert_eq!(sender.name().as_str(), "S");
    for event in ["one", "two", "#three"] {
        assert_eq!(sender.signal(event).unwrap().name().as_str(), event);
    }
}

#[test]
fn p18_a_sender_needs_a_name_and_something_to_do() {
    let router = Router::new();
    let error = router.add_sender("").event("e").connect().unwrap_err();
    assert!(matches!(
        error,
        AddSenderError::Name(NameError::Empty { kind: "sender" })
    ));
    let error = router.add_sender("X").connect().unwrap_err();
    assert!(matches!(error, AddSenderError::Empty { .. }));
    assert_eq!(error.to_string(), "no events or requests registered for sender X");
    assert_eq!(router.senders(), []);
}

#[test]
fn p19_a_name_that_is_connected_is_taken() {
    let (router, log) = (Router::new(), Log::default());
    let first = router
        .add_sender("X")
        .event("e")
        .request("m", |_| Ok(1))
        .connect()
        .unwrap();
    let before = router.senders();
    let _listener = log.listen(&router, "L", "*");
    let error = router.add_sender("X").event("other").connect().unwrap_err();
    assert!(matches!(&error, AddSenderError::NameTaken { name } if name == "X"));
    assert_eq!(error.to_string(), "sender X is already connected");
    assert_eq!(router.senders(), before);
    assert_eq!(log.take(), [""; 0]);
    first.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["L X/e"]);
}

#[tokio::test]
async fn p20_a_sender_may_only_answer_requests() {
    let router = Router::new();
    let sender = router.add_sender("S").request("m", |_| Ok("answer")).connect().unwrap();
    assert_eq!(router.request("S", "m", &()).await.unwrap().text(), r#""answer""#);
    assert!(matches!(sender.signal("e"), Err(SignalError::NoSuchEvent { .. })));
}

#[test]
fn p24_removing_says_whether_it_was_connected() {
    let (router, other) = (Router::new(), Router::new());
    let connect = || router.add_sender("S").event("e").connect().unwrap();
    let _listener = router.listen("S/e").unwrap();
    assert!(!router.remove_sender("S"), "only waited for");
    assert!(!router.remove_sender("never seen"));

    let sender = connect();
    assert!(!other.remove_sender("S"), "of another router");
    assert!(router.remove_sender("S"));
    assert!(!router.remove_sender("S"));
    assert!(!sender.is_connected());
    assert!(!sender.remove(), "removed by name already");
    assert!(connect().remove());

    // Dropping the handle is removing, but for the sender that took its place it is not.
    let old = connect();
    assert!(router.remove_sender("S"));
    let new = connect();
    drop(old);
    assert!(new.is_connected());
    drop(new);
    assert!(!router.senders()[0].connected);
}

#[test]
fn p25_listeners_outlive_the_sender() {
    let (router, log) = (Router::new(), Log::default());
    let listener = log.listen(&router, "L", "S/e");
    let connect = || router.add_sender("S").event("e").connect().unwrap();
    for _ in 0..2 {
        let sender = connect();
        sender.signal("e").unwrap().try_trigger(&()).unwrap();
        assert!(sender.remove());
        assert_eq!(log.take(), ["L S/e"]);
        assert_eq!(router.senders().len(), 1);
    }
    drop(listener);
    assert_eq!(router.senders(), []);
    assert!(connect().remove());
    assert_eq!(router.senders(), [], "nobody listens: nothing stays");
}

#[test]
fn p26_a_signal_of_a_removed_sender_is_an_error() {
    let (router, log) = (Router::new(), Log::default());
    let _listener = log.listen(&router, "L", "S/e");
    let sender = router.add_sender("S").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    assert!(router.remove_sender("S"));
    assert!(matches!(sender.signal("e"), Err(SignalError::SenderGone { .. })));
    let gone = |result| matches!(result, Err(TriggerError::SenderGone { .. }));
    assert!(gone(signal.try_trigger(&())));
    assert!(gone(signal.blocking_trigger(&())));

    // Nor does it come back to life with another sender of the name.
    let _again = router.add_sender("S").event("e").connect().unwrap();
    assert!(gone(signal.try_trigger(&())));
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn p27_a_sender_can_be_asked_about() {
    let router = Router::new();
    let sender = router
        .add_sender("S")
        .event("e")
        .default_request(|_| Ok(1))
        .connect()
        .unwrap();
    let _listeners = [
        router.listen("S/e").unwrap(),
        router.listen("S").unwrap(),
        router.listen("*").unwrap(),
    ];
    let [info] = router.senders().try_into().unwrap();
    assert_eq!((info.name.as_str(), info.connected, info.listeners), ("S", true, 2));
    assert_eq!((info.requests, info.carrier.as_str()), (Some(vec![None]), "local"));
    assert!(sender.is_connected() && sender.signal("e").unwrap().sender().as_str() == "S");
    let error = sender.signal("x").unwrap_err();
    assert_eq!(error.to_string(), "sender S did not declare event x; it has: e");
    assert!(router.senders().iter().all(|sender| sender.name.as_str() != "T"));
}

#[test]
fn p28_every_event_has_a_name_and_is_heard_once() {
    let (router, log) = (Router::new(), Log::default());
    let sender = router.add_sender("S").event("e").connect().unwrap();
    let _listeners = [log.listen(&router, "router", "*"), log.listen(&router, "sender", "S")];
    for none in ["", "*"] {
        assert!(matches!(sender.signal(none), Err(SignalError::NoSuchEvent { .. })));
    }
    sender.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["router S/e", "sender S/e"]);
}

#[test]
fn p29_a_bad_event_name_leaves_nothing_behind() {
    let router = Router::new();
    for (name, words) in [
        ("", "empty"),
        ("a\nb", "control character"),
        (&*"x".repeat(256), "256 bytes"),
    ] {
        let error = router.add_sender("S").events(["good", name]).connect().unwrap_err();
        assert!(matches!(error, AddSenderError::Name(_)));
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(router.senders(), []);
    }
    assert!(router.listen(("S", "")).is_err());
    assert_eq!(router.senders(), []);
}

#[test]
fn p30_every_event_carries_the_count_that_subclasses_used_to_add() {
    let router = Router::new();
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&numbers);
    let _listener = router
        .add_listener("S", move |event: &Event<'_>| {
            sink.lock().unwrap().push((event.name().to_string(), event.number()))
        })
        .unwrap();
    for _ in 0..2 {
        let sender = router.add_sender("S").events(["a", "b"]).connect().unwrap();
        for event in ["a", "b", "a"] {
            sender.signal(event).unwrap().try_trigger(&()).unwrap();
        }
    }
    // Per event, and from 1 for each sender that connects; presence has the generation.
    let once = |generation| {
        [
            ("#connect", generation),
            ("a", 1),
            ("b", 1),
            ("a", 2),
            ("#disconnect", generation),
        ]
    };
    let expected: Vec<_> = (once(1).into_iter().chain(once(2)))
        .map(|(event, number)| (event.to_owned(), number))
        .collect();
    assert_eq!(*numbers.lock().unwrap(), expected);
}

#[test]
fn p31_a_router_shows_its_topology() {
    let (router, shown) = (Router::new(), Arc::new(Mutex::new(String::new())));
    let _listener = {
        let (inner, shown) = (router.clone(), Arc::clone(&shown));
        // A listener that holds the router itself, and looks at it from the inside.
        router.add_listener("timer/tic", move |_: &Event<'_>| {
            *shown.lock().unwrap() = inner.to_string()
        })
    }
    .unwrap();
    let _waiting = router.listen("absent").unwrap();
    let _channel = router.listen("#alarm").unwrap();
    let timer = router.add_sender("timer").event("tic").connect().unwrap();
    timer.signal("tic").unwrap().try_trigger(&()).unwrap();

    let shown = shown.lock().unwrap();
    let lines: Vec<_> = shown.lines().collect();
    let place = |line: &str| line.contains("senders.rs:");
    let at = |wanted: &str| {
        lines
            .iter()
            .position(|line| *line == wanted)
            .unwrap_or_else(|| panic!("{wanted}: {shown}"))
    };
    assert_eq!(at("[*] (connected)"), 0);
    assert!(place(lines[at("-|  #alarm") + 1]), "{shown}");
    assert!(place(lines[at("[absent] (not connected)") + 2]), "{shown}");
    assert!(at("[timer] (connected)") < at("-|  tic"));
    assert!(
        lines[at("-|  tic") + 1].starts_with("-|--> ") && place(lines[at("-|  tic") + 1]),
        "{shown}"
    );
}
