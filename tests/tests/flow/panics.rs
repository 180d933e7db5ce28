//! Promise 7: a listener that panics, among five; one that ends itself; and what is said of it.

use std::sync::{Arc, Mutex};

use sig_router::{Event, Listener, RemoteListener, Router, Sender};
use sig_tests::log::Log;
use sig_tests::rig::{TcpServer, soon};
use tokio::sync::mpsc;

const EVENTS: u64 = 50;

/// A function that tells which listener heard which event; the middle one of five panics at each.
fn one_of_five(n: usize, heard: mpsc::Sender<(usize, u64)>) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
    move |event: &Event<'_>| {
        heard.try_send((n, event.number())).unwrap();
        assert_ne!(n, 2, "the middle one is broken");
    }
}

/// Every one of the five heard every event, in order.
async fn all_heard(hears: &mut mpsc::Receiver<(usize, u64)>) {
    let mut last = [0; 5];
    while last != [EVENTS; 5] {
        let (listener, number) = soon("a listener", hears.recv()).await.unwrap();
        assert_eq!(number, last[listener] + 1, "listener {listener}");
        last[listener] = number;
    }
}

async fn told(log: &Log) {
    let line = log.line("the middle one is broken").await;
    for part in ["a listener panicked", "sender=meter", "event=volt", "panics.rs:"] {
        assert!(line.contains(part), "no {part} in: {line}");
    }
}

#[tokio::test]
async fn promise_7_a_panicking_listener_among_five_in_one_program() {
    let log = Log::capture();
    let router = Router::new();
    let sender = router.add_sender("meter").event("volt").connect().unwrap();
    let signal = sender.signal("volt").unwrap();
    let (heard, mut hears) = mpsc::channel(1000);
    // Of every kind, so that the broken one has some before and some behind it.
    let topics = ["*", "meter", "meter", "meter/volt", "meter/volt"];
    let _listeners: Vec<_> = topics
        .iter()
        .enumerate()
        .map(|(n, topic)| router.add_listener(*topic, one_of_five(n, heard.clone())).unwrap())
        .collect();
    (0..EVENTS).for_each(|_| signal.try_trigger(&()).unwrap());
    all_heard(&mut hears).await;
    told(&log).await;
}

#[tokio::test]
async fn promise_7_a_panicking_listener_among_five_of_a_client() {
    let log = Log::capture();
    let server = TcpServer::start();
    let (publisher, client) = (server.client(), server.client());
    let (heard, mut hears) = mpsc::channel(1000);
    let mut listeners = Vec::new();
    for n in 0..5 {
        let listener = client.add_remote_listener("meter/volt", one_of_five(n, heard.clone()));
        listeners.push(listener.await.unwrap());
    }
    let sender = publisher
        .add_remote_sender("meter")
        .event("volt")
        .connect()
        .await
        .unwrap();
    let signal = sender.signal("volt").unwrap();
    for _ in 0..EVENTS {
        signal.trigger(&()).await.unwrap();
    }
    all_heard(&mut hears).await;
    told(&log).await;
}

/// One that is triggered from inside the call in which its guard goes, and once more after that.
#[test]
fn promise_7_a_guard_dropped_inside_its_own_call_is_safe_with_a_trigger_before_and_after() {
    let router = Router::new();
    let sender: Arc<Sender> = Arc::new(router.add_sender("s").event("e").connect().unwrap());
    let own: Arc<Mutex<Option<Listener>>> = Arc::default();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (slot, calls, inner) = (Arc::clone(&own), Arc::clone(&heard), Arc::clone(&sender));
    let listener = router.add_listener("s/e", move |event: &Event<'_>| {
        calls.lock().unwrap().push(event.number());
        if event.number() == 1 {
            inner.signal("e").unwrap().try_trigger(&()).unwrap();
            drop(slot.lock().unwrap().take());
            inner.signal("e").unwrap().try_trigger(&()).unwrap();
        }
    });
    *own.lock().unwrap() = Some(listener.unwrap());
    let signal = sender.signal("e").unwrap();
    (0..2).for_each(|_| signal.try_trigger(&()).unwrap());
    assert_eq!(*heard.lock().unwrap(), [1, 2]);
    drop(own);
    assert_eq!(Arc::strong_count(&sender), 1, "what the function owned is gone");
}

/// The guard goes inside the call, which then panics.
#[tokio::test]
async fn promise_7_a_listener_of_a_client_may_end_itself_and_panic() {
    let server = TcpServer::start();
    let client = server.client();
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    let own: Arc<Mutex<Option<RemoteListener>>> = Arc::default();
    let (heard, mut hears) = mpsc::channel(100);
    let (slot, tell) = (Arc::clone(&own), heard.clone());
    let listener = client.add_remote_listener("s/e", move |event: &Event<'_>| {
        tell.try_send(("once", event.number())).unwrap();
        drop(slot.lock().unwrap().take());
        panic!("and it is broken");
    });
    *own.lock().unwrap() = Some(listener.await.unwrap());
    let always = client.add_remote_listener("s/e", move |event: &Event<'_>| {
        heard.try_send(("always", event.number())).unwrap();
    });
    let _always = always.await.unwrap();
    let signal = sender.signal("e").unwrap();
    for _ in 0..3 {
        signal.trigger(&()).await.unwrap();
    }
    let mut all = Vec::new();
    while all.len() < 4 {
        all.push(soon("a listener", hears.recv()).await.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, [("always", 1), ("always", 2), ("always", 3), ("once", 1)]);
}
