//! The bounded queue of a stream listener, or of a callback that hears events from links.

mod chunk;
mod filling;
mod reader;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use futures::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use sig_core::ContentType;

pub(crate) use filling::Filling;
pub(crate) use reader::Reader;

use crate::burst::Burst;
use crate::clock;
use crate::confirm::Receipt;
use crate::event::{Event, EventId, Lagged};
use crate::flow::{Arriving, Backlog, Class, Track, Tracks};
use crate::hub::{CatchUp, EventRecord};
use crate::listen::Listen;
use crate::outlet::{Item, Outlet, Terms};
use crate::policy::{DEFAULT_PATIENCE, Policy};
use crate::pressure::{Gate, GivenUp, Marks, Pressure, Stallable, Stalls, Whose, release_all};
use chunk::Chunk;
use filling::Lending;

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

struct State {
    backlog: Backlog<Waiting>,
    /// How many events wait beyond one for each entry of the backlog.
    extra: u64,
    /// Taken out already, but what was lost before it was told first.
    next: Option<Taken>,
    /// How many events the reader was given so far, and how many of them it was seen to have taken.
    given: u64,
    seen_taken: u64,
    tracks: Tracks,
    /// Whether something was lost that the next event of its kind may not be there to tell.
    has_rest: bool,
    /// What it is still to be given of what was there before it.
    catch_ups: VecDeque<CatchUp>,
    pressure: Pressure,
    lending: Lending,
    stats: ListenerStats,
    closed: bool,
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

struct Waiting {
    what: Taken,
    /// The place in the track, of the first if there are several; none for presence, which is never lost.
    position: Option<u64>,
}

/// What a reader is given.
enum Taken {
    /// With what is to be kept until it is dealt with.
    One(Event<'static>, Option<Receipt>),
    Several(Chunk),
}

impl Taken {
    fn count(&self) -> u64 {
        match self {
            Self::One(..) => 1,
            Self::Several(chunk) => chunk.count(),
        }
    }
}

/// What is there for a reader that looks.
enum Look {
    Taken(Taken),
    Lagged(Lagged),
    /// Nothing; an event is held back until then.
    Empty(Option<Instant>),
    Closed,
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

impl State {
    fn has_room(&self, taken: u64) -> bool {
        !self.closed && self.waiting(taken) < CATCH_UP
    }

    /// The track of an event, which may have become known anew since it was last heard.
    fn track(&mut self, event: &Arc<EventRecord>, new: impl FnOnce() -> Track) -> &mut Track {
        let (track, former) = self.tracks.of(event, new);
        if let Some(former) = former {
            self.backlog.settle(former);
        }
        track
    }

    /// How many events wait, those in the reader's hand among them.
    fn waiting(&self, taken: u64) -> usize {
        let next = self.next.as_ref().map_or(0, Taken::count);
        let beside = self.extra + next + self.given.saturating_sub(taken);
        self.backlog.len() + usize::try_from(beside).unwrap_or(usize::MAX)
    }

    fn give(&mut self, taken: Taken) -> Look {
        self.given += taken.count();
        Look::Taken(taken)
    }

    fn look(&mut self, now: Instant, released: &mut Vec<Arc<Gate>>) -> Look {
        if let Some(taken) = self.next.take() {
            return self.give(taken);
        }
        self.backlog.ripen(now);
        let Some(entry) = self.backlog.pop() else {
            return match self.lost_at_the_end() {
                Some(lagged) => Look::Lagged(lagged),
                None if self.closed => Look::Closed,
                None => Look::Empty(self.backlog.next_due()),
            };
        };
        let Waiting { what, position } = entry.item;
        let count = what.count();
        self.extra -= count - 1;
        if matches!(entry.class, Class::Event { policy, .. } if policy.blocks()) {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            *released = self.pressure.took(count, entry.bytes, now);
        }
        let id = match &what {
            Taken::One(event, _) => event.shared_id(),
            Taken::Several(chunk) => Arc::clone(chunk.id()),
        };
        let track = position.and_then(|position| Some((position, self.tracks.get(entry.alias, &id)?)));
        let lost = track.map_or(0, |(position, track)| track.taken(position, count, entry.skipped));
        self.stats.skipped += entry.skipped;
        let what = match what {
            Taken::One(event, receipt) => Taken::One(event.with_skipped(entry.skipped), receipt),
            several @ Taken::Several(_) => several,
        };
        if lost > 0 {
            self.stats.lost += lost;
            self.next = Some(what);
            return Look::Lagged(Lagged::new(id, lost));
        }
        self.give(what)
    }

    /// Puts plain events behind those that wait, if possible into the same piece of memory.
    fn append(&mut self, arriving: &Arriving<'_>, plain: Plain<'_>, write: impl Fn(&mut Chunk) -> bool) -> bool {
        let Plain {
            id,
            content_type,
            count,
            position,
            ..
        } = plain;
        if let Some(last) = self.last_chunk(arriving, plain) {
            if !write(last) {
                return false;
            }
            self.extended(arriving, count);
            return true;
        }
        let mut chunk = Chunk::new(id, content_type, arriving.number);
        if !write(&mut chunk) {
            return false;
        }
        self.push_chunk(arriving, chunk, position);
        true
    }

    /// The chunk at the end, if plain events fit behind those in it.
    fn last_chunk(&mut self, arriving: &Arriving<'_>, plain: Plain<'_>) -> Option<&mut Chunk> {
        let last = self.backlog.last_mut()?;
        let (Taken::Several(chunk), Some(first)) = (&mut last.item.what, last.item.position) else {
            return None;
        };
        let goes_on = chunk.goes_on_with(plain.id, plain.content_type, arriving.number)
            && first + chunk.count() == plain.position
            && chunk.count() + plain.count <= plain.most
            && chunk.byte_len() + arriving.bytes <= CHUNK_BYTES;
        goes_on.then_some(chunk)
    }

    /// So many events were put into the chunk at the end.
    fn extended(&mut self, arriving: &Arriving<'_>, count: u64) {
        if let Some(last) = self.backlog.last_mut() {
            last.bytes += arriving.bytes;
            self.extra += count;
        }
    }

    fn push_chunk(&mut self, arriving: &Arriving<'_>, chunk: Chunk, position: u64) {
        self.extra += chunk.count() - 1;
        let waiting = Waiting {
            what: Taken::Several(chunk),
            position: Some(position),
        };
        // Such events are never held back: no time is asked for.
        let Ok(_) = self
            .backlog
            .push(arriving, self.pressure.last_taken(), |_| Ok::<_, Infallible>(waiting));
    }

    /// What was lost behind the last event of its kind that came.
    fn lost_at_the_end(&mut self) -> Option<Lagged> {
        if !self.has_rest {
            return None;
        }
        let mut held = false;
        for (alias, id, track) in self.tracks.each() {
            if self.backlog.holds(alias) {
                held = true;
                continue;
            }
            let lost = track.rest();
            if lost > 0 {
                self.stats.lost += lost;
                return Some(Lagged::new(Arc::clone(id), lost));
            }
        }
        self.has_rest = held;
        None
    }
}

/// Plain events that are put in.
#[derive(Clone, Copy)]
struct Plain<'a> {
    id: &'a Arc<EventId>,
    content_type: ContentType,
    count: u64,
    /// The place of the first in its track.
    position: u64,
    /// How many may be in one chunk.
    most: u64,
}

impl Outlet for ListenerQueue {
    /// Takes no more events. Those that wait can still be taken.
    fn close(&self) {
        let released = {
            let mut state = self.hold_alone();
            state.closed = true;
            state.catch_ups.clear();
            state.backlog.let_all_go();
            state.pressure.close()
        };
        release_all(released);
        self.ready.wake();
    }

    fn offer(&self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>, _: &Terms) {
        // Unless the queue takes the event, it is lost.
        let receipt = item.receipt(self.policy);
        let mut guard = self.hold_alone();
        let state = &mut *guard;
        if state.closed {
            return;
        }
        self.came(state, event.alias);
        let (series, number) = (event.series(), item.number);
        let skipped = if item.retained.is_some() { 0 } else { item.skipped };
        let base = item.before.min(number.saturating_sub(1 + skipped));
        let new = || Track::new(series, base);
        let track = state.track(event, new);
        let was_new = track.is_new();
        let position = track.offered(series, number);
        if item.presence {
            // Its numbers are the sender's generations: nobody lost those in between.
            track.rest();
        }
        let class = if item.presence {
            Class::Presence {
                connects: event.name().as_str() == sig_core::CONNECT,
            }
        } else {
            Class::Event {
                policy: self.policy,
                listener: 0,
            }
        };
        // What came already does not come again, but for a sender that is new with another router's count. A last value
        // that is older than all that is counted is for who had nothing yet.
        let is_older = position.is_none() && !item.presence;
        let comes = match (is_older, item.presence) {
            (true, _) => item.retained.is_some() && was_new,
            (false, true) => position.is_some() || item.retained.is_none(),
            (false, false) => true,
        };
        if !comes {
            return;
        }
        if self.policy.blocks() && !item.presence && !state.pressure.accepts(gate) {
            state.has_rest = true;
            return;
        }
        let bytes = item.bytes().len();
        let arriving = Arriving {
            alias: event.alias,
            number,
            sender: &event.id().sender,
            skipped: item.skipped,
            bytes,
            class,
        };
        let plain = item.plain().zip(position).filter(|_| self.policy.blocks());
        if let Some((content_type, position)) = plain {
            let plain = Plain {
                id: event.id(),
                content_type,
                count: 1,
                position,
                most: self.chunk,
            };
            let was_empty = state.backlog.is_empty();
            if state.append(&arriving, plain, |chunk| chunk.push(item.bytes())) {
                let turned_full = state.pressure.put(1, bytes, gate, self.policy.patience());
                drop(guard);
                self.put_in(turned_full, was_empty);
                return;
            }
        }
        let now = clock::now();
        let make = || {
            let since = item.retained.and_then(|age| now.checked_sub(age));
            let event = Event::packed(Arc::clone(event.id()), number, item.payload().clone()).with_retained(since);
            Waiting {
                what: Taken::One(event, receipt.and_then(Receipt::accepted)),
                position: position.filter(|_| !item.presence),
            }
        };
        if is_older {
            // Nor is it ever left out, which would be counted.
            state.backlog.push_notice(make());
            drop(guard);
            self.ready.wake();
            return;
        }
        let Ok(pushed) = state.backlog.push(&arriving, now, |_| Ok::<_, Infallible>(make()));
        state.has_rest |= pushed.lost() > 0;
        let blocks = self.policy.blocks() && !item.presence;
        let turned_full = blocks && state.pressure.put(1, bytes, gate, self.policy.patience());
        drop(guard);
        self.put_in(turned_full, true);
    }

    fn offer_burst(&self, event: &Arc<EventRecord>, burst: &Burst<'_>, gate: &Arc<Gate>, terms: &Terms) {
        let one_by_one = || burst.each(|item| self.offer(event, item, gate, terms));
        if !self.policy.blocks() {
            return one_by_one();
        }
        let mut guard = self.hold_alone();
        let state = &mut *guard;
        if state.closed {
            return;
        }
        self.came(state, event.alias);
        let series = event.series();
        let base = burst.before.min(burst.first.saturating_sub(1));
        let track = state.track(event, || Track::new(series, base));
        let Some(position) = track.offered_all(series, burst.first, burst.count) else {
            drop(guard);
            return one_by_one();
        };
        if !state.pressure.accepts(gate) {
            state.has_rest = true;
            return;
        }
        let was_empty = state.backlog.is_empty();
        for piece in burst.pieces(self.chunk, CHUNK_BYTES) {
            let arriving = Arriving {
                alias: event.alias,
                number: piece.first,
                sender: &event.id().sender,
                skipped: 0,
                bytes: piece.data_len,
                class: Class::Event {
                    policy: self.policy,
                    listener: 0,
                },
            };
            let plain = Plain {
                id: event.id(),
                content_type: burst.content_type,
                count: piece.count,
                position: position + (piece.first - burst.first),
                most: self.chunk,
            };
            state.append(&arriving, plain, |chunk| {
                chunk.push_all(&piece);
                true
            });
        }
        let turned_full = state
            .pressure
            .put(burst.count, burst.data_len(), gate, self.policy.patience());
        drop(guard);
        self.put_in(turned_full, was_empty);
    }

    fn may_lend(&self) -> bool {
        self.may_lend.load(Ordering::Relaxed)
    }

    fn lend(&self, event: &Arc<EventRecord>, generation: u64, number: u64, content_type: ContentType) -> bool {
        self.lend_room(event, generation, number, content_type)
    }

    fn settle(&self, event: &EventRecord) {
        self.hold_alone().backlog.settle(event.alias);
        self.ready.wake();
    }

    fn has_room(&self) -> bool {
        self.hold().has_room(self.taken())
    }

    fn catch_up(&self, rest: CatchUp) {
        let mut state = self.hold();
        if !state.closed {
            state.catch_ups.push_back(rest);
        }
        drop(state);
        self.ready.wake();
    }

    fn moved_to(&self, event: &Arc<EventRecord>, before: u64, number: u64) {
        let series = event.series();
        let mut state = self.hold_alone();
        let track = state.track(event, || Track::new(series, before));
        let is_behind = track.moved_to(series, number);
        state.has_rest |= is_behind;
        drop(state);
        if is_behind {
            self.ready.wake();
        }
    }

    fn whose(&self) -> Option<Whose> {
        Some(Whose::Place(self.place))
    }

    fn stats(&self) -> Option<ListenerStats> {
        Some(Self::stats(self))
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
