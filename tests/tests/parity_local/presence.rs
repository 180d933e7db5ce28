//! Senders come and go, and say so: P21 to P23.

use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use sig_router::{AddSenderError, Event, EventName, Listener, NameError, Presence, Router, SignalError};

use crate::Log;

/// Names of presence events, with their data.
type Heard = Arc<Mutex<Vec<(String, Presence)>>>;

/// The presence events of a topic.
fn presence(router: &Router, topic: &'static str) -> (Listener, Heard) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let listener = router.add_listener(topic, move |event: &Event<'_>| {
        sink.lock()
            .unwrap()
            .push((event.name().to_string(), event.decode().unwrap()));
    });
    (listener.unwrap(), heard)
}

fn names(events: &[EventName]) -> Vec<&str> {
    let mut names: Vec<_> = events.iter().map(EventName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn p21_presence_belongs_to_every_sender_and_to_the_router_alone() {
    let router = Router::new();
    let sender = router.add_sender("S").event("e").connect().unwrap();
    let [info] = router.senders().try_into().unwrap();
    assert_eq!(names(&info.events), ["#connect", "#disconnect", "e"]);
    for event in ["#connect", "#disconnect"] {
        assert!(matches!(sender.signal(event), Err(SignalError::Presence { .. })));
        let error = router.add_sender("T").event(event).connect().unwrap_err();
        assert!(matches!(error, AddSenderError::Presence { .. }), "{error}");
    }
    // There is no broadcast sender that could be added or removed: `*` and names with `#` are none.
    assert!(!router.remove_sender("*"));
    assert!(matches!(
        router.add_sender("#router").event("e").connect(),
        Err(AddSenderError::Name(NameError::Reserved { .. }))
    ));
}

#[test]
fn p22_connect_tells_all_four_kinds_of_listeners_before_it_returns() {
    let (router, log) = (Router::new(), Log::default());
    let _four = [
        log.listen(&router, "specific", "S/#connect"),
        log.listen(&router, "channel", "#connect"),
        log.listen(&router, "sender", "S"),
        log.listen(&router, "router", "*"),
    ];
    let (_listener, heard) = presence(&router, "S/#connect");
    let connected = Arc::new(Mutex::new(None));
    let _checks = {
        let (inner, connected) = (router.clone(), Arc::clone(&connected));
        router.add_listener("#connect", move |_: &Event<'_>| {
            *connected.lock().unwrap() = Some(inner.senders()[0].connected);
        })
    }
    .unwrap();

    let sender = router.add_sender("S").events(["e", "#f"]).connect().unwrap();
    let order = ["router", "sender", "channel", "specific"];
    assert_eq!(log.take(), order.map(|name| format!("{name} S/#connect")));
    assert_eq!(*connected.lock().unwrap(), Some(true));
    {
        let heard = heard.lock().unwrap();
        let [(_, data)] = heard.as_slice() else {
            panic!("{heard:?}")
        };
        assert_eq!(names(&data.events), ["#connect", "#disconnect", "#f", "e"]);
        assert_eq!(data.requests, None);
        assert_eq!((data.reason.as_deref(), data.carrier.as_str()), (None, "local"));
    }
    drop(sender);

    // Methods are told by name; `None` stands for a default handler.
    heard.lock().unwrap().clear();
    let _again = router
        .add_sender("S")
        .request("m", |_| Ok(1))
        .default_request(|_| Ok(2))
        .connect()
        .unwrap();
    let heard = heard.lock().unwrap();
    assert_eq!(heard[0].1.requests, Some(vec![Some("m".to_owned()), None]));
}

#[test]
fn p22_the_payload_is_pysigs_with_more() {
    let router = Router::new();
    let text = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&text);
    let _listener = router
        .add_listener("#connect", move |event: &Event<'_>| {
            *sink.lock().unwrap() = event.payload().unwrap().json_text().unwrap().into_owned();
        })
        .unwrap();
    let _sender = router.add_sender("S").event("e").connect().unwrap();
    let data: serde_json::Value = serde_json::from_str(&text.lock().unwrap()).unwrap();
    assert_eq!(data["events"], serde_json::json!(["e", "#connect", "#disconnect"]));
    // There, and null: as pysig has it.
    assert_eq!(data.get("requests"), Some(&serde_json::Value::Null));
}

#[tokio::test]
async fn p23_disconnect_tells_the_same_when_the_sender_is_gone() {
    let router = Router::new();
    let (_listener, heard) = presence(&router, "*");
    let gone = Arc::new(Mutex::new(None));
    let _checks = {
        let (inner, gone) = (router.clone(), Arc::clone(&gone));
        router.add_listener("S/#disconnect", move |_: &Event<'_>| {
            let request = inner.request("S", "m", &()).into_future().now_or_never().unwrap();
            *gone.lock().unwrap() = Some((inner.senders()[0].connected, request.unwrap_err().code()));
        })
    }
    .unwrap();
    let sender = router
        .add_sender("S")
        .event("e")
        .request("m", |_| Ok(1))
        .connect()
        .unwrap();
    assert!(sender.remove());
    assert_eq!(*gone.lock().unwrap(), Some((false, "no_such_sender")));

    let heard = heard.lock().unwrap();
    let [(connect, was), (disconnect, is)] = heard.as_slice() else {
        panic!("{heard:?}")
    };
    assert_eq!((connect.as_str(), disconnect.as_str()), ("#connect", "#disconnect"));
    assert_eq!(
        (&was.events, &was.requests, was.generation),
        (&is.events, &is.requests, is.generation)
    );
    assert_eq!(is.reason.as_deref(), Some("removed"));
}
