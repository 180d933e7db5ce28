//! Callback listeners: called on the spot, or by a task of their own for events from links.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use sig_core::{CancellationToken, Tasks};
use tokio::sync::Notify;

use super::calls::Calls;
use super::record::EventRecord;
use crate::confirm::Receipt;
use crate::event::{Event, EventId};
use crate::nesting::{self, here};
use crate::outlet::Outlet;
use crate::policy::Policy;
use crate::pressure::Stalls;
use crate::queue::{Delivery, ListenerQueue, ListenerStats, Reader, Settings};
use crate::turns::Turns;

/// How many events a function is called with before others have their turn.
const BATCH: usize = 256;

pub(super) type Function = dyn Fn(&Event<'_>) + Send + Sync;

/// What comes through a mailbox, with what is to be kept until it is dealt with.
type Kept = (Delivery, Option<Receipt>);

/// What was lost since the last event of each kind, to be told with the next one.
type Losses = HashMap<Arc<EventId>, u64>;

/// Of so many kinds of events, which may never come again.
const MOST_LOSSES: usize = 4096;

/// A function that listens.
pub(crate) struct Callback {
    held: Mutex<Held>,
    /// Where it was added, for people.
    place: &'static Location<'static>,
    live: AtomicBool,
    ended: Notify,
    settings: Settings,
    mailbox: OnceLock<Arc<ListenerQueue>>,
}

struct Held {
    /// Taken out when the guard goes, so that what the function owns goes with it and never under a lock of the router:
    /// it may own senders and listeners.
    function: Option<Arc<Function>>,
    /// Who may call it, by address.
    by: FxHashMap<usize, Holder>,
}

struct Holder {
    calls: Weak<Calls>,
    /// Who keeps the calls for the next trigger.
    event: Weak<EventRecord>,
}

impl Callback {
    pub(crate) fn new(function: Box<Function>, settings: Settings, place: &'static Location<'static>) -> Self {
        let held = Held {
            function: Some(Arc::from(function)),
            by: FxHashMap::default(),
        };
        Self {
            held: Mutex::new(held),
            place,
            live: AtomicBool::new(true),
            ended: Notify::new(),
            settings,
            mailbox: OnceLock::new(),
        }
    }

    /// Calls the function unless its guard is gone. A panic is caught and reported.
    pub(crate) fn call(self: &Arc<Self>, event: &Event<'_>) {
        here(|here| Calls::of_one(self).run(here, event));
    }

    /// The function, to be called by these until they [let go](Self::let_go) of it; `None` if the guard is gone.
    pub(super) fn hold(&self, calls: &Weak<Calls>, event: &Weak<EventRecord>) -> Option<Arc<Function>> {
        let mut held = self.held.lock();
        let function = held.function.clone()?;
        let holder = Holder {
            calls: Weak::clone(calls),
            event: Weak::clone(event),
        };
        held.by.insert(calls.as_ptr().addr(), holder);
        Some(function)
    }

    /// The calls at this address are over, and have dropped the function.
    pub(super) fn let_go(&self, calls: usize) {
        let holder = self.held.lock().by.remove(&calls);
        drop(holder);
        if !self.is_live() {
            self.ended.notify_waiters();
        }
    }

    /// Whether its guard is there.
    #[inline]
    pub(super) fn is_live(&self) -> bool {
        self.live.load(Ordering::SeqCst)
    }

    /// Where it was added.
    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    pub(crate) fn policy(&self) -> Policy {
        self.settings.policy
    }

    /// What happened to it so far; `None` where it was called on the spot only, which nobody counts.
    pub(crate) fn queued(&self) -> Option<ListenerStats> {
        self.mailbox.get().map(|mailbox| mailbox.stats())
    }

    /// What happened to it so far, if it hears events from links.
    pub(crate) fn stats(&self) -> ListenerStats {
        self.mailbox
            .get()
            .map_or_else(ListenerStats::default, |mailbox| mailbox.stats())
    }

    /// No new call begins from now on, and the function is dropped: here, or with the last calls that are under way.
    pub(crate) fn retire(&self) {
        self.live.store(false, Ordering::SeqCst);
        let (function, events) = {
            let mut held = self.held.lock();
            let events = held.by.iter().map(|(calls, by)| (*calls, Weak::clone(&by.event)));
            let events: Vec<_> = events.collect();
            (held.function.take(), events)
        };
        drop(function);
        for (calls, event) in events {
            if let Some(event) = event.upgrade() {
                event.let_go_of_calls(calls);
            }
        }
        if let Some(mailbox) = self.mailbox.get() {
            mailbox.close();
        }
    }

    /// Waits until nobody may call it any more, but for those calls that this very thread is in. It no longer listens.
    pub(crate) async fn ended(&self) {
        let own = nesting::inside();
        loop {
            let ended = self.ended.notified();
            match self.under_way(&own) {
                UnderWay::Nothing => return,
                UnderWay::Elsewhere => ended.await,
                // Seldom, and there is nobody who would tell.
                UnderWay::HereAndElsewhere => tokio::task::yield_now().await,
            }
        }
    }

    fn under_way(&self, own: &[usize]) -> UnderWay {
        let held = self.held.lock();
        if held.by.keys().any(|calls| !own.contains(calls)) {
            return UnderWay::Elsewhere;
        }
        // Each who is in them has a share in them.
        let is_shared = |(calls, by): (&usize, &Holder)| {
            let own = own.iter().filter(|own| *own == calls).count();
            by.calls.strong_count() > own
        };
        if held.by.iter().any(is_shared) {
            return UnderWay::HereAndElsewhere;
        }
        // What those did who gave theirs up has happened.
        fence(Ordering::Acquire);
        UnderWay::Nothing
    }

    /// The queue through which events from links reach the function, and the task that takes from it.
    pub(crate) fn mailbox(self: &Arc<Self>, tasks: &Tasks, stalls: &Arc<Stalls>, turns: &Turns) -> Arc<dyn Outlet> {
        let mailbox = self.mailbox.get_or_init(|| {
            let mailbox = ListenerQueue::at(self.place, self.settings, Arc::clone(stalls));
            let (callback, reader, turns) = (Arc::clone(self), Reader::new(Arc::clone(&mailbox)), turns.clone());
            let stop = tasks.stop_token().clone();
            tasks.spawn("listener", async move { callback.deliver(reader, &turns, &stop).await });
            mailbox
        });
        // Checked after it is there for `retire` to find, so that one of the two closes it.
        if !self.live.load(Ordering::SeqCst) {
            mailbox.close();
        }
        Arc::clone(mailbox) as Arc<dyn Outlet>
    }

    /// Calls the function for what comes through its mailbox, until that is closed or the router stops.
    ///
    /// The function may block. Where the runtime has several workers, this one's other work moves to another thread
    /// meanwhile, links above all: once for all events that wait, since each time costs some microseconds.
    async fn deliver(self: Arc<Self>, mut mailbox: Reader, turns: &Turns, stop: &CancellationToken) {
        let may_move = Turns::has_workers();
        let mut lost = HashMap::new();
        while let Some(Some(first)) = stop.run_until_cancelled(mailbox.next_kept()).await {
            let batch = || self.handle_batch(first, &mut mailbox, &mut lost, stop);
            if !may_move {
                if batch() == BATCH {
                    // A flood must not keep the other tasks from running.
                    tokio::task::yield_now().await;
                }
                continue;
            }
            let Some(turn) = stop.run_until_cancelled(turns.next()).await else {
                return;
            };
            turn.run(batch);
        }
    }

    /// Calls the function with an event, and with those that wait behind it; how many they were.
    fn handle_batch(
        self: &Arc<Self>,
        first: Kept,
        mailbox: &mut Reader,
        lost: &mut Losses,
        stop: &CancellationToken,
    ) -> usize {
        let calls = Calls::of_one(self);
        self.handle(&calls, first, lost);
        for count in 1..BATCH {
            let next = (!stop.is_cancelled()).then(|| mailbox.take_now()).flatten();
            let Some(next) = next else { return count };
            self.handle(&calls, next, lost);
        }
        BATCH
    }

    /// Calls the function with an event, which says what was lost right before it.
    fn handle(&self, calls: &Calls, (delivery, receipt): Kept, lost: &mut Losses) {
        match delivery {
            Ok(event) => {
                let count = if lost.is_empty() {
                    None
                } else {
                    lost.remove(&event.shared_id())
                };
                let receipt = Cell::new(receipt);
                let event = event.with_lost(count.unwrap_or(0));
                here(|here| calls.run_with(here, &event, || receipt.take()));
            }
            Err(lagged) => {
                tracing::warn!(listener = %self.place, "{lagged}");
                if lost.len() >= MOST_LOSSES {
                    // They were told in the log.
                    lost.clear();
                }
                *lost.entry(Arc::clone(lagged.id())).or_insert(0) += lagged.count();
            }
        }
    }
}

/// Whether calls are under way.
enum UnderWay {
    Nothing,
    /// Some that this thread is not in.
    Elsewhere,
    /// Those that this thread is in, and another thread as well.
    HereAndElsewhere,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "callback at {}", self.place)
    }
}
