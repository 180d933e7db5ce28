//! Callback listeners: called on the spot, or by a task of their own for events from links.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use sig_core::Tasks;
use tokio::sync::Notify;

use crate::event::Event;
use crate::outlet::Outlet;
use crate::pressure::Stalls;
use crate::queue::{LISTENER_MARKS, ListenerQueue};
use crate::request::panic_text;

type Function = dyn Fn(&Event<'_>) + Send + Sync;

thread_local! {
    /// The callback that runs on this thread right now, innermost.
    static RUNNING: Cell<*const ()> = const { Cell::new(std::ptr::null()) };
}

/// A function that listens.
pub(crate) struct Callback {
    function: Box<Function>,
    /// Where it was added, for people.
    place: &'static Location<'static>,
    live: AtomicBool,
    running: AtomicUsize,
    ended: Notify,
    mailbox: OnceLock<Arc<ListenerQueue>>,
}

impl Callback {
    pub(crate) fn new(function: Box<Function>, place: &'static Location<'static>) -> Self {
        Self {
            function,
            place,
            live: AtomicBool::new(true),
            running: AtomicUsize::new(0),
            ended: Notify::new(),
            mailbox: OnceLock::new(),
        }
    }

    /// Calls the function unless its guard is gone. A panic is caught and reported; the other listeners still run.
    pub(crate) fn call(&self, event: &Event<'_>) {
        self.running.fetch_add(1, Ordering::AcqRel);
        if self.live.load(Ordering::Acquire) {
            let before = RUNNING.replace(std::ptr::from_ref(self).cast());
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.function)(event))) {
                let (sender, name, panic) = (event.sender(), event.name(), panic_text(&*panic));
                tracing::error!(%sender, event = %name, listener = %self.place, panic, "a listener panicked");
            }
            RUNNING.set(before);
        }
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 && !self.live.load(Ordering::Acquire) {
            self.ended.notify_waiters();
        }
    }

    /// No new call begins from now on.
    pub(crate) fn retire(&self) {
        self.live.store(false, Ordering::Release);
        if let Some(mailbox) = self.mailbox.get() {
            mailbox.close();
        }
    }

    /// Waits until no call runs any more, but for one that this very thread is in.
    pub(crate) async fn ended(&self) {
        let own = usize::from(RUNNING.get() == std::ptr::from_ref(self).cast());
        loop {
            let ended = self.ended.notified();
            if self.running.load(Ordering::Acquire) <= own {
                return;
            }
            ended.await;
        }
    }

    /// The queue through which events from links reach the function, and the task that takes from it.
    pub(crate) fn mailbox(self: &Arc<Self>, tasks: &Tasks, stalls: &Arc<Stalls>) -> Arc<dyn Outlet> {
        let mailbox = self.mailbox.get_or_init(|| {
            let queue = ListenerQueue::new(LISTENER_MARKS, Arc::clone(stalls));
            if !self.live.load(Ordering::Acquire) {
                queue.close();
            }
            let (callback, source, stop) = (Arc::clone(self), Arc::clone(&queue), tasks.stop_token().clone());
            tasks.spawn("listener", async move {
                while let Some(Some(delivery)) = stop.run_until_cancelled(source.next()).await {
                    match delivery {
                        Ok(event) => callback.call(&event),
                        Err(lagged) => tracing::warn!(listener = %callback.place, "{lagged}"),
                    }
                    // A flood must not keep the other tasks from running.
                    tokio::task::coop::consume_budget().await;
                }
            });
            queue
        });
        Arc::clone(mailbox) as Arc<dyn Outlet>
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
