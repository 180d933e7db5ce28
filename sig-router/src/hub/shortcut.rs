//! The way of an event past its sender's lane.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use try_lock::{Locked, TryLock};

use super::calls::Calls;
use super::record::{EventRecord, SenderRecord};
use super::snapshot::Snapshot;
use super::trigger::Bytes;
use crate::queue::{Filling, ListenerQueue};

/// Who counts holds the sender's lane.
const LANE: u64 = 1 << 63;

/// How often to look for the way to be free before the thread lets others run.
const SPINS: usize = 64;

/// How many of an event there were, and the way of those triggers that need not their sender's lane.
///
/// An event's number and its place in the queues are one thing: who counts holds the sender's lane. But where functions
/// alone hear the event there are no places to keep, and where one queue does, it may have [lent](Filling) some of its
/// room. Then who counts holds the way instead, which costs one atomic operation. Which of the two holds stands in the
/// number itself. To change that takes both.
///
/// The way is held for some nanoseconds, by who copies a small event at most: never while a function is called or code
/// of the program runs otherwise. So who finds it taken looks again. Nothing else is locked under it.
#[derive(Debug)]
pub(crate) struct Shortcut {
    count: AtomicU64,
    /// How much has gone the way into queues; see [`SenderRecord::pass`].
    passed: AtomicU64,
    way: TryLock<Way>,
}

/// What a trigger finds on its way.
#[derive(Debug, Default)]
struct Way {
    /// The sender whose events may go it.
    generation: u64,
    /// The functions that hear the event, also of triggers that hold the lane.
    calls: Option<Arc<Calls>>,
    /// Another share in them, to be taken along and brought back: to count a new one each time takes longer.
    share: Option<Arc<Calls>>,
    /// Whether a queue hears it, too; if nothing is lent of it any more, the event has to take the lane.
    is_queued: bool,
    filling: Option<Box<Filling>>,
}

impl Way {
    fn take_share(&mut self) -> Option<Arc<Calls>> {
        let calls = self.calls.as_ref().filter(|calls| !calls.are_none())?;
        Some(self.share.take().unwrap_or_else(|| Arc::clone(calls)))
    }
}

/// A trigger that went the way.
pub(super) struct Passage {
    pub(super) number: u64,
    /// The functions to be called, if there are any; to be [brought back](Shortcut::bring_back).
    pub(super) calls: Option<Arc<Calls>>,
    /// The queue whose reader may sleep.
    pub(super) wake: Option<Arc<ListenerQueue>>,
}

/// Functions that are not to be called any more. With them may go what they own, so they are dropped without a lock.
#[derive(Debug, Default)]
pub(super) struct Former {
    _calls: Option<Arc<Calls>>,
    _share: Option<Arc<Calls>>,
}

impl Shortcut {
    pub(super) fn new() -> Self {
        Self {
            count: AtomicU64::new(LANE),
            passed: AtomicU64::new(0),
            way: TryLock::new(Way::default()),
        }
    }

    fn lock(&self) -> Locked<'_, Way> {
        loop {
            if let Some(way) = self.lock_soon() {
                return way;
            }
            thread::yield_now();
        }
    }

    #[inline]
    fn lock_soon(&self) -> Option<Locked<'_, Way>> {
        self.way.try_lock().or_else(|| {
            (0..SPINS).find_map(|_| {
                hint::spin_loop();
                self.way.try_lock()
            })
        })
    }

    /// The last number, for those who only look.
    pub(super) fn last(&self) -> u64 {
        self.count.load(Ordering::Relaxed) & !LANE
    }

    /// How much has gone the way into queues so far.
    pub(super) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Whether it is of no use to look for the way.
    #[inline]
    pub(super) fn is_shut(&self) -> bool {
        self.count.load(Ordering::Relaxed) & LANE != 0
    }

    /// Takes the next number for an event of this sender, and puts its data into the queue that hears it; `None` if it
    /// has to take the lane.
    #[inline]
    pub(super) fn pass(&self, event: &EventRecord, generation: u64, data: Option<&Bytes<'_>>) -> Option<Passage> {
        let mut guard = self.lock_soon()?;
        let way = &mut *guard;
        let count = self.count.load(Ordering::Relaxed);
        let is_open = count & LANE == 0 && way.generation == generation;
        if !is_open || !way.calls.as_ref()?.are_current(event) || event.keeps_last() {
            return None;
        }
        let number = count + 1;
        let wake = match way.is_queued {
            true => {
                let wake = way.filling.as_mut()?.put(number, data?)?;
                // Who holds the way counts alone.
                let passed = self.passed() + SenderRecord::EVENT_COST + data?.1.len() as u64;
                self.passed.store(passed, Ordering::Relaxed);
                wake
            }
            false => None,
        };
        self.count.store(number, Ordering::Release);
        Some(Passage {
            number,
            calls: way.take_share(),
            wake,
        })
    }

    /// Brings back functions that were taken along.
    #[inline]
    pub(super) fn bring_back(&self, calls: Arc<Calls>) {
        let mut share = Some(calls);
        if let Some(mut way) = self.way.try_lock() {
            let are_same = way.calls.as_ref().map(Arc::as_ptr) == share.as_ref().map(Arc::as_ptr);
            if are_same && way.share.is_none() {
                way.share = share.take();
            }
        }
        // What is left may be the last share in them: not under a lock.
        drop(share);
    }

    /// Leaves counting to who holds the lane, as the caller does. Gives the last number.
    pub(super) fn pin(&self) -> u64 {
        let count = self.count.load(Ordering::Acquire);
        if count & LANE != 0 {
            return count & !LANE;
        }
        let way = self.lock();
        let number = self.count.fetch_or(LANE, Ordering::AcqRel);
        drop(way);
        number
    }

    /// The next number; the caller holds the lane.
    pub(super) fn next(&self) -> u64 {
        let number = self.pin() + 1;
        self.count.store(number | LANE, Ordering::Release);
        number
    }

    /// Goes on after this number; the caller holds the lane, or is the only one who counts. Gives the last number.
    pub(super) fn set(&self, number: u64) -> u64 {
        let before = self.pin();
        self.count.store(number | LANE, Ordering::Release);
        before
    }

    /// Lets events of this sender go the way, with what a queue has lent for them if one hears them; unless there is still
    /// something in what was lent before. The caller holds the lane, and has seen to the functions.
    pub(crate) fn open(&self, generation: u64, filling: Option<Box<Filling>>) -> bool {
        let mut way = self.lock();
        if way.filling.as_ref().is_some_and(|former| !former.is_empty()) {
            return false;
        }
        (way.generation, way.is_queued) = (generation, filling.is_some());
        let former = std::mem::replace(&mut way.filling, filling);
        self.count.fetch_and(!LANE, Ordering::AcqRel);
        drop(way);
        drop(former);
        true
    }

    /// The functions of this snapshot, if there are any, to be called and brought back. The caller holds the lane, and
    /// drops the former ones when it does not any more.
    pub(super) fn renew(&self, event: &Arc<EventRecord>, snapshot: &Snapshot) -> (Option<Arc<Calls>>, Former) {
        let Some(versions) = snapshot.versions else {
            return (None, self.clear());
        };
        let mut way = self.lock();
        if way.calls.as_ref().is_some_and(|calls| calls.are_made_of(&versions)) {
            return (way.take_share(), Former::default());
        }
        drop(way);
        let calls = Calls::of(event, versions, &snapshot.callbacks);
        let mut way = self.lock();
        let former = Former {
            _calls: way.calls.replace(calls),
            _share: way.share.take(),
        };
        (way.take_share(), former)
    }

    /// Keeps no functions. The caller holds the lane, and drops them when it does not any more.
    pub(super) fn clear(&self) -> Former {
        let mut way = self.lock();
        Former {
            _calls: way.calls.take(),
            _share: way.share.take(),
        }
    }

    /// The same, if they are those at this address.
    pub(super) fn clear_those(&self, address: usize) -> Former {
        let mut way = self.lock();
        if way.calls.as_ref().is_none_or(|calls| calls.address() != address) {
            return Former::default();
        }
        Former {
            _calls: way.calls.take(),
            _share: way.share.take(),
        }
    }

    /// Takes what is in that which this queue has lent. The caller holds the queue's lock.
    pub(crate) fn fetch(&self, queue: &ListenerQueue, take: impl FnOnce(&mut Filling)) {
        let mut way = self.lock();
        if let Some(filling) = way.filling.as_mut().filter(|filling| filling.is_of(queue)) {
            take(filling);
        }
    }

    /// The same, and nothing is lent any more.
    pub(crate) fn take_back(&self, queue: &ListenerQueue) -> Option<Box<Filling>> {
        let mut way = self.lock();
        way.filling.take_if(|filling| filling.is_of(queue))
    }
}
