//! What a carrier reported, in order.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::{Condvar, Mutex};
use sig_core::bytes::Bytes;
use sig_core::{
    Batch, Carrier, CarrierError, ClientId, Disconnect, HELLO_MAX_FRAME, Inbound, Message, PeerInfo, Receiver, Tasks,
};
use tokio::sync::Notify;

use super::wire;
use crate::Finding;

/// One thing that a carrier reported to its router.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A client was announced.
    Connected(ClientId, PeerInfo),
    /// A message arrived as the bytes of a frame.
    Frame(ClientId, Bytes),
    /// A message arrived as a value.
    Value(ClientId, Message),
    /// A client was retired.
    Disconnected(ClientId, Disconnect),
}

/// The number of the event on which a probe breaks off, when it was told to.
pub(crate) const BREAK: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Log {
    pub(super) carrier: Arc<dyn Carrier>,
    seen: Mutex<VecDeque<Seen>>,
    faults: Mutex<Vec<String>>,
    ids: Mutex<HashSet<ClientId>>,
    changed: Notify,
    pub(super) max_frame: AtomicUsize,
    pub(super) refusing: AtomicBool,
    pub(super) refused: AtomicUsize,
    pub(super) breaking: AtomicBool,
    pub(super) greeting: AtomicBool,
    /// Greetings and what a test sends take turns: there is one caller of `handle_tx` at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
    frozen: Mutex<bool>,
    thawed: Condvar,
}

impl Log {
    pub(super) fn new(carrier: Arc<dyn Carrier>) -> Arc<Self> {
        Arc::new(Self {
            carrier,
            seen: Mutex::default(),
            faults: Mutex::default(),
            ids: Mutex::default(),
            changed: Notify::new(),
            max_frame: AtomicUsize::new(HELLO_MAX_FRAME),
            refusing: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
            breaking: AtomicBool::new(false),
            greeting: AtomicBool::new(false),
            turn: tokio::sync::Mutex::new(()),
            frozen: Mutex::new(false),
            thawed: Condvar::new(),
        })
    }

    /// From now on, or no longer, a delivery blocks the thread that makes it.
    pub(super) fn freeze(&self, frozen: bool) {
        *self.frozen.lock() = frozen;
        self.thawed.notify_all();
    }

    pub(super) fn take(&self) -> Option<Seen> {
        self.seen.lock().pop_front()
    }

    /// The next report, or what was wrong by itself, whatever the case looks for.
    pub(super) async fn next(&self) -> Result<Seen, Finding> {
        loop {
            if let Some(fault) = self.fault() {
                return Err(Finding::new(fault));
            }
            if let Some(seen) = self.take() {
                return Ok(seen);
            }
            self.changed.notified().await;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.seen.lock().len()
    }

    /// The first thing that was wrong by itself, whatever the case looks for.
    pub(super) fn fault(&self) -> Option<String> {
        self.faults.lock().first().cloned()
    }

    fn push(&self, seen: Seen) {
        self.seen.lock().push_back(seen);
        self.changed.notify_one();
    }

    fn note(&self, fault: String) {
        self.faults.lock().push(fault);
        self.changed.notify_one();
    }
}

/// What the carrier takes for its router, in one run.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) log: Arc<Log>,
    pub(super) tasks: Tasks,
}

impl Router {
    /// Sends a message to a client that was announced in this moment. The first poll happens here, where a carrier that
    /// announces first and registers its writer second has no writer yet.
    fn greet(&self, id: ClientId, peer: PeerInfo) {
        let log = Arc::clone(&self.log);
        let mut greeting: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let _turn = log.turn.lock().await;
            let sent = match wire::batch(&*log.carrier, &peer, [wire::event(0)]) {
                Ok(mut batch) => log.carrier.handle_tx(id, &mut batch).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = sent {
                log.note(format!(
                    "handle_tx failed for {id} as soon as it was announced: {error}; register the writer first and \
                     announce the client second"
                ));
            }
        });
        let mut now = Context::from_waker(Waker::noop());
        if pin!(&mut greeting).poll(&mut now) == Poll::Pending {
            self.tasks.spawn("greeting", greeting);
        }
    }
}

impl Inbound for Router {
    fn admit(&self, id: ClientId, peer: PeerInfo) -> Result<Arc<dyn Receiver>, CarrierError> {
        let log = &self.log;
        if !log.ids.lock().insert(id) {
            log.note(format!(
                "{id} was announced twice; every link has a new ClientId, and is announced once"
            ));
        }
        if log.refusing.load(Ordering::Relaxed) {
            log.refused.fetch_add(1, Ordering::Relaxed);
            return Err(CarrierError::Refused("this router takes nobody".to_owned()));
        }
        // In this order: who has seen the client finds the greeting sent, or being sent.
        if log.greeting.load(Ordering::Relaxed) {
            self.greet(id, peer.clone());
        }
        log.push(Seen::Connected(id, peer.clone()));
        Ok(Arc::new(Session {
            id,
            peer,
            log: Arc::clone(log),
            broken: AtomicBool::new(false),
        }))
    }

    fn all_disconnected(&self, _why: Disconnect) {}
}

/// The router's end of one client.
#[derive(Debug)]
struct Session {
    id: ClientId,
    peer: PeerInfo,
    log: Arc<Log>,
    broken: AtomicBool,
}

impl Session {
    fn is_break(&self, seen: &Seen) -> bool {
        self.log.breaking.load(Ordering::Relaxed)
            && wire::read(&*self.log.carrier, &self.peer, seen).is_ok_and(|event| event.number == BREAK)
    }
}

impl Receiver for Session {
    fn deliver(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        let mut frozen = self.log.frozen.lock();
        while *frozen {
            self.log.thawed.wait(&mut frozen);
        }
        drop(frozen);
        if self.broken.load(Ordering::Relaxed) {
            self.log.note(format!(
                "handle_rx failed for {}, and the carrier went on to deliver what came behind; let go of the client",
                self.id
            ));
        }
        let messages = std::iter::from_fn(|| {
            let value = batch.next_message().map(|message| Seen::Value(self.id, message));
            value.or_else(|| batch.next_frame().map(|frame| Seen::Frame(self.id, frame)))
        });
        for seen in messages {
            if self.is_break(&seen) {
                self.broken.store(true, Ordering::Relaxed);
                return Err(CarrierError::Other("the client broke a rule".to_owned()));
            }
            self.log.push(seen);
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
