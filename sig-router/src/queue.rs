//! The bounded queue of a stream listener, or of a callback that hears events from links.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::Sleep;

use crate::clock;
use crate::confirm::Receipt;
use crate::event::{Event, Lagged};
use crate::flow::{Arriving, Backlog, Class, Track, Tracks};
use crate::hub::{CatchUp, EventRecord};
use crate::listen::Listen;
use crate::outlet::{Item, Outlet, Terms};
use crate::policy::{DEFAULT_PATIENCE, Policy};
use crate::pressure::{Gate, GivenUp, Marks, Pressure, Stallable, Stalls, Whose, release_all};
use crate::wait::wait_or_look_again;

/// How much one listener may have waiting.
const MARKS: Marks = Marks {
    count: 1024,
    bytes: 4 * 1024 * 1024,
    patience: DEFAULT_PATIENCE,
};

/// While fewer than this wait, a listener is given more of what was there before it.
const CATCH_UP: usize = 256;

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
    /// Wakes the reader when the time of an event has come that is held back.
    timer: Mutex<Option<Pin<Box<Sleep>>>>,
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
    /// Taken out already, but what was lost before it was told first.
    next: Option<Taken>,
    tracks: Tracks,
    /// Whether something was lost that the next event of its kind may not be there to tell.
    has_rest: bool,
    /// What it is still to be given of what was there before it.
    catch_ups: VecDeque<CatchUp>,
    pressure: Pressure,
    stats: ListenerStats,
    closed: bool,
}

struct Waiting {
    event: Event<'static>,
    /// Its place in its track; none for presence, which is never lost.
    position: Option<u64>,
    receipt: Option<Receipt>,
}

/// What a listener takes, with what is to be kept until it is dealt with.
type Taken = (Event<'static>, Option<Receipt>);

/// What is there for a listener that looks.
enum Look {
    Taken(Delivery, Option<Receipt>),
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
                next: None,
                tracks: Tracks::default(),
                has_rest: false,
                catch_ups: VecDeque::new(),
                pressure: Pressure::new(settings.marks),
                stats: ListenerStats::default(),
                closed: false,
            }),
            ready: AtomicWaker::new(),
            timer: Mutex::new(None),
            stalls,
            policy: settings.policy,
            place,
            keeps_receipts,
            me: me.clone(),
        })
    }

    fn look(&self) -> Look {
        let mut state = self.state.lock();
        let mut released = Vec::new();
        let look = state.look(clock::now(), &mut released);
        drop(state);
        release_all(released);
        match look {
            Look::Taken(delivery, Some(receipt)) if !self.keeps_receipts => {
                receipt.delivered();
                Look::Taken(delivery, None)
            }
            look => look,
        }
    }

    /// Takes the next delivery, if one is there.
    pub(crate) fn take_now(&self) -> Option<(Delivery, Option<Receipt>)> {
        self.pull();
        match self.look() {
            Look::Taken(delivery, receipt) => Some((delivery, receipt)),
            Look::Empty(_) | Look::Closed => None,
        }
    }

    /// Waits on this thread for the next delivery, until the deadline; `Some(None)` when the queue is closed and empty.
    ///
    /// Not the same as to wait for [`next`](Self::next): the thread keeps the time itself, with no timer of a runtime,
    /// which may not be there, or be this very thread's.
    pub(crate) fn take_on_thread(&self, deadline: Option<Instant>) -> Option<Option<Delivery>> {
        wait_or_look_again(deadline, |cx| {
            self.pull();
            // Once more when it is known whom to wake.
            let mut look = self.look();
            if matches!(look, Look::Empty(_)) {
                self.ready.register(cx.waker());
                look = self.look();
            }
            match look {
                Look::Taken(delivery, _) => (Poll::Ready(Some(delivery)), None),
                Look::Closed => (Poll::Ready(None), None),
                Look::Empty(due) => (Poll::Pending, due),
            }
        })
    }

    /// Takes the next delivery without waiting; `Ready(None)` when the queue is closed and empty.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.poll_kept(cx).map(|taken| taken.map(|(delivery, _)| delivery))
    }

    pub(crate) fn poll_kept(&self, cx: &mut Context<'_>) -> Poll<Option<(Delivery, Option<Receipt>)>> {
        self.pull();
        if let Look::Taken(delivery, receipt) = self.look() {
            return Poll::Ready(Some((delivery, receipt)));
        }
        self.ready.register(cx.waker());
        loop {
            match self.look() {
                Look::Taken(delivery, receipt) => return Poll::Ready(Some((delivery, receipt))),
                Look::Closed => return Poll::Ready(None),
                Look::Empty(None) => return Poll::Pending,
                Look::Empty(Some(due)) if self.poll_timer(due, cx).is_pending() => return Poll::Pending,
                Look::Empty(Some(_)) => {}
            }
        }
    }

    /// Gets more of what was there before it, while there is room. Takes senders' lanes, so no lock may be held.
    fn pull(&self) {
        loop {
            let catch_up = {
                let mut state = self.state.lock();
                if !state.has_room() {
                    return;
                }
                state.catch_ups.pop_front()
            };
            let Some(mut catch_up) = catch_up else { return };
            if catch_up.step() {
                self.state.lock().catch_ups.push_front(catch_up);
            }
        }
    }

    /// Ready when the time has come. Without a runtime there are no timers: the next event then brings the one that is
    /// held back along.
    fn poll_timer(&self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if Handle::try_current().is_err() {
            return Poll::Pending;
        }
        let due = due.into();
        let mut timer = self.timer.lock();
        let sleep = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        sleep.as_mut().poll(cx)
    }

    /// Waits for the next delivery; `None` when the queue is closed and empty.
    pub(crate) async fn next(&self) -> Option<Delivery> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next), with what is to be kept until the event is dealt with.
    pub(crate) async fn next_kept(&self) -> Option<(Delivery, Option<Receipt>)> {
        std::future::poll_fn(|cx| self.poll_kept(cx)).await
    }

    /// Closes it and drops what waits: nobody will take it.
    pub(crate) fn discard(&self) {
        self.close();
        let dropped = {
            let mut state = self.state.lock();
            (state.backlog.drain(), state.next.take())
        };
        drop(dropped);
    }

    pub(crate) fn policy(&self) -> Policy {
        self.policy
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().waiting()
    }

    pub(crate) fn stats(&self) -> ListenerStats {
        let state = self.state.lock();
        ListenerStats {
            waiting: state.waiting(),
            lagging: state.pressure.is_lagging(),
            ..state.stats
        }
    }
}

impl State {
    fn has_room(&self) -> bool {
        !self.closed && self.waiting() < CATCH_UP
    }

    /// The track of an event, which may have become known anew since it was last heard.
    fn track(&mut self, event: &Arc<EventRecord>, new: impl FnOnce() -> Track) -> &mut Track {
        let (track, former) = self.tracks.of(event, new);
        if let Some(former) = former {
            self.backlog.settle(former);
        }
        track
    }

    fn waiting(&self) -> usize {
        self.backlog.len() + usize::from(self.next.is_some())
    }

    fn look(&mut self, now: Instant, released: &mut Vec<Arc<Gate>>) -> Look {
        if let Some((event, receipt)) = self.next.take() {
            self.stats.received += 1;
            return Look::Taken(Ok(event), receipt);
        }
        self.backlog.ripen(now);
        let Some(entry) = self.backlog.pop() else {
            return match self.lost_at_the_end() {
                Some(lagged) => Look::Taken(Err(lagged), None),
                None if self.closed => Look::Closed,
                None => Look::Empty(self.backlog.next_due()),
            };
        };
        let counted = matches!(entry.class, Class::Event { policy, .. } if policy.blocks());
        released.append(
            &mut self
                .pressure
                .took(usize::from(counted), if counted { entry.bytes } else { 0 }),
        );
        let Waiting {
            event,
            position,
            receipt,
        } = entry.item;
        let id = event.shared_id();
        let track = position.and_then(|position| Some((position, self.tracks.get(entry.alias, &id)?)));
        let lost = track.map_or(0, |(position, track)| track.taken(position, entry.skipped));
        self.stats.skipped += entry.skipped;
        let event = event.with_skipped(entry.skipped);
        if lost > 0 {
            self.stats.lost += lost;
            let lagged = Lagged::new(id, lost);
            self.next = Some((event, receipt));
            return Look::Taken(Err(lagged), None);
        }
        self.stats.received += 1;
        Look::Taken(Ok(event), receipt)
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

impl Outlet for ListenerQueue {
    /// Takes no more events. Those that wait can still be taken.
    fn close(&self) {
        let released = {
            let mut state = self.state.lock();
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
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.closed {
            return;
        }
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
        let now = clock::now();
        let make = || {
            let since = item.retained.and_then(|age| now.checked_sub(age));
            Waiting {
                event: Event::packed(Arc::clone(event.id()), number, item.payload().clone()).with_retained(since),
                position: position.filter(|_| !item.presence),
                receipt: receipt.and_then(Receipt::accepted),
            }
        };
        if is_older {
            // Nor is it ever left out, which would be counted.
            state.backlog.push_notice(make());
            drop(guard);
            self.ready.wake();
            return;
        }
        let Ok(pushed) = state
            .backlog
            .push(&arriving, now, |_| Ok::<_, std::convert::Infallible>(make()));
        state.has_rest |= pushed.lost() > 0;
        let blocks = self.policy.blocks() && !item.presence;
        let turned_full = blocks && state.pressure.put(bytes, gate, self.policy.patience());
        drop(guard);
        if turned_full {
            self.stalls.add(self.me.clone());
        }
        self.ready.wake();
    }

    fn settle(&self, event: &EventRecord) {
        self.state.lock().backlog.settle(event.alias);
        self.ready.wake();
    }

    fn has_room(&self) -> bool {
        self.state.lock().has_room()
    }

    fn catch_up(&self, rest: CatchUp) {
        let mut state = self.state.lock();
        if !state.closed {
            state.catch_ups.push_back(rest);
        }
        drop(state);
        self.ready.wake();
    }

    fn moved_to(&self, event: &Arc<EventRecord>, before: u64, number: u64) {
        let series = event.series();
        let mut state = self.state.lock();
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
        self.state.lock().pressure.give_up(now)
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
