//! The in-process carrier.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

#[path = "../../shared/suite.rs"]
mod suite;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sig_carrier_local::{Dialer, Local, pair};
use sig_core::{Batch, Carrier as _, CarrierError, Encoding, EventMessage, Message, Payload, Reason};
use suite::Pair;
use suite::probe::{Seen, Side};

async fn connect() -> Pair<Local, Dialer> {
    let (hub, dialer) = pair();
    Pair::connect(hub, dialer).await
}

#[tokio::test]
async fn messages_arrive_in_order_and_once() {
    suite::order(connect().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_in_order_and_once_on_several_threads() {
    suite::order(connect().await).await;
}

#[tokio::test]
async fn a_kick_ends_the_link() {
    suite::kick(connect().await).await;
}

#[tokio::test]
async fn a_dialer_that_stops_says_goodbye() {
    suite::dialer_stops(connect().await).await;
}

#[tokio::test]
async fn a_lost_peer_is_noticed() {
    suite::peer_loss(connect).await;

    let mut pair = connect().await;
    pair.client.kill().await;
    assert_eq!(pair.server.disconnected().await.1.reason, Reason::LinkLost);
}

#[tokio::test]
async fn a_hub_can_be_restarted() {
    suite::restart(connect().await).await;
}

#[tokio::test]
async fn either_side_may_run_first() {
    let (hub, dialer) = pair();
    let mut client = Side::start(dialer);
    let error = client.ended().await.unwrap_err();
    assert!(matches!(error, CarrierError::Connect { .. }), "{error}");
    let server = Side::start(hub);
    client.reconnected().await;
    server.connected().await;
}

#[tokio::test]
async fn one_hub_takes_many_dialers() {
    let hub = Local::new();
    let dialers: Vec<Dialer> = (0..20).map(|_| hub.dialer()).collect();
    let server = Side::start(hub);
    tokio::task::yield_now().await;
    for (number, dialer) in (0..).zip(dialers) {
        let client = Side::start(dialer);
        let (id, info) = client.connected().await;
        let (at_server, back) = server.connected().await;
        client.send(id, &info, [number]).await.unwrap();
        assert_eq!(server.number().await, number);
        server.send(at_server, &back, [number]).await.unwrap();
        assert_eq!(client.number().await, number);
        drop(client);
        assert_eq!(server.disconnected().await.0, at_server);
    }
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
    pair.client.carrier.handle_tx(*id, &mut batch).await.unwrap();
    assert!(batch.is_empty() && batch.encoding() == Encoding::Values);
    match pair.server.next().await {
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

    let (stuck, ()) = tokio::join!(pair.client.send(*id, info, [65]), async { pair.client.kick(*id) });
    assert!(matches!(stuck, Err(CarrierError::UnknownClient(_))), "{stuck:?}");
}
