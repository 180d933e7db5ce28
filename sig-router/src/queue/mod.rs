//! The bounded queue of a stream listener, or of a callback that hears events from links.

mod arriving;
mod chunk;
mod filling;
mod reader;
mod state;

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use futures::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};

pub(crate) use filling::Filling;
pub(crate) use reader::Reader;

use crate::clock;
use crate::event::{Event, Lagged};
use crate::flow::{Backlog, Tracks};
use crate::hub::EventRecord;
use crate::listen::Listen;
use crate::outlet::Outlet;
use crate::policy::{DEFAULT_PATIENCE, Policy};
use crate::pressure::{GivenUp, Marks, Pressure, Stallable, Stalls, Whose, release_all};
use filling::Lending;
use state::{Look, Plain, State, Taken};

/// How much one listener may have waiting.
const MARKS: Marks = Marks {
    count: 16 * 1024,
    bytes: 4 * 1024 * 1024,
    patience: DEFAULT_PATIENCE,
};

/// While fewer than this wait, a listener is given more of what was there before it.
const CATCH_UP: usize = 256;

/// No chunk has more than this part of the events that may wait, so that the one in the reader's hand is little beside
/// them.
const CHUNK: usize = 4;

/// A chunk that has this many bytes takes no more: an event that is kept keeps all of it.
const CHUNK_BYTES: usize = 8 * 1024;

/// What a listener takes.
pub(crate) type Delivery = Result<Event<'static>, Lagged>;

/// How a listener's queue is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) marks: Marks,
    pub(crate) policy: Policy,
}

impl Settings {
    pub(crate) fn of(listen: &Listen) -> Self {
        let count = listen.capacity.unwrap_or(MARKS.count);
        Self {
            marks: Marks {
                count,
                patience: listen.policy.patience(),
                ..MARKS
            },
            policy: listen.policy,
        }
    }
}

/// What happened to a listener so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerStats {
    /// Events that it took.
    pub received: u64,
    /// Events that were lost, as it was told with [`Lagged`].
    pub lost: u64,
    /// Events that its policy left out, here and on their way.
    pub skipped: u64,
    /// Events that wait for it.
    pub waiting: usize,
    /// Whether it lags: it was waited for in vain and loses events until none waits any more.
    pub lagging: bool,
}

/// The bounded queue of one listener.
pub(crate) struct ListenerQueue {
    state: Mutex<State>,
    ready: AtomicWaker,
    /// How many events the reader took so far.
    taken: AtomicU64,
    /// How many may wait in one chunk.
    chunk: u64,
    /// Whether it may lend room, as it was seen last.
    may_lend: AtomicBool,
    stalls: Arc<Stalls>,
    policy: Policy,
    /// Where the listener was added, for people.
    place: &'static Location<'static>,
    /// Whether an event is delivered when it was dealt with, and not already when it is taken from here.
    keeps_receipts: bool,
    me: Weak<Self>,
}

/// The state of a queue, locked.
struct Held<'a> {
    state: MutexGuard<'a, State>,
    /// Dropped when the lock is free: with the event may go functions, and what those own.
    _lender: Option<Arc<EventRecord>>,
}

impl Deref for Held<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl ListenerQueue {
    #[track_caller]
    pub(crate) fn new(settings: Settings, stalls: Arc<Stalls>) -> Arc<Self> {
        Self::make(Location::caller(), settings, stalls, false)
    }

    /// One for a stream that was asked for at this place.
    pub(crate) fn of_stream(place: &'static Location<'static>, settings: Settings, stalls: Arc<Stalls>) -> Arc<Self> {
        Self::make(place, settings, stalls, false)
    }

    /// One for a function that was added at this place; see [`next_kept`](Self::next_kept).
    pub(crate) fn at(place: &'static Location<'static>, settings: Settings, stalls: Arc<Stalls>) -> Arc<Self> {
        Self::make(place, settings, stalls, true)
    }

    fn make(
        place: &'static Location<'static>,
        settings: Settings,
        stalls: Arc<Stalls>,
        keeps_receipts: bool,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            state: Mutex::new(State {
                backlog: Backlog::default(),
                extra: 0,
                next: None,
                given: 0,
                seen_taken: 0,
                tracks: Tracks::default(),
                has_rest: false,
                catch_ups: VecDeque::new(),
                pressure: Pressure::new(settings.marks),
                lending: Lending::default(),
                stats: ListenerStats::default(),
                closed: false,
            }),
            ready: AtomicWaker::new(),
            taken: AtomicU64::new(0),
            chunk: (settings.marks.count / CHUNK).max(1) as u64,
            may_lend: AtomicBool::new(false),
            stalls,
            policy: settings.policy,
            place,
            keeps_receipts,
            me: me.clone(),
        })
    }

    /// Locks the state, with all in it that came so far.
    fn hold(&self) -> Held<'_> {
        let mut state = self.state.lock();
        let lender = self.fetch(&mut state);
        Held { state, _lender: lender }
    }

    /// The same, for who puts something in: nobody else does any more without this lock.
    fn hold_alone(&self) -> Held<'_> {
        let mut state = self.state.lock();
        let lender = self.take_back(&mut state);
        Held { state, _lender: lender }
    }

    fn look(&self) -> Look {
        let mut released = Vec::new();
        let look = self.hold().look(clock::now(), &mut released);
        release_all(released);
        look
    }

    /// Gets more of what was there before it, while there is room. Takes senders' lanes, so no lock may be held.
    fn pull(&self) {
        loop {
            let catch_up = {
                let mut state = self.hold();
                if state.catch_ups.is_empty() || !state.has_room(self.taken()) {
                    return;
                }
                state.catch_ups.pop_front()
            };
            let Some(mut catch_up) = catch_up else { return };
            if catch_up.step() {
                self.hold().catch_ups.push_front(catch_up);
            }
        }
    }

    fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Closes it and drops what waits: nobody will take it.
    pub(crate) fn discard(&self) {
        self.close();
        let dropped = {
            let mut state = self.hold_alone();
            state.extra = 0;
            state.given = self.taken();
            (state.backlog.drain(), state.next.take())
        };
        drop(dropped);
    }

    /// Something was put in; the lock is free again.
    fn put_in(&self, turned_full: bool, wake: bool) {
        if turned_full {
            self.stalls.add(self.me.clone());
        }
        if wake {
            self.wake();
        }
    }

    /// Wakes the reader.
    pub(crate) fn wake(&self) {
        self.ready.wake();
    }

    pub(crate) fn policy(&self) -> Policy {
        self.policy
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        self.hold().waiting(self.taken())
    }

    pub(crate) fn stats(&self) -> ListenerStats {
        let state = self.hold();
        ListenerStats {
            received: self.taken(),
            waiting: state.waiting(self.taken()),
            lagging: state.pressure.is_lagging(),
            ..state.stats
        }
    }
}

impl Stallable for ListenerQueue {
    fn give_up(&self, now: Instant) -> GivenUp {
        let mut state = self.state.lock();
        let taken = self.taken();
        if std::mem::replace(&mut state.seen_taken, taken) != taken {
            state.pressure.touch(now);
        }
        state.pressure.give_up(now)
    }

    fn laggard(&self) -> (Whose, Option<Instant>) {
        (Whose::Place(self.place), Some(self.state.lock().pressure.last_taken()))
    }
}

impl fmt::Debug for ListenerQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "queue of the listener at {} ({} waiting)", self.place, self.len())
    }
}
