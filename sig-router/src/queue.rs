//! The bounded queue of a stream listener, or of a callback that hears events from links.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use parking_lot::Mutex;

use crate::event::{Event, Lagged};
use crate::hub::EventRecord;
use crate::outlet::{Item, Outlet, Receipt};
use crate::pressure::{Gate, GivenUp, Marks, Pressure, Stallable, Stalls, release_all};

/// How much one listener may have waiting.
pub(crate) const LISTENER_MARKS: Marks = Marks {
    count: 1024,
    bytes: 4 * 1024 * 1024,
    patience: Duration::from_secs(5),
};

/// What a listener takes.
pub(crate) type Delivery = Result<Event<'static>, Lagged>;

/// The bounded queue of one listener.
pub(crate) struct ListenerQueue {
    state: Mutex<State>,
    ready: AtomicWaker,
    stalls: Arc<Stalls>,
    /// Where the listener was added, for people.
    place: &'static Location<'static>,
    /// Whether an event is delivered when it was dealt with, and not already when it lies here.
    keeps_receipts: bool,
    me: Weak<Self>,
}

struct State {
    entries: VecDeque<Entry>,
    pressure: Pressure,
    closed: bool,
}

struct Entry {
    /// Events lost right before this one.
    lagged: u64,
    event: Event<'static>,
    bytes: usize,
    receipt: Option<Receipt>,
}

impl ListenerQueue {
    #[track_caller]
    pub(crate) fn new(marks: Marks, stalls: Arc<Stalls>) -> Arc<Self> {
        Self::make(Location::caller(), marks, stalls, false)
    }

    /// One for a function that was added at this place; see [`next_kept`](Self::next_kept).
    pub(crate) fn at(place: &'static Location<'static>, marks: Marks, stalls: Arc<Stalls>) -> Arc<Self> {
        Self::make(place, marks, stalls, true)
    }

    fn make(place: &'static Location<'static>, marks: Marks, stalls: Arc<Stalls>, keeps_receipts: bool) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            state: Mutex::new(State {
                entries: VecDeque::new(),
                pressure: Pressure::new(marks),
                closed: false,
            }),
            ready: AtomicWaker::new(),
            stalls,
            place,
            keeps_receipts,
            me: me.clone(),
        })
    }

    /// Takes the next delivery; `None` when the queue is empty.
    fn pop(&self) -> Option<(Delivery, Option<Receipt>)> {
        let mut state = self.state.lock();
        let Some(front) = state.entries.front_mut() else {
            let lagged = state.pressure.take_lagged();
            return (lagged > 0).then_some((Err(Lagged(lagged)), None));
        };
        if front.lagged > 0 {
            return Some((Err(Lagged(std::mem::take(&mut front.lagged))), None));
        }
        let entry = state.entries.pop_front()?;
        let released = state.pressure.took(1, entry.bytes);
        drop(state);
        release_all(released);
        Some((Ok(entry.event), entry.receipt))
    }

    /// Takes the next delivery without waiting; `Ready(None)` when the queue is closed and empty.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.poll_kept(cx).map(|taken| taken.map(|(delivery, _)| delivery))
    }

    fn poll_kept(&self, cx: &mut Context<'_>) -> Poll<Option<(Delivery, Option<Receipt>)>> {
        if let Some(delivery) = self.pop() {
            return Poll::Ready(Some(delivery));
        }
        self.ready.register(cx.waker());
        match self.pop() {
            Some(delivery) => Poll::Ready(Some(delivery)),
            None if self.state.lock().closed => Poll::Ready(None),
            None => Poll::Pending,
        }
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
        let entries = std::mem::take(&mut self.state.lock().entries);
        drop(entries);
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().entries.len()
    }
}

impl Outlet for ListenerQueue {
    /// Takes no more events. Those that wait can still be taken.
    fn close(&self) {
        let released = {
            let mut state = self.state.lock();
            state.closed = true;
            state.pressure.close()
        };
        release_all(released);
        self.ready.wake();
    }

    fn offer(&self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        state.pressure.lost_before(item.lagged);
        if !state.pressure.accepts(item.presence) {
            return;
        }
        let lagged = state.pressure.take_lagged();
        let bytes = item.bytes().len();
        let event = Event::packed(Arc::clone(event.id()), item.number, item.payload().clone());
        state.entries.push_back(Entry {
            lagged,
            event,
            bytes,
            receipt: item.receipt().filter(|_| self.keeps_receipts),
        });
        let turned_full = state.pressure.put(bytes, gate);
        drop(state);
        if turned_full {
            self.stalls.add(self.me.clone());
        }
        self.ready.wake();
    }
}

impl Stallable for ListenerQueue {
    fn give_up(&self, now: Instant) -> GivenUp {
        self.state.lock().pressure.give_up(now)
    }
}

impl fmt::Debug for ListenerQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "queue of the listener at {} ({} waiting)", self.place, self.len())
    }
}
