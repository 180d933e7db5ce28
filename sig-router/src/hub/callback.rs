//! Callback listeners: called on the spot, or by a task of their own for events from links.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use sig_core::{CancellationToken, Tasks};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Notify, Semaphore};

use crate::confirm::Receipt;
use crate::event::{Event, EventId};
use crate::outlet::Outlet;
use crate::policy::Policy;
use crate::pressure::Stalls;
use crate::queue::{Delivery, ListenerQueue, ListenerStats, Reader, Settings};
use crate::request::panic_text;

/// Most functions of one router that hear events from links at the same time. More wait for their turn, so that those
/// that block leave threads for the links: a runtime has 512 for what blocks, unless told otherwise.
pub(crate) const MAX_RUNNING: usize = 128;

/// How many events a function is called with before others have their turn.
const BATCH: usize = 256;

type Function = dyn Fn(&Event<'_>) + Send + Sync;

/// What was lost since the last event of each kind, to be told with the next one.
type Losses = HashMap<Arc<EventId>, u64>;

/// Of so many kinds of events, which may never come again.
const MOST_LOSSES: usize = 4096;

thread_local! {
    /// The callbacks that run on this thread right now, innermost last.
    static RUNNING: RefCell<Vec<*const ()>> = const { RefCell::new(Vec::new()) };
}

/// Notes that this thread is inside of a callback. A thread that is ending (a sender in a thread local leaves late)
/// has no notes any more and does without.
struct Inside;

impl Inside {
    fn of(callback: *const ()) -> Self {
        let _ = RUNNING.try_with(|running| running.borrow_mut().push(callback));
        Self
    }

    fn count(callback: *const ()) -> usize {
        let count = |running: &RefCell<Vec<_>>| running.borrow().iter().filter(|other| **other == callback).count();
        RUNNING.try_with(count).unwrap_or(0)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = RUNNING.try_with(|running| running.borrow_mut().pop());
    }
}

/// A function that listens.
pub(crate) struct Callback {
    /// Taken out when the guard goes, so that what the function owns goes with it and never under a lock of the router:
    /// it may own senders and listeners.
    function: Mutex<Option<Arc<Function>>>,
    /// Where it was added, for people.
    place: &'static Location<'static>,
    live: AtomicBool,
    running: AtomicUsize,
    ended: Notify,
    settings: Settings,
    mailbox: OnceLock<Arc<ListenerQueue>>,
}

impl Callback {
    pub(crate) fn new(function: Box<Function>, settings: Settings, place: &'static Location<'static>) -> Self {
        Self {
            settings,
            function: Mutex::new(Some(Arc::from(function))),
            place,
            live: AtomicBool::new(true),
            running: AtomicUsize::new(0),
            ended: Notify::new(),
            mailbox: OnceLock::new(),
        }
    }

    /// Calls the function unless its guard is gone. A panic is caught and reported; the other listeners still run.
    pub(crate) fn call(&self, event: &Event<'_>) {
        self.call_with(event, None);
    }

    /// The same with an event that is delivered when the function has returned.
    pub(crate) fn call_with(&self, event: &Event<'_>, receipt: Option<Receipt>) {
        self.running.fetch_add(1, Ordering::SeqCst);
        let function = self.function.lock().clone();
        if let Some(function) = function {
            let inside = Inside::of(self.address());
            let call = move || function(event);
            match catch_unwind(AssertUnwindSafe(call)) {
                Ok(()) => receipt.into_iter().for_each(Receipt::delivered),
                Err(panic) => {
                    let (sender, name, panic) = (event.sender(), event.name(), panic_text(&*panic));
                    tracing::error!(%sender, event = %name, listener = %self.place, panic, "a listener panicked");
                }
            }
            drop(inside);
        }
        // Sequentially consistent, as in `retire` and `ended`: either this sees the guard gone, or they see the call over.
        self.running.fetch_sub(1, Ordering::SeqCst);
        if !self.live.load(Ordering::SeqCst) {
            self.ended.notify_waiters();
        }
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

    fn address(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }

    /// No new call begins from now on, and the function is dropped: here, or at the end of the last call that runs.
    pub(crate) fn retire(&self) {
        self.live.store(false, Ordering::SeqCst);
        let function = self.function.lock().take();
        drop(function);
        if let Some(mailbox) = self.mailbox.get() {
            mailbox.close();
        }
    }

    /// Waits until no call runs any more, but for those that this very thread is in.
    pub(crate) async fn ended(&self) {
        let own = Inside::count(self.address());
        loop {
            let ended = self.ended.notified();
            if self.running.load(Ordering::SeqCst) <= own {
                return;
            }
            ended.await;
        }
    }

    /// The queue through which events from links reach the function, and the task that takes from it.
    pub(crate) fn mailbox(
        self: &Arc<Self>,
        tasks: &Tasks,
        stalls: &Arc<Stalls>,
        turns: &Arc<Semaphore>,
    ) -> Arc<dyn Outlet> {
        let mailbox = self.mailbox.get_or_init(|| {
            let mailbox = ListenerQueue::at(self.place, self.settings, Arc::clone(stalls));
            let (callback, reader, turns) = (Arc::clone(self), Reader::new(Arc::clone(&mailbox)), Arc::clone(turns));
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
    async fn deliver(&self, mut mailbox: Reader, turns: &Semaphore, stop: &CancellationToken) {
        let may_move = Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread;
        let mut lost = HashMap::new();
        while let Some(Some(first)) = stop.run_until_cancelled(mailbox.next_kept()).await {
            if !may_move {
                self.handle(first, &mut lost);
                // A flood must not keep the other tasks from running.
                tokio::task::coop::consume_budget().await;
                continue;
            }
            // The semaphore is never closed.
            let Some(Ok(turn)) = stop.run_until_cancelled(turns.acquire()).await else {
                return;
            };
            tokio::task::block_in_place(|| {
                self.handle(first, &mut lost);
                for _ in 1..BATCH {
                    let next = (!stop.is_cancelled()).then(|| mailbox.take_now()).flatten();
                    let Some(next) = next else { break };
                    self.handle(next, &mut lost);
                }
            });
            drop(turn);
        }
    }

    /// Calls the function with an event, which says what was lost right before it.
    fn handle(&self, (delivery, receipt): (Delivery, Option<Receipt>), lost: &mut Losses) {
        match delivery {
            Ok(event) => {
                let count = if lost.is_empty() {
                    None
                } else {
                    lost.remove(&event.shared_id())
                };
                self.call_with(&event.with_lost(count.unwrap_or(0)), receipt);
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
