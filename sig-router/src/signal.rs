//! Triggering events.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sig_core::{EventName, SenderName, Value};
use tokio::runtime::Handle;

use crate::clock;
use crate::confirm::{Confirm, PendingConfirmation, Tally};
use crate::error::TriggerError;
use crate::hub::{EventRecord, Hub, NotNow};
use crate::wait::wait_until;

/// How long a trigger waits for a link, and half of how long for room.
const PATIENCE: Duration = Duration::from_secs(5);

/// One event of one sender, ready to be triggered. Cloning is cheap; get it once and keep it.
///
/// The three plain ways to trigger are tokio's of sending: [`trigger`](Self::trigger) waits for room,
/// [`try_trigger`](Self::try_trigger) does not, [`blocking_trigger`](Self::blocking_trigger) parks the thread. All
/// deliver in the same way: listeners behind a queue or a link get the event first, then the functions that listen are
/// called on the spot, in pysig's order: router broadcast, sender broadcast, channel, specific (P3, P4).
///
/// Triggers of one sender from several threads each get their own number; functions called on the spot may then
/// overtake each other, queues keep the order.
#[derive(Debug, Clone)]
pub struct Signal {
    hub: Arc<Hub>,
    event: Arc<EventRecord>,
    generation: u64,
}

/// What a trigger waits for next.
enum Pause {
    Until(Instant),
    Over(TriggerError),
}

impl Signal {
    pub(crate) fn new(hub: Arc<Hub>, event: Arc<EventRecord>, generation: u64) -> Self {
        Self { hub, event, generation }
    }

    /// The sender.
    #[must_use]
    pub fn sender(&self) -> &SenderName {
        &self.event.sender.name
    }

    /// The event.
    #[must_use]
    pub fn name(&self) -> &EventName {
        self.event.name()
    }

    /// Whether the event is a channel, which can be heard from all senders at once (P6).
    #[must_use]
    pub fn is_channel(&self) -> bool {
        self.name().is_channel()
    }

    /// Triggers the event at once, or not at all. Needs no runtime.
    ///
    /// # Errors
    ///
    /// [`TriggerError::Busy`] when a listener has no room, [`TriggerError::Offline`] when the sender is a remote one and
    /// the link is down; nobody got the event then. Otherwise as [`trigger`](Self::trigger).
    pub fn try_trigger<V: Value>(&self, value: &V) -> Result<(), TriggerError> {
        match self.attempt(value, None) {
            Ok(()) => Ok(()),
            Err(NotNow::Failed(error)) => Err(error),
            Err(NotNow::Shut) => self.try_again(value),
        }
    }

    /// Triggers that never wait must not stay shut out by a listener that takes nothing.
    #[cold]
    fn try_again(&self, value: &dyn Value) -> Result<(), TriggerError> {
        self.hub.stalls().relieve(clock::now());
        self.attempt(value, None).map_err(|not_now| match not_now {
            NotNow::Shut if self.hub.is_closing() => TriggerError::Closed,
            NotNow::Shut if self.hub.is_offline(&self.event) => self.offline(),
            NotNow::Shut => self.busy(),
            NotNow::Failed(error) => error,
        })
    }

    /// Triggers the event, waiting for room where listeners have none.
    ///
    /// A listener that takes nothing for five seconds while its queue is full is not waited for any longer: it loses
    /// events, which it is told, until it has caught up.
    ///
    /// # Errors
    ///
    /// - [`TriggerError::SenderGone`] when the sender was removed;
    /// - [`TriggerError::Closed`] when it would have to wait and the router is closing;
    /// - [`TriggerError::Offline`] when the sender is a remote one and there was no link for five seconds;
    /// - [`TriggerError::Pack`] when the value cannot be packed and somebody needs it so;
    /// - [`TriggerError::TooDeep`] when listeners trigger each other in a circle;
    /// - [`TriggerError::NoRuntime`] when it would have to wait outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: an event that was not triggered yet is not triggered. There is no half way.
    pub async fn trigger<V: Value>(&self, value: &V) -> Result<(), TriggerError> {
        self.trigger_with(value, None).await
    }

    /// Triggers the event, and waits until its listeners have it ([`Confirm::Accepted`]) or have dealt with it
    /// ([`Confirm::Delivered`]); await the counts. The deadline is ten seconds unless set otherwise.
    ///
    /// A confirmation changes nothing of how the event goes: it keeps its place among the others of its sender, and each
    /// listener's policy holds for it as for them. What became of it is in the
    /// [`Confirmation`](crate::Confirmation): who had no room for it, dropped it, left or panicked has lost it. A link
    /// that ends loses it as well, as far as this side can tell.
    ///
    /// At the deadline the counts are as far as they are known then, with `pending` above zero, and that is no error.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use sig_router::{Confirm, Event, Router};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let router = Router::new();
    /// let _listener = router.add_listener("timer/tic", |event: &Event<'_>| println!("{event:?}"))?;
    /// let _stream = router.listen("timer/tic")?;
    /// let timer = router.add_sender("timer").event("tic").connect()?;
    /// let tic = timer.signal("tic")?;
    ///
    /// let accepted = tic.trigger_confirmed(&1, Confirm::Accepted).await?;
    /// assert!(accepted.is_complete());
    /// assert_eq!((accepted.accepted, accepted.delivered), (2, 1));
    ///
    /// // Nobody takes anything from the stream.
    /// let delivered = tic
    ///     .trigger_confirmed(&2, Confirm::Delivered)
    ///     .timeout(Duration::from_millis(20))
    ///     .await?;
    /// assert_eq!((delivered.delivered, delivered.pending), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`trigger`](Self::trigger), where the event was not triggered: also when there was no room or no link up
    /// to the deadline. [`TriggerError::NoRuntime`] always outside of a tokio runtime, for the deadline.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: until it is triggered the event is not; afterwards it stays so and only the wait is given up.
    pub fn trigger_confirmed<'a, V: Value>(&'a self, value: &'a V, confirm: Confirm) -> PendingConfirmation<'a> {
        PendingConfirmation::new(self, value, confirm)
    }

    /// Triggers the event, waiting for room where listeners have none, and hands out receipts if a tally is kept.
    pub(crate) async fn trigger_with(&self, value: &dyn Value, tally: Option<&Arc<Tally>>) -> Result<(), TriggerError> {
        match self.attempt(value, tally) {
            Ok(()) => Ok(()),
            Err(NotNow::Failed(error)) => Err(error),
            Err(NotNow::Shut) if Handle::try_current().is_err() => Err(TriggerError::NoRuntime),
            Err(NotNow::Shut) => self.wait_and_trigger(value, tally).await,
        }
    }

    async fn wait_and_trigger(&self, value: &dyn Value, tally: Option<&Arc<Tally>>) -> Result<(), TriggerError> {
        let began = clock::now();
        let deadline = tally.map(|tally| tally.deadline());
        loop {
            let opened = self.event.sender.gate.opened();
            match self.attempt(value, tally) {
                Ok(()) => return Ok(()),
                Err(NotNow::Failed(error)) => return Err(error),
                Err(NotNow::Shut) => {}
            }
            match self.pause(began, deadline) {
                Pause::Over(error) => return Err(error),
                // Whether it opened or the time is up: look again.
                Pause::Until(due) => drop(tokio::time::timeout_at(due.into(), opened).await),
            }
        }
    }

    /// Triggers the event, parking the thread where listeners have no room. Needs no runtime, and does not panic inside
    /// one; there it keeps a worker thread busy.
    ///
    /// # Errors
    ///
    /// As [`trigger`](Self::trigger).
    pub fn blocking_trigger<V: Value>(&self, value: &V) -> Result<(), TriggerError> {
        self.park_with(value, None)
    }

    /// As [`trigger_with`](Self::trigger_with), parking the thread.
    pub(crate) fn park_with(&self, value: &dyn Value, tally: Option<&Arc<Tally>>) -> Result<(), TriggerError> {
        match self.attempt(value, tally) {
            Ok(()) => Ok(()),
            Err(NotNow::Failed(error)) => Err(error),
            Err(NotNow::Shut) => self.park_and_trigger(value, tally),
        }
    }

    #[cold]
    fn park_and_trigger(&self, value: &dyn Value, tally: Option<&Arc<Tally>>) -> Result<(), TriggerError> {
        let began = clock::now();
        let deadline = tally.map(|tally| tally.deadline());
        loop {
            let opened = self.event.sender.gate.opened();
            match self.attempt(value, tally) {
                Ok(()) => return Ok(()),
                Err(NotNow::Failed(error)) => return Err(error),
                Err(NotNow::Shut) => {}
            }
            match self.pause(began, deadline) {
                Pause::Over(error) => return Err(error),
                Pause::Until(due) => drop(wait_until(opened, due)),
            }
        }
    }

    #[inline]
    fn attempt(&self, value: &dyn Value, tally: Option<&Arc<Tally>>) -> Result<(), NotNow> {
        self.hub.trigger(&self.event, self.generation, value, tally)
    }

    /// Lets go of queues that were full for too long; tells until when to wait, or that it is over.
    fn pause(&self, began: Instant, deadline: Option<Instant>) -> Pause {
        let now = clock::now();
        let waited = now.duration_since(began);
        if self.hub.is_closing() {
            return Pause::Over(TriggerError::Closed);
        }
        let patience = |most: Duration| deadline.map_or(most, |due| due.saturating_duration_since(began).min(most));
        if self.hub.is_offline(&self.event) {
            let patience = patience(PATIENCE);
            if waited >= patience {
                self.hub.count_lost(&self.event, self.generation);
                return Pause::Over(self.offline());
            }
            return Pause::Until(began + patience);
        }
        // Twice: the router at the other end of a link has its own patience with its listeners.
        let patience = patience(2 * PATIENCE);
        if waited >= patience {
            return Pause::Over(self.busy());
        }
        let over = began + patience;
        Pause::Until(self.hub.stalls().relieve(now).map_or(over, |due| due.min(over)))
    }

    fn busy(&self) -> TriggerError {
        TriggerError::Busy {
            sender: self.sender().to_string(),
            event: self.name().to_string(),
        }
    }

    fn offline(&self) -> TriggerError {
        TriggerError::Offline {
            sender: self.sender().to_string(),
        }
    }
}

/// Makes sure that a trigger can be spawned.
fn _is_send(signal: &Signal) -> impl Future + Send + '_ {
    async {
        let _ = signal.trigger(&0).await;
        signal.trigger_confirmed(&0, Confirm::Accepted).await
    }
}
