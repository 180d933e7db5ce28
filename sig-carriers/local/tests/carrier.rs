//! What is particular about carriers in one process. That they keep the contract is in contract.rs.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use sig_carrier_local::pair;
use sig_conformance::{Probe, Seen};
use sig_core::{Batch, Carrier, CarrierError, ClientId, Encoding, EventMessage, Message, Payload, PeerInfo, Reason};

/// A listening carrier with one client, seen from the dialler.
struct Pair {
    server: Probe,
    client: Probe,
    at_client: (ClientId, PeerInfo),
}

impl Pair {
    async fn connect(listener: impl Carrier, dialer: impl Carrier) -> Self {
        let (mut server, mut client) = (Probe::start(Arc::new(listener)), Probe::start(Arc::new(dialer)));
        let at_client = client.connected().await.unwrap();
        server.connected().await.unwrap();
        Self {
            server,
            client,
            at_client,
        }
    }
}

async fn connect() -> Pair {
    let (hub, dialer) = pair();
    Pair::connect(hub, dialer).await
}

#[tokio::test]
async fn a_dialer_that_is_dropped_is_a_lost_link() {
    let mut pair = connect().await;
    pair.client.kill().await;
    let (_, why) = pair.server.disconnected("after the dialer was dropped").await.unwrap();
    assert_eq!(why.reason, Reason::LinkLost);
}

#[tokio::test]
async fn either_side_may_run_first() {
    let (hub, dialer) = pair();
    let mut client = Probe::start(Arc::new(dialer));
    let error = client.ended().await.unwrap().unwrap_err();
    assert!(matches!(error, CarrierError::Connect { .. }), "{error}");
    let mut server = Probe::start(Arc::new(hub));
    client.run();
    client.connected().await.unwrap();
    server.connected().await.unwrap();
}

#[tokio::test]
async fn messages_pass_unpacked() {
    let pair = connect().await;
    let (id, info) = &pair.at_client;
    assert_eq!(info.encoding, Encoding::Values);
    let payload = Payload::from_bytes(vec![7; 1000]);
    let event = EventMessage {
        alias: 1,
        number: 2,
        ext: Default::default(),
        payload: payload.clone(),
    };
    let mut batch = Batch::of_values([Message::Event(event.clone())]);
    pair.client.carrier().handle_tx(*id, &mut batch).await.unwrap();
    assert!(batch.is_empty() && batch.encoding() == Encoding::Values);
    match pair.server.next("the event").await.unwrap() {
        Seen::Value(_, Message::Event(got)) => {
            assert_eq!(got, event);
            assert_eq!(
                got.payload.bytes().as_ptr(),
                payload.bytes().as_ptr(),
                "the very same bytes"
            );
        }
        other => panic!("expected the event, got {other:?}"),
    }
}

#[tokio::test]
async fn a_writer_waits_for_a_peer_that_does_not_read_until_it_is_kicked() {
    let pair = connect().await;
    let (id, info) = &pair.at_client;
    // The other end is a task of this one thread: as long as this one does not wait, nobody reads.
    let mut now = Context::from_waker(Waker::noop());
    let sent = (0..1000).take_while(
        |number| match pin!(pair.client.send(*id, info, [*number])).poll(&mut now) {
            Poll::Ready(sent) => sent.is_ok(),
            Poll::Pending => false,
        },
    );
    assert_eq!(sent.count(), 64);

    let event = EventMessage {
        alias: 1,
        number: 65,
        ext: Default::default(),
        payload: Payload::null(),
    };
    let (stuck, kicked) = tokio::join!(pair.client.try_send(*id, info, [event]), async {
        pair.client.kick(*id)
    });
    kicked.unwrap();
    assert!(matches!(stuck.unwrap(), Err(CarrierError::UnknownClient(_))));
}
