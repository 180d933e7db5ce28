//! Clients that say goodbye, and stay.

use std::time::{Duration, Instant};

use serde_json::json;
use sig_router::Presence;
use sig_tests::media::NarrowListener;
use sig_tests::raw::{Raw, call, control, hello};
use sig_tests::rig::{holds, soon};
use tokio::net::TcpSocket;

use crate::neighbour::Neighbour;

fn goodbye() -> Vec<u8> {
    control(&json!({ "method": "goodbye", "params": {} }))
}

#[tokio::test]
async fn promise_10_one_that_says_goodbye_and_stays_is_let_go() {
    let mut neighbour = Neighbour::move_in().await;
    let mut presence = neighbour.server.router.listen("s").unwrap();
    let mut raw = Raw::hello(neighbour.address()).await;
    raw.call(1, "add_sender", &json!({ "sender": "s", "events": ["e"] }))
        .await;
    assert_eq!(
        soon("#connect", presence.recv())
            .await
            .unwrap()
            .unwrap()
            .name()
            .as_str(),
        "#connect"
    );
    let began = Instant::now();
    raw.send(&goodbye()).await;
    let left: Presence = soon("#disconnect", presence.recv())
        .await
        .unwrap()
        .unwrap()
        .decode()
        .unwrap();
    assert_eq!(left.reason.as_deref(), Some("closed"));
    // What it says after that is for nothing.
    let _ = raw
        .stream
        .try_write(&call(2, "add_sender", &json!({ "sender": "t", "events": ["e"] })));
    assert_eq!(raw.ended().await, None, "it has nothing to wait for");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(
        neighbour
            .server
            .router
            .senders()
            .iter()
            .all(|sender| sender.name.as_str() != "t")
    );
    neighbour.is_well().await;
}

#[tokio::test]
async fn promise_10_one_that_says_goodbye_and_reads_nothing_is_let_go_too() {
    let (server, listener) = (sig_router::ServerRouter::new().unwrap(), NarrowListener::bind());
    let address = listener.address;
    server.attach(std::sync::Arc::new(sig_core::StreamCarrier::new(listener)));
    let sender = server.add_sender("s").event("e").connect().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut raw = Raw::over(socket.connect(address).await.unwrap());
    raw.open(&hello()).await;
    raw.call(
        1,
        "add_listener",
        &json!({ "listener_id": 1, "sender": "s", "event": "e" }),
    )
    .await;
    let signal = sender.signal("e").unwrap();
    for _ in 0..500 {
        signal.try_trigger(&"x".repeat(1000)).unwrap();
    }
    raw.send(&goodbye()).await;
    let began = Instant::now();
    holds("it is gone", || server.clients().is_empty()).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
