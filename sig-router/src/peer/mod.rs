//! What both ends of a link have in common.

mod answering;
mod asked;
mod confirming;
mod reading;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sig_core::{CancellationToken, ClientId, Disconnect, Tasks};
use tokio::sync::Semaphore;

pub(crate) use answering::wait_open;
use asked::Running;
pub(crate) use asked::{Asked, Elsewhere};
pub(crate) use reading::{Arrived, bad_frame, content_type};

use crate::chunks::Assembly;
use crate::clock;
use crate::outbox::Outbox;
use crate::session::{self, Heartbeat, Pulse};

/// Most requests of one peer that may run at a time; more are answered with `busy`.
const MAX_RUNNING: u32 = 256;

/// How often what depends on time is looked after: a quarter of the shortest heartbeat that is usual.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// The same for a carrier whose own heartbeat is shorter.
pub(crate) const SHORTEST_TICK: Duration = Duration::from_millis(5);

/// The peer at the other end of one link: its outbox, its signs of life, and its requests that run here.
pub(crate) struct Peer {
    id: ClientId,
    outbox: Arc<Outbox>,
    tasks: Tasks,
    gone: CancellationToken,
    /// Why this side ended the link and when, which says more than the carrier's report.
    ending: OnceLock<Box<(Disconnect, Instant)>>,
    max_frame: AtomicUsize,
    is_open: AtomicBool,
    heartbeat: Mutex<Heartbeat>,
    /// Events that came from the peer, and all the bytes that did: counted once for each batch.
    events_in: AtomicU64,
    bytes_in: AtomicU64,
    /// From when the peer first asks for something that takes time.
    work: OnceLock<Box<Work>>,
    /// Whether the peer tells what became of events.
    confirms: OnceLock<bool>,
    /// Whether large frames come in pieces, and those that came.
    takes_chunks: AtomicBool,
    chunks: Mutex<Option<Box<Assembly>>>,
}

/// What runs for a peer.
struct Work {
    requests: Arc<Semaphore>,
    /// Bounds the events of which a tally is kept.
    tallies: Arc<Semaphore>,
    /// The requests that run, by their id, to be cancelled.
    running: Mutex<HashMap<u64, Running>>,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            requests: Arc::new(Semaphore::new(MAX_RUNNING as usize)),
            tallies: Arc::new(Semaphore::new(confirming::MAX_CONFIRMING)),
            running: Mutex::default(),
        }
    }
}

impl Peer {
    pub(crate) fn new(id: ClientId, outbox: Arc<Outbox>, tasks: &Tasks) -> Arc<Self> {
        // A pysig peer says no hello.
        let says_hello = outbox.peer().pacing.is_none();
        Arc::new(Self {
            id,
            outbox,
            tasks: tasks.clone(),
            gone: tasks.stop_token().child_token(),
            ending: OnceLock::new(),
            max_frame: AtomicUsize::new(sig_core::HELLO_MAX_FRAME),
            is_open: AtomicBool::new(!says_hello),
            heartbeat: Mutex::new(Heartbeat::new(None, clock::now())),
            events_in: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            work: OnceLock::new(),
            confirms: OnceLock::new(),
            takes_chunks: AtomicBool::new(false),
            chunks: Mutex::default(),
        })
    }

    pub(crate) fn id(&self) -> ClientId {
        self.id
    }

    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    fn work(&self) -> &Work {
        self.work.get_or_init(Box::default)
    }

    /// Cancelled when the link is down, or the router is told to stop.
    pub(crate) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    /// Most bytes of one frame that the peer may send now.
    pub(crate) fn max_frame(&self) -> usize {
        self.max_frame.load(Ordering::Acquire)
    }

    /// The peer says no hello, or has said it: its codec is known.
    pub(crate) fn skip_hello(&self) {
        self.is_open.store(true, Ordering::Release);
        self.outbox.greeted();
    }

    /// The hello says what the peer can do.
    pub(crate) fn set_capabilities(&self, capabilities: &[String]) {
        let can = |word: &str| capabilities.iter().any(|capability| capability == word);
        self.set_confirms(can(session::CONFIRM));
        if can(session::CHUNKS) {
            self.takes_chunks.store(true, Ordering::Release);
            self.outbox.cut_frames();
        }
    }

    /// Whether the peer may send large frames in pieces.
    fn takes_chunks(&self) -> bool {
        self.takes_chunks.load(Ordering::Acquire)
    }

    /// From now on the peer may send frames of this size.
    pub(crate) fn allow(&self, max_frame: usize) {
        self.max_frame.store(max_frame, Ordering::Release);
    }

    /// From the welcome on: larger frames, heartbeats, and the codec.
    pub(crate) fn open(&self, max_frame: usize, heartbeat: Option<Duration>) {
        self.skip_hello();
        self.allow(max_frame);
        self.outbox.limit_frames(max_frame);
        *self.heartbeat.lock() = Heartbeat::new(heartbeat, clock::now());
    }

    /// Notes why the link ends; the first reason counts.
    pub(crate) fn end(&self, why: Disconnect) {
        let _ = self.ending.set(Box::new((why, clock::now())));
    }

    /// Why the link ends and since when, if that was noted.
    pub(crate) fn ending(&self) -> Option<&(Disconnect, Instant)> {
        self.ending.get().map(|ending| &**ending)
    }

    /// Ends the link at once.
    pub(crate) fn cut(&self, why: &Disconnect) {
        self.end(why.clone());
        self.outbox.close();
        self.outbox.carrier().close_client(self.id, why);
    }

    /// Sends what is put into the outbox, until that is closed and empty, the link fails, or the peer is gone.
    pub(crate) fn start_sending(self: &Arc<Self>) {
        let peer = Arc::clone(self);
        self.tasks.spawn("sending", async move {
            tokio::select! {
                biased;
                () = peer.gone.cancelled() => {}
                sent = Arc::clone(&peer.outbox).send_all() => match sent {
                    Err(error) => peer.cut(&Disconnect::link_lost(error)),
                    // Everything is sent and nothing more will be: the goodbye, or the refusal, is out.
                    Ok(()) => peer.cut(&Disconnect::closed()),
                },
            }
        });
    }

    /// The link is down. Gives the reason: what was noted here, or else the carrier's report.
    pub(crate) fn retire(&self, why: Disconnect) -> Disconnect {
        self.end(why);
        self.gone.cancel();
        self.outbox.close();
        self.give_up_all();
        self.ending().map_or_else(Disconnect::closed, |(why, _)| why.clone())
    }

    /// Sends a sign of life when one is due, and ends the link when the peer gave none for too long. Gives how long it may
    /// take until the next call, if there need be one.
    pub(crate) fn tick(&self, now: Instant) -> Option<Duration> {
        let (pulse, interval) = {
            let mut heartbeat = self.heartbeat.lock();
            heartbeat.sent(self.outbox.look_after(now));
            (heartbeat.tick(now), heartbeat.interval())
        };
        match pulse {
            Pulse::Quiet => {}
            Pulse::Beat => self.outbox.send_heartbeat(),
            Pulse::Dead => self.cut(&Disconnect::new(sig_core::Reason::Timeout, "no sign of life")),
        }
        interval.map(|interval| interval.max(SHORTEST_TICK))
    }

    /// Events that came from the peer so far, and all the bytes that did.
    pub(crate) fn received(&self) -> (u64, u64) {
        (
            self.events_in.load(Ordering::Relaxed),
            self.bytes_in.load(Ordering::Relaxed),
        )
    }

    /// After how much silence a sign of life is sent, if that was agreed on, and how long the peer has been silent.
    pub(crate) fn pulse(&self, now: Instant) -> (Option<Duration>, Duration) {
        let heartbeat = self.heartbeat.lock();
        (heartbeat.period(), heartbeat.silence(now))
    }

    /// Something arrived.
    pub(crate) fn heard(&self) {
        self.heartbeat.lock().heard(clock::now());
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outbox.fmt(f)
    }
}
