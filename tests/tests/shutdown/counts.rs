//! What `close` returns when peers do not take what waits for them.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::json;
use sig_core::StreamCarrier;
use sig_router::{ClientRouter, Closed, Event, ServerRouter, Signal, TriggerError};
use sig_tests::media::NarrowListener;
use sig_tests::raw::{Raw, hello};
use sig_tests::rig::{TcpServer, WAIT, client_of, client_over, connected, holds, soon};
use sig_tests::valve::Valve;
use tokio::net::TcpSocket;
use tokio::time::Instant;

const EVENTS: u64 = 1000;

const GRACE: Duration = Duration::from_millis(400);

/// How much later than its deadline `close` may return: a machine may be busy. What it must not wait for takes longer by far, and in
/// paused time it is exact.
const TOLERANCE: Duration = Duration::from_secs(2);

/// Closes within [`GRACE`] and checks that it ends by its deadline.
async fn by_the_deadline(closing: impl Future<Output = Closed>) -> Closed {
    let began = Instant::now();
    let closed = closing.await;
    let took = began.elapsed();
    assert!(took <= GRACE + TOLERANCE, "took {took:?}");
    closed
}

/// Triggers without ever letting another task of this thread run, so that all of it waits.
fn trigger(signal: &Signal, numbers: Range<u64>) {
    let data = "x".repeat(900);
    for number in numbers {
        signal
            .try_trigger(&data)
            .unwrap_or_else(|error| panic!("event {number}: {error}"));
    }
}

/// A client that asked for all events of the sender `s`, and reads nothing from then on.
async fn frozen(address: &str) -> Raw {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut raw = Raw::over(socket.connect(address.parse().unwrap()).await.unwrap());
    raw.open(&hello()).await;
    let params = json!({ "listener_id": 1, "sender": "s", "event": "e" });
    assert_eq!(raw.call(1, "add_listener", &params).await["status"], 0);
    raw
}

/// A server whose clients' streams are narrow, and its address.
fn narrow() -> (ServerRouter, String) {
    let (server, listener) = (ServerRouter::new().unwrap(), NarrowListener::bind());
    let address = listener.address.to_string();
    server.attach(Arc::new(StreamCarrier::new(listener)));
    (server, address)
}

/// A server behind a valve, and its client, which listens to all events of the sender `s`.
async fn behind_a_valve() -> (ServerRouter, Arc<Valve>, ClientRouter, sig_router::RemoteEventStream) {
    let (hub, dialer) = sig_carrier_local::pair();
    let (server, valve) = (ServerRouter::new().unwrap(), Valve::around(hub));
    server.attach(valve.clone());
    let client = client_over(dialer);
    let events = client.listen_remote("s/e").await.unwrap();
    (server, valve, client, events)
}

#[tokio::test]
async fn promise_9_a_frozen_peer_does_not_hold_close_up_and_its_events_are_counted() {
    let (server, address) = narrow();
    let sender = server.add_sender("s").event("e").connect().unwrap();
    let _frozen = frozen(&address).await;
    trigger(&sender.signal("e").unwrap(), 0..EVENTS);
    let closed = by_the_deadline(server.close(GRACE)).await;
    assert_eq!(closed.flushed + closed.dropped, EVENTS, "{closed:?}");
    assert!(closed.dropped > 0, "the peer took it all: {closed:?}");
    assert_eq!(server.close(GRACE).await, Closed::default(), "nothing is left");
}

#[tokio::test]
async fn promise_9_a_frozen_peer_costs_the_others_nothing_at_the_end() {
    let (server, address) = narrow();
    let sender = server.add_sender("s").event("e").connect().unwrap();
    let (client, _frozen) = (client_of(&address), frozen(&address).await);
    let mut events = client.listen_remote("s/e").await.unwrap();
    trigger(&sender.signal("e").unwrap(), 0..EVENTS);
    let reading = async {
        for number in 1..=EVENTS {
            assert_eq!(soon("an event", events.recv()).await.unwrap().unwrap().number(), number);
        }
    };
    let (closed, ()) = tokio::join!(by_the_deadline(server.close(GRACE)), reading);
    assert_eq!(closed.flushed + closed.dropped, 2 * EVENTS, "{closed:?}");
    assert!(closed.flushed >= EVENTS && closed.dropped > 0, "{closed:?}");
}

#[tokio::test]
async fn promise_9_what_goes_out_before_the_link_freezes_is_flushed_and_the_rest_dropped() {
    let (server, valve, _client, mut events) = behind_a_valve().await;
    let sender = server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    valve.close();
    // One batch is in the carrier's hands, another one is behind it.
    trigger(&signal, 0..300);
    tokio::task::yield_now().await;
    trigger(&signal, 300..EVENTS);
    let letting = async {
        valve.let_out(1);
        for number in 1..=300 {
            assert_eq!(soon("an event", events.recv()).await.unwrap().unwrap().number(), number);
        }
    };
    let (closed, ()) = tokio::join!(by_the_deadline(server.close(GRACE)), letting);
    assert_eq!((closed.flushed, closed.dropped), (300, 700), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn promise_9_the_deadline_holds_in_paused_time_too() {
    let (server, valve, _client, _events) = behind_a_valve().await;
    let sender = server.add_sender("s").event("e").connect().unwrap();
    valve.close();
    trigger(&sender.signal("e").unwrap(), 0..EVENTS);
    let began = Instant::now();
    let closed = server.close(GRACE).await;
    assert!(began.elapsed() <= GRACE, "{:?}", began.elapsed());
    assert_eq!((closed.flushed, closed.dropped), (0, EVENTS), "{closed:?}");
}

#[tokio::test]
async fn promise_9_a_client_counts_its_last_events_in_the_same_way() {
    let (hub, dialer) = sig_carrier_local::pair();
    let server = ServerRouter::new().unwrap();
    server.attach(Arc::new(hub));
    let mut events = server.listen("s/e").unwrap();
    let valve = Valve::around(dialer);
    let client = ClientRouter::connect(valve.clone()).unwrap();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    connected(&client).await;
    let signal = sender.signal("e").unwrap();
    valve.close();
    trigger(&signal, 0..30);
    tokio::task::yield_now().await;
    trigger(&signal, 30..100);
    valve.let_out(1);
    let closed = by_the_deadline(client.close(GRACE)).await;
    assert_eq!((closed.flushed, closed.dropped), (30, 70), "{closed:?}");
    for number in 1..=30 {
        assert_eq!(soon("an event", events.recv()).await.unwrap().unwrap().number(), number);
    }
    assert_eq!(client.close(GRACE).await, Closed::default(), "nothing is left");
}

#[tokio::test]
async fn promise_9_peers_that_take_everything_leave_nothing_dropped() {
    let (server, _valve, _client, mut events) = behind_a_valve().await;
    let sender = server.add_sender("s").event("e").connect().unwrap();
    trigger(&sender.signal("e").unwrap(), 0..EVENTS);
    let reading = async { while soon("the end", events.recv()).await.unwrap().unwrap().number() < EVENTS {} };
    let (closed, ()) = tokio::join!(server.close(WAIT), reading);
    assert_eq!(
        (closed.flushed, closed.dropped, closed.aborted),
        (EVENTS, 0, 0),
        "{closed:?}"
    );
}

/// Triggers until there is no room.
async fn fill(signal: &Signal) {
    let data = "x".repeat(20_000);
    for _ in 0..2 {
        while signal.try_trigger(&data).is_ok() {}
        // One batch goes into the carrier's hands.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn promise_9_a_trigger_that_waits_for_room_errs_when_the_server_closes() {
    let (server, valve, _client, _events) = behind_a_valve().await;
    let sender = server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    valve.close();
    fill(&signal).await;
    let (triggered, closed) = tokio::join!(biased; signal.trigger(&1), by_the_deadline(server.close(GRACE)));
    assert!(matches!(triggered, Err(TriggerError::Closed)), "{triggered:?}");
    assert!(closed.dropped > 0, "{closed:?}");
}

#[tokio::test]
async fn promise_9_a_trigger_that_waits_for_credit_errs_when_its_client_closes() {
    let (hub, dialer) = sig_carrier_local::pair();
    let server = ServerRouter::new().unwrap();
    server.attach(Arc::new(hub));
    let valve = Valve::around(dialer);
    let client = ClientRouter::connect(valve.clone()).unwrap();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    valve.close();
    fill(&signal).await;
    let (triggered, closed) = tokio::join!(biased; signal.trigger(&1), by_the_deadline(client.close(GRACE)));
    assert!(
        matches!(triggered, Err(TriggerError::SenderGone { .. })),
        "{triggered:?}"
    );
    assert!(closed.dropped > 0, "{closed:?}");
}

#[tokio::test]
async fn promise_9_every_event_that_a_closing_client_takes_is_counted() {
    let (hub, dialer) = sig_carrier_local::pair();
    let server = ServerRouter::new().unwrap();
    server.attach(Arc::new(hub));
    let valve = Valve::around(dialer);
    let client = ClientRouter::connect(valve.clone()).unwrap();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    valve.close();
    let triggering = async {
        let mut taken = 0;
        loop {
            match signal.try_trigger(&taken) {
                Ok(()) => taken += 1,
                Err(error) => return (taken, error),
            }
            tokio::task::yield_now().await;
        }
    };
    let (closed, (taken, error)) = tokio::join!(by_the_deadline(client.close(GRACE)), triggering);
    assert!(matches!(error, TriggerError::SenderGone { .. }), "{error:?}");
    assert_eq!(closed.flushed + closed.dropped, taken, "{closed:?}");
}

#[tokio::test]
async fn promise_9_a_function_that_blocks_does_not_hold_close_up() {
    let server = TcpServer::start();
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    // A function that blocks may keep a whole runtime of one thread from anything else: it has one of its own.
    let own = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let client = {
        let _inside = own.enter();
        server.client()
    };
    let (go_on, blocked) = mpsc::sync_channel::<()>(1);
    let (called, calls) = (Arc::new(AtomicBool::new(false)), Mutex::new(blocked));
    let noticed = called.clone();
    let _listener = client
        .add_remote_listener("s/e", move |_: &Event<'_>| {
            noticed.store(true, Ordering::Release);
            let _ = calls.lock().unwrap().recv();
        })
        .await
        .unwrap();
    sender.signal("e").unwrap().trigger(&1).await.unwrap();
    holds("the call", || called.load(Ordering::Acquire)).await;
    let closed = by_the_deadline(client.close(GRACE)).await;
    drop(go_on);
    own.shutdown_background();
    assert!(closed.aborted > 0, "{closed:?}");
}
