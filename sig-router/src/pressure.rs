//! Back-pressure: gates on senders, and the queues that close them.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::Either;
use parking_lot::Mutex;
use sig_core::{CancellationToken, ClientId, SenderName};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::clock;

/// Hears when a gate shuts and opens. Called under a queue's lock: be quick, and take no queue's.
pub(crate) trait GateWatch: Send + Sync {
    fn gate_shut(&self) {}
    fn gate_opened(&self);
}

/// Whether a sender may trigger. Every queue on its way that is too full holds the gate shut.
pub(crate) struct Gate {
    /// Whose gate it is; tests have some of nobody.
    sender: Option<SenderName>,
    holders: AtomicUsize,
    /// For how long the last queue that shut it may hold it so without anything taken, in milliseconds.
    patience: AtomicU64,
    opened: Notify,
    watch: Mutex<Option<Weak<dyn GateWatch>>>,
}

impl Gate {
    /// The gate of this sender.
    pub(crate) fn of(sender: SenderName) -> Self {
        Self {
            sender: Some(sender),
            ..Self::new()
        }
    }

    pub(crate) fn new() -> Self {
        Self {
            sender: None,
            holders: AtomicUsize::new(0),
            patience: AtomicU64::new(0),
            opened: Notify::new(),
            watch: Mutex::new(None),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.holders.load(Ordering::Acquire) == 0
    }

    pub(crate) fn shut(&self) {
        if self.holders.fetch_add(1, Ordering::AcqRel) == 0 {
            if let Some(watch) = self.watcher() {
                watch.gate_shut();
            }
        }
    }

    /// Shuts it for a queue with this patience.
    fn shut_for(&self, patience: Duration) {
        let millis = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.patience.store(millis, Ordering::Relaxed);
        self.shut();
    }

    /// The patience of the queue that shut it last.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience.load(Ordering::Relaxed))
    }

    pub(crate) fn release(&self) {
        if self.holders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.opened.notify_waiters();
            if let Some(watch) = self.watcher() {
                watch.gate_opened();
            }
        }
    }

    fn watcher(&self) -> Option<Arc<dyn GateWatch>> {
        self.watch.lock().as_ref().and_then(Weak::upgrade)
    }

    /// Completes at the next opening after this call.
    pub(crate) fn opened(&self) -> Notified<'_> {
        self.opened.notified()
    }

    /// Lets those who wait for an opening look again: there is nothing to wait for any more.
    pub(crate) fn wake_waiters(&self) {
        self.opened.notify_waiters();
    }

    pub(crate) fn set_watch(&self, watch: Option<Weak<dyn GateWatch>>) {
        *self.watch.lock() = watch;
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("holders", &self.holders).finish()
    }
}

/// How much a queue may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    /// From here on the queue holds its senders' gates shut; it lets go at half of it.
    pub(crate) count: usize,
    /// The same in bytes.
    pub(crate) bytes: usize,
    /// How long it may stay full without one event taken before it lags, unless a listener says otherwise.
    pub(crate) patience: Duration,
}

/// Nothing goes into a queue that holds this many times its marks: what was granted to the senders and what is under
/// way on a link still fits, but neither presence nor a peer that ignores its credit fills the memory.
const HARD_COUNT: usize = 256;

/// The same in bytes.
const HARD_BYTES: usize = 32;

/// The fill of one queue and whom it holds up. Lives under the queue's lock.
#[derive(Debug)]
pub(crate) struct Pressure {
    marks: Marks,
    count: usize,
    bytes: usize,
    /// The gates that it holds shut, each with how long it may.
    held: Vec<(Arc<Gate>, Duration)>,
    last_taken: Instant,
    /// The gates of senders that were waited for in vain: their events are lost until the queue is empty.
    lagging: Vec<Arc<Gate>>,
    /// Whether the router was told that the queue is full, and has not looked at it since.
    listed: bool,
}

impl Pressure {
    pub(crate) fn new(marks: Marks) -> Self {
        Self {
            marks,
            count: 0,
            bytes: 0,
            held: Vec::new(),
            last_taken: clock::now(),
            lagging: Vec::new(),
            listed: false,
        }
    }

    /// Whether the queue takes an event of the sender behind this gate.
    pub(crate) fn accepts(&self, gate: &Arc<Gate>) -> bool {
        self.has_room() && !self.lagging.iter().any(|lagging| Arc::ptr_eq(lagging, gate))
    }

    /// Whether events of a sender are lost until it is empty.
    pub(crate) fn is_lagging(&self) -> bool {
        !self.lagging.is_empty()
    }

    pub(crate) fn last_taken(&self) -> Instant {
        self.last_taken
    }

    /// How many events and how many bytes may come before it is full.
    pub(crate) fn room(&self) -> (usize, usize) {
        let Marks { count, bytes, .. } = self.marks;
        (count.saturating_sub(self.count), bytes.saturating_sub(self.bytes))
    }

    /// Something was taken of what had been taken out before.
    pub(crate) fn touch(&mut self, now: Instant) {
        self.last_taken = now;
    }

    fn has_room(&self) -> bool {
        let Marks { count, bytes, .. } = self.marks;
        self.count < count.saturating_mul(HARD_COUNT) && self.bytes < bytes.saturating_mul(HARD_BYTES)
    }

    /// Events were put in. Shuts the gate when the queue is full now, for so long at most; true when it just became
    /// full.
    pub(crate) fn put(&mut self, count: u64, bytes: usize, gate: &Arc<Gate>, patience: Duration) -> bool {
        if self.count == 0 {
            self.last_taken = clock::now();
        }
        self.count += usize::try_from(count).unwrap_or(usize::MAX);
        self.bytes += bytes;
        self.is_full() && self.hold(gate, patience)
    }

    /// Whether there is so much in it that who puts something in is held up.
    pub(crate) fn is_full(&self) -> bool {
        self.count >= self.marks.count || self.bytes >= self.marks.bytes
    }

    /// Holds a gate shut until there is room, for so long at most; true when the router has to be told that the queue
    /// is full.
    pub(crate) fn hold(&mut self, gate: &Arc<Gate>, patience: Duration) -> bool {
        if let Some((_, held_for)) = self.held.iter_mut().find(|(held, _)| Arc::ptr_eq(held, gate)) {
            *held_for = patience.max(*held_for);
            return false;
        }
        gate.shut_for(patience);
        self.held.push((Arc::clone(gate), patience));
        !std::mem::replace(&mut self.listed, true)
    }

    /// Events were taken out. Gives the gates to release once the queue's lock is free.
    #[must_use]
    pub(crate) fn took(&mut self, count: usize, bytes: usize, now: Instant) -> Vec<Arc<Gate>> {
        self.count = self.count.saturating_sub(count);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.last_taken = now;
        if self.count == 0 {
            self.lagging.clear();
        }
        if self.held.is_empty() || self.count > self.marks.count / 2 || self.bytes > self.marks.bytes / 2 {
            return Vec::new();
        }
        self.let_go()
    }

    fn let_go(&mut self) -> Vec<Arc<Gate>> {
        self.held.drain(..).map(|(gate, _)| gate).collect()
    }

    /// The queue is gone: everything in it is.
    #[must_use]
    pub(crate) fn close(&mut self) -> Vec<Arc<Gate>> {
        (self.count, self.bytes) = (0, 0);
        self.let_go()
    }

    /// Lets go of the gates when nothing was taken for too long; until it is drained the queue then loses events.
    /// Otherwise tells when to ask again.
    pub(crate) fn give_up(&mut self, now: Instant) -> GivenUp {
        if self.held.is_empty() {
            self.listed = false;
            return GivenUp::NotFull;
        }
        let last_taken = self.last_taken;
        let due = |patience| last_taken.checked_add(patience).unwrap_or(last_taken + FOR_EVER);
        let mut lagging = Vec::new();
        self.held.retain(|(gate, patience)| {
            let holds_on = now < due(*patience);
            if !holds_on {
                lagging.push(Arc::clone(gate));
            }
            holds_on
        });
        let next = self.held.iter().map(|(_, patience)| due(*patience)).min();
        self.listed = next.is_some();
        match next {
            Some(next) if lagging.is_empty() => GivenUp::NotYet(next),
            _ => {
                self.lagging.extend(lagging.iter().cloned());
                GivenUp::Lagging(lagging, next)
            }
        }
    }
}

/// Longer than any program runs.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What came of asking a queue to give up.
#[derive(Debug)]
pub(crate) enum GivenUp {
    /// It holds nobody up.
    NotFull,
    /// It may stay full until then.
    NotYet(Instant),
    /// It lags now; release these. Others may be held on until then.
    Lagging(Vec<Arc<Gate>>, Option<Instant>),
}

/// A queue that can hold up senders.
pub(crate) trait Stallable: fmt::Debug + Send + Sync {
    fn give_up(&self, now: Instant) -> GivenUp;

    /// Whose queue it is, and since when nothing was taken from it.
    fn laggard(&self) -> (Whose, Option<Instant>);
}

/// Whose queue, or whose listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// A client's.
    Client(ClientId),
    /// That of the listener that was added at this place of this program.
    Place(&'static Location<'static>),
}

/// Is told of queues that lag from now on. Called without a lock.
pub(crate) trait LagWatch: fmt::Debug + Send + Sync {
    fn lags(&self, whose: Whose, sender: &SenderName, since: Option<Instant>);
}

/// The queues of one router that are full at the moment.
#[derive(Debug, Default)]
pub(crate) struct Stalls {
    full: Mutex<Vec<Weak<dyn Stallable>>>,
    added: Notify,
    watch: OnceLock<Arc<dyn LagWatch>>,
}

impl Stalls {
    pub(crate) fn add(&self, queue: Weak<dyn Stallable>) {
        let mut full = self.full.lock();
        if full.len() == full.capacity() {
            // Nobody need ever call `relieve`: what is gone must not pile up. Half of the room is new after this, so
            // that it is seldom done.
            full.retain(|queue| queue.strong_count() > 0);
            let live = full.len();
            full.reserve(live.max(8));
        }
        full.push(queue);
        drop(full);
        self.added.notify_one();
    }

    /// Makes queues give up when their time has come, for as long as the router runs.
    pub(crate) async fn keep_relieving(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let added = self.added.notified();
            let waiting = match self.relieve(clock::now()) {
                Some(due) => Either::Left(tokio::time::timeout_at(due.into(), added).map(drop)),
                None => Either::Right(added),
            };
            if stop.run_until_cancelled(waiting).await.is_none() {
                return;
            }
        }
    }

    /// Has this one told of queues that lag, for good.
    pub(crate) fn set_watch(&self, watch: Arc<dyn LagWatch>) {
        let _ = self.watch.set(watch);
    }

    /// Makes the queues that were full for too long give up. Tells when to call again, if any is still full.
    pub(crate) fn relieve(&self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut lagging = Vec::new();
        self.full.lock().retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            match queue.give_up(now) {
                GivenUp::NotFull => false,
                GivenUp::NotYet(due) => {
                    next = Some(next.map_or(due, |next: Instant| next.min(due)));
                    true
                }
                GivenUp::Lagging(gates, due) => {
                    next = next.into_iter().chain(due).min();
                    lagging.push((queue, gates));
                    due.is_some()
                }
            }
        });
        // Without a lock: who reads the log may well trigger something.
        for (queue, gates) in lagging {
            if let Some(watch) = self.watch.get() {
                let (whose, since) = queue.laggard();
                let senders = gates.iter().filter_map(|gate| gate.sender.as_ref());
                senders.for_each(|sender| watch.lags(whose, sender, since));
            }
            release_all(gates);
            tracing::warn!(
                ?queue,
                "a listener does not keep up; it loses events until it has caught up"
            );
        }
        next
    }
}

/// Releases gates after a queue's lock was let go.
pub(crate) fn release_all(gates: Vec<Arc<Gate>>) {
    for gate in gates {
        gate.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Full;

    impl Stallable for Full {
        fn give_up(&self, now: Instant) -> GivenUp {
            GivenUp::NotYet(now)
        }

        fn laggard(&self) -> (Whose, Option<Instant>) {
            (Whose::Place(Location::caller()), None)
        }
    }

    #[test]
    fn promise_6_queues_that_are_gone_do_not_pile_up() {
        let stalls = Stalls::default();
        let live: Vec<Arc<dyn Stallable>> = (0..100).map(|_| Arc::new(Full) as _).collect();
        live.iter().for_each(|queue| stalls.add(Arc::downgrade(queue)));
        for _ in 0..100_000 {
            let queue: Arc<dyn Stallable> = Arc::new(Full);
            stalls.add(Arc::downgrade(&queue));
        }
        let full = stalls.full.lock();
        assert!(full.capacity() <= 1024, "{}", full.capacity());
        assert_eq!(full.iter().filter(|queue| queue.strong_count() > 0).count(), 100);
    }
}
