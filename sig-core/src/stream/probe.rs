//! A router's end that records what a carrier reports, for the tests of this crate and of the carriers.

#![allow(dead_code, reason = "each test crate uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sig_core::bytes::{Bytes, BytesMut};
use sig_core::{
    Batch, Call, Carrier, CarrierError, ClientId, Disconnect, Encoding, HELLO_MAX_FRAME, Inbound, Message, PeerInfo,
    RawJson, Reason, Receiver, Tasks, Uplink,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// One thing that a carrier reported.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Connected(ClientId, PeerInfo),
    Frame(ClientId, Bytes),
    Value(ClientId, Message),
    /// An empty batch.
    Nothing(ClientId),
    Disconnected(ClientId, Disconnect),
}

#[derive(Debug)]
struct Log {
    seen: Mutex<VecDeque<Seen>>,
    changed: Notify,
    max_frame: AtomicUsize,
    refusing: AtomicBool,
}

impl Log {
    fn push(&self, seen: Seen) {
        self.seen.lock().unwrap().push_back(seen);
        self.changed.notify_one();
    }

    async fn next(&self) -> Seen {
        loop {
            if let Some(seen) = self.seen.lock().unwrap().pop_front() {
                return seen;
            }
            within("a report of the carrier", self.changed.notified()).await;
        }
    }
}

#[derive(Debug)]
struct Router(Arc<Log>);

impl Inbound for Router {
    fn admit(&self, id: ClientId, peer: PeerInfo) -> Result<Arc<dyn Receiver>, CarrierError> {
        if self.0.refusing.load(Ordering::Relaxed) {
            return Err(CarrierError::Refused("full".to_owned()));
        }
        self.0.push(Seen::Connected(id, peer));
        Ok(Arc::new(Session {
            id,
            log: Arc::clone(&self.0),
        }))
    }

    fn all_disconnected(&self, _: Disconnect) {}
}

#[derive(Debug)]
struct Session {
    id: ClientId,
    log: Arc<Log>,
}

impl Receiver for Session {
    fn deliver(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        if batch.is_empty() {
            self.log.push(Seen::Nothing(self.id));
        }
        while let Some(message) = batch.next_message() {
            self.log.push(Seen::Value(self.id, message));
        }
        while let Some(frame) = batch.next_frame() {
            if frame.ends_with(b"break") {
                return Err(CarrierError::Other("the client broke a rule".to_owned()));
            }
            self.log.push(Seen::Frame(self.id, frame));
        }
        Ok(())
    }

    fn retire(&self, why: Disconnect) {
        self.log.push(Seen::Disconnected(self.id, why));
    }

    fn max_frame(&self) -> usize {
        self.log.max_frame.load(Ordering::Relaxed)
    }
}

/// One carrier, running, with the record of what it reported. Dropping it stops it.
pub(crate) struct Side<C: ?Sized = dyn Carrier> {
    pub(crate) carrier: Arc<C>,
    log: Arc<Log>,
    tasks: Tasks,
    runs: JoinSet<Result<(), CarrierError>>,
}

impl<C: Carrier> Side<C> {
    /// Runs the carrier.
    pub(crate) fn start(carrier: impl Into<Arc<C>>) -> Self {
        let log = Arc::new(Log {
            seen: Mutex::default(),
            changed: Notify::new(),
            max_frame: AtomicUsize::new(HELLO_MAX_FRAME),
            refusing: AtomicBool::new(false),
        });
        let mut side = Self {
            carrier: carrier.into(),
            log,
            tasks: Tasks::new().unwrap(),
            runs: JoinSet::new(),
        };
        side.run();
        side
    }

    /// Runs the carrier again, after [`ended`](Self::ended).
    pub(crate) fn run(&mut self) {
        self.tasks = Tasks::new().unwrap();
        let uplink = Uplink::new(Arc::new(Router(Arc::clone(&self.log))), self.tasks.clone());
        self.runs.spawn(Arc::clone(&self.carrier).run(uplink));
    }

    /// Asks the carrier to stop.
    pub(crate) fn stop(&self) {
        self.tasks.stop();
    }

    /// Waits until the run has ended and no task of it is left.
    pub(crate) async fn ended(&mut self) -> Result<(), CarrierError> {
        let ended = within("the run to end", self.runs.join_next()).await;
        assert_eq!(self.tasks.count(), 0, "tasks outlive the run");
        ended.expect("the carrier runs").expect("the run does not panic")
    }

    /// Asks the carrier to stop, and waits.
    pub(crate) async fn stopped(&mut self) -> Result<(), CarrierError> {
        self.stop();
        self.ended().await
    }

    /// Drops the run and its tasks where they are.
    pub(crate) async fn kill(&mut self) {
        self.runs.shutdown().await;
        self.tasks.abort();
        assert_eq!(self.tasks.shutdown(Duration::ZERO).await, 0);
    }

    /// Sets what [`Client::max_frame`](sig_core::Client::max_frame) answers.
    pub(crate) fn set_max_frame(&self, max_frame: usize) {
        self.log.max_frame.store(max_frame, Ordering::Relaxed);
    }

    /// Takes no client from now on.
    pub(crate) fn refuse(&self) {
        self.log.refusing.store(true, Ordering::Relaxed);
    }

    /// Runs a dialler again and again until it has a link.
    pub(crate) async fn reconnected(&mut self) -> (ClientId, PeerInfo) {
        loop {
            self.run();
            tokio::select! {
                seen = self.log.next() => match seen {
                    Seen::Connected(id, peer) => return (id, peer),
                    other => panic!("expected a client, got {other:?}"),
                },
                Some(ended) = self.runs.join_next() => assert!(ended.unwrap().is_err(), "a run without a link is an error"),
            }
        }
    }

    /// The next thing that the carrier reported.
    pub(crate) async fn next(&self) -> Seen {
        self.log.next().await
    }

    /// Whether nothing has been reported that was not taken.
    pub(crate) fn is_quiet(&self) -> bool {
        self.log.seen.lock().unwrap().is_empty()
    }

    /// The next report, which must be a new client.
    pub(crate) async fn connected(&self) -> (ClientId, PeerInfo) {
        match self.next().await {
            Seen::Connected(id, peer) => (id, peer),
            other => panic!("expected a client, got {other:?}"),
        }
    }

    /// The next report, which must be a frame.
    pub(crate) async fn frame(&self) -> Bytes {
        match self.next().await {
            Seen::Frame(_, frame) => frame,
            other => panic!("expected a frame, got {other:?}"),
        }
    }

    /// The next report, which must be the id of a numbered call, packed or not.
    pub(crate) async fn number(&self) -> u64 {
        match self.next().await {
            Seen::Frame(_, frame) => number_in(&frame),
            Seen::Value(_, Message::Call(call)) => call.id.and_then(|id| id.number()).unwrap(),
            other => panic!("expected a message, got {other:?}"),
        }
    }

    /// The next report, which must be that a client is gone.
    pub(crate) async fn disconnected(&self) -> (ClientId, Disconnect) {
        match self.next().await {
            Seen::Disconnected(id, why) => (id, why),
            other => panic!("expected a client to leave, got {other:?}"),
        }
    }

    /// Sends numbered calls to a client, in one batch.
    pub(crate) async fn send(
        &self,
        client: ClientId,
        peer: &PeerInfo,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<(), CarrierError> {
        let mut batch = Batch::new(peer.encoding);
        for number in numbers {
            let call = Message::from(Call::new(number, "m", RawJson::null()));
            if peer.encoding == Encoding::Packed {
                let mut packed = BytesMut::new();
                self.carrier.pack(peer, &call, &mut packed)?;
                batch.push_frame(packed.freeze());
            } else {
                batch.push_message(call)?;
            }
        }
        self.carrier.handle_tx(client, &mut batch).await?;
        assert!(batch.is_empty(), "handle_tx drains the batch");
        Ok(())
    }

    /// Throws a client out.
    pub(crate) fn kick(&self, client: ClientId) {
        self.carrier
            .close_client(client, &Disconnect::new(Reason::Kicked, "test"));
    }
}

impl<C: ?Sized> Drop for Side<C> {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

impl<C: fmt::Debug + ?Sized> fmt::Debug for Side<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.carrier.fmt(f)
    }
}

/// The id of the call in a frame: JSON with or without the two bytes in front of a control frame.
fn number_in(frame: &[u8]) -> u64 {
    let start = frame.iter().position(|&byte| byte == b'{').unwrap_or_default();
    let message = sig_core::Codec::unpack(&sig_core::Json, Bytes::copy_from_slice(&frame[start..])).unwrap();
    match message {
        Message::Call(call) => call.id.and_then(|id| id.number()).unwrap(),
        other => panic!("expected a call, got {other:?}"),
    }
}

/// What the future gives, within the patience of a test.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}
