//! Who hears what: P1 and P6 to P13.

use sig_router::{Event, ListenError, NameError, Router, SignalError, Topic};

use crate::Log;

#[test]
fn p1_four_kinds_of_topics() {
    let (router, log) = (Router::new(), Log::default());
    let s = router.add_sender("S").events(["e", "f", "#e"]).connect().unwrap();
    let t = router.add_sender("T").events(["e", "#e"]).connect().unwrap();
    let _all = [
        log.listen(&router, "specific", "S/e"),
        log.listen(&router, "sender", "S"),
        log.listen(&router, "router", "*"),
        log.listen(&router, "channel", "#e"),
    ];

    s.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["router S/e", "sender S/e", "specific S/e"]);
    s.signal("f").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["router S/f", "sender S/f"]);
    s.signal("#e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["router S/#e", "sender S/#e", "channel S/#e"]);
    t.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["router T/e"]);
    t.signal("#e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["router T/#e", "channel T/#e"]);
}

#[test]
fn p1_a_topic_is_given_as_text_as_names_or_as_a_value() {
    let (router, log) = (Router::new(), Log::default());
    let s = router.add_sender("a/b").event("c/d").connect().unwrap();
    let _names = router.add_listener(("a/b", "c/d"), log.noting("names")).unwrap();
    let topic = Topic::from_parts(Some("a/b"), None).unwrap();
    let _value = router.add_listener(&topic, log.noting("value")).unwrap();
    // As text it would be the event `b/c/d` of the sender `a`.
    let _text = router.add_listener("a/b/c/d", log.noting("text")).unwrap();
    s.signal("c/d").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["value a/b/c/d", "names a/b/c/d"]);
}

#[test]
fn p6_only_names_with_a_hash_sign_are_channels() {
    let (router, log) = (Router::new(), Log::default());
    let s = router.add_sender("S").events(["e", "#e", "x#e"]).connect().unwrap();
    let t = router.add_sender("T").event("#e").connect().unwrap();
    let _channel = log.listen(&router, "channel", "#e");
    let mut channels = Vec::new();
    for event in ["e", "#e", "x#e"] {
        let signal = s.signal(event).unwrap();
        signal.try_trigger(&()).unwrap();
        assert_eq!(signal.is_channel(), signal.name().is_channel());
        channels.push(signal.is_channel());
    }
    assert_eq!(channels, [false, true, false]);
    t.signal("#e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["channel S/#e", "channel T/#e"]);
}

#[test]
fn p7_presence_events_are_channels() {
    let (router, log) = (Router::new(), Log::default());
    let _connect = log.listen(&router, "connect", "#connect");
    let _disconnect = log.listen(&router, "disconnect", "#disconnect");
    let s = router.add_sender("S").event("e").connect().unwrap();
    let _t = router.add_sender("T").event("e").connect().unwrap();
    assert!(s.remove());
    assert_eq!(
        log.take(),
        ["connect S/#connect", "connect T/#connect", "disconnect S/#disconnect"]
    );
}

#[test]
fn p8_an_event_of_any_sender_must_be_a_channel() {
    let router = Router::new();
    let refused = router.add_listener("*/plain", |_: &Event<'_>| {}).unwrap_err();
    assert!(matches!(&refused, ListenError::Name(NameError::NotAChannel { name }) if name == "plain"));
    assert!(refused.to_string().contains("#plain"), "{refused}");
    assert!(matches!(router.listen("*/plain"), Err(ListenError::Name(_))));
}

#[test]
fn p9_a_listener_may_come_before_its_sender() {
    let (router, log) = (Router::new(), Log::default());
    let _listener = log.listen(&router, "early", "S/e");
    let [placeholder] = router.senders().try_into().unwrap();
    assert_eq!(
        (placeholder.name.as_str(), placeholder.connected, placeholder.listeners),
        ("S", false, 1)
    );

    let sender = router.add_sender("S").event("e").connect().unwrap();
    assert!(router.senders()[0].connected);
    sender.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["early S/e"]);
}

#[test]
fn p10_a_listener_on_an_event_that_is_not_declared_waits_for_it() {
    let (router, log) = (Router::new(), Log::default());
    let sender = router.add_sender("S").event("other").connect().unwrap();
    let _listener = log.listen(&router, "hopeful", "S/e");
    drop(sender);
    let sender = router.add_sender("S").event("e").connect().unwrap();
    sender.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["hopeful S/e"]);
}

#[test]
fn p11_a_sender_that_connects_detaches_nobody() {
    let (router, log) = (Router::new(), Log::default());
    let e = log.listen(&router, "specific", "S/e");
    let _others = [
        log.listen(&router, "sender", "S"),
        log.listen(&router, "presence", "S/#connect"),
    ];
    let first = router.add_sender("S").event("other").connect().unwrap();
    assert_eq!(log.take(), ["sender S/#connect", "presence S/#connect"]);
    assert!(matches!(first.signal("e"), Err(SignalError::NoSuchEvent { .. })));
    drop(first);

    let again = router.add_sender("S").event("e").connect().unwrap();
    log.take();
    again.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["sender S/e", "specific S/e"]);
    drop(e);
    again.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["sender S/e"]);
}

#[test]
fn p12_a_listener_survives_that_its_event_is_missing_for_a_while() {
    let (router, log) = (Router::new(), Log::default());
    let _listener = log.listen(&router, "L", "S/e");
    for events in [["e", "x"], ["x", "y"], ["y", "e"]] {
        let sender = router.add_sender("S").events(events).connect().unwrap();
        if let Ok(signal) = sender.signal("e") {
            signal.try_trigger(&()).unwrap();
        }
    }
    assert_eq!(log.take(), ["L S/e", "L S/e"]);
}

#[test]
fn p13_unlistening_ends_that_listener_and_the_last_one_forgets_the_sender() {
    let (router, log) = (Router::new(), Log::default());
    let keep = log.listen(&router, "keep", "S/e");
    let end = log.listen(&router, "end", "S/e");
    let any = log.listen(&router, "any", "*");
    let listeners = |router: &Router| router.senders().first().map(|sender| sender.listeners);
    assert_eq!(listeners(&router), Some(2));
    drop(end);
    assert_eq!(listeners(&router), Some(1));

    let sender = router.add_sender("S").event("e").connect().unwrap();
    log.take();
    sender.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(log.take(), ["any S/e", "keep S/e"]);
    drop(sender);

    // Nobody names it any more. Who listens to everything keeps nobody.
    drop(keep);
    assert_eq!(router.senders(), []);
    drop(any);
}
