//! What every carrier must do, as tests over a listening and a dialling carrier.

#![allow(dead_code, reason = "each carrier uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

#[path = "../../sig-core/src/stream/probe.rs"]
pub(crate) mod probe;

use std::any::Any;

use probe::Side;
use sig_core::{Carrier, CarrierError, ClientId, PeerInfo, Reason};

/// A listening carrier with one client, seen from both ends.
#[derive(Debug)]
pub(crate) struct Pair<L, D> {
    pub(crate) server: Side<L>,
    pub(crate) client: Side<D>,
    /// The client as the server knows it.
    pub(crate) at_server: (ClientId, PeerInfo),
    /// The server as the client knows it.
    pub(crate) at_client: (ClientId, PeerInfo),
    /// What must live as long, such as a scratch directory.
    keep: Option<Box<dyn Any>>,
}

impl<L: Carrier, D: Carrier> Pair<L, D> {
    pub(crate) async fn connect(listener: L, dialer: D) -> Self {
        let server = Side::start(listener);
        // The dialer may be faster than the listener's first poll.
        tokio::task::yield_now().await;
        let client = Side::start(dialer);
        let at_server = server.connected().await;
        let at_client = client.connected().await;
        Self {
            server,
            client,
            at_server,
            at_client,
            keep: None,
        }
    }

    /// The pair, with something that must live as long.
    pub(crate) fn keeping(self, keep: impl Any) -> Self {
        let keep: Option<Box<dyn Any>> = Some(Box::new(keep));
        Self { keep, ..self }
    }

    async fn send_up(&self, numbers: std::ops::Range<u64>) -> Result<(), CarrierError> {
        self.client.send(self.at_client.0, &self.at_client.1, numbers).await
    }

    async fn send_down(&self, numbers: std::ops::Range<u64>) -> Result<(), CarrierError> {
        self.server.send(self.at_server.0, &self.at_server.1, numbers).await
    }

    /// Messages pass both ways.
    pub(crate) async fn works(&self) {
        self.send_up(0..3).await.unwrap();
        self.send_down(0..3).await.unwrap();
        for number in 0..3 {
            assert_eq!(self.server.number().await, number);
            assert_eq!(self.client.number().await, number);
        }
    }
}

/// 100,000 messages each way at the same time, in batches of all sizes, arrive in order and once.
pub(crate) async fn order(pair: Pair<impl Carrier, impl Carrier>) {
    const MESSAGES: u64 = 100_000;
    let batches = || {
        let mut next = 0;
        (1..).map_while(move |step: u64| {
            let batch = next..MESSAGES.min(next + step % 997);
            next = batch.end;
            (batch.start < MESSAGES).then_some(batch)
        })
    };
    let up = async {
        for batch in batches() {
            pair.send_up(batch).await.unwrap();
        }
    };
    let down = async {
        for batch in batches() {
            pair.send_down(batch).await.unwrap();
        }
    };
    let received = async {
        for number in 0..MESSAGES {
            assert_eq!(
                (pair.server.number().await, pair.client.number().await),
                (number, number)
            );
        }
    };
    tokio::join!(up, down, received);
    assert!(pair.server.is_quiet() && pair.client.is_quiet());
}

/// A kick ends the link at once on this side, and soon on the other.
pub(crate) async fn kick(mut pair: Pair<impl Carrier, impl Carrier>) {
    pair.works().await;
    let id = pair.at_server.0;
    pair.server.kick(id);
    pair.server.kick(id);
    let (gone, why) = pair.server.disconnected().await;
    assert_eq!((gone, why.reason), (id, Reason::Kicked));
    assert!(matches!(pair.send_down(0..1).await, Err(CarrierError::UnknownClient(unknown)) if unknown == id));
    assert_eq!(pair.client.disconnected().await.0, pair.at_client.0);
    pair.client.ended().await.unwrap();
    pair.server.kick(id);
    pair.server.stopped().await.unwrap();
    assert!(
        pair.server.is_quiet() && pair.client.is_quiet(),
        "nothing is reported twice"
    );
}

/// A dialer that stops says goodbye.
pub(crate) async fn dialer_stops(mut pair: Pair<impl Carrier, impl Carrier>) {
    pair.works().await;
    pair.send_up(0..100).await.unwrap();
    pair.client.stopped().await.unwrap();
    for number in 0..100 {
        assert_eq!(pair.server.number().await, number);
    }
    assert_eq!(pair.server.disconnected().await.1.reason, Reason::Closed);
    assert_eq!(pair.client.disconnected().await.1.reason, Reason::Closed);
}

/// A side that is dropped in the middle of things is noticed by the other.
pub(crate) async fn peer_loss<L: Carrier, D: Carrier>(connect: impl AsyncFn() -> Pair<L, D>) {
    let mut pair = connect().await;
    pair.works().await;
    pair.client.kill().await;
    assert_eq!(pair.client.disconnected().await.1.reason, Reason::LinkLost);
    assert_eq!(pair.server.disconnected().await.0, pair.at_server.0);
    pair.server.stopped().await.unwrap();

    let mut pair = connect().await;
    pair.works().await;
    pair.server.kill().await;
    assert_eq!(pair.server.disconnected().await.1.reason, Reason::LinkLost);
    assert_eq!(pair.client.disconnected().await.0, pair.at_client.0);
    let _good_order_or_not = pair.client.ended().await;
}

/// The listener stops, and runs again at the same place at once; the dialer comes back.
pub(crate) async fn restart<L: Carrier, D: Carrier>(mut pair: Pair<L, D>) {
    for _ in 0..3 {
        pair.works().await;
        pair.server.stopped().await.unwrap();
        assert_eq!(pair.server.disconnected().await.1.reason, Reason::Closed);
        pair.client.disconnected().await;
        pair.client.ended().await.unwrap();

        pair.client.run();
        let error = pair.client.ended().await.unwrap_err();
        assert!(matches!(error, CarrierError::Connect { .. }), "{error}");

        pair.server.run();
        pair.at_client = pair.client.reconnected().await;
        pair.at_server = pair.server.connected().await;
    }
}
