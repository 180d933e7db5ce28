//! Confirmed triggers.

use std::fmt;
use std::time::Duration;

use crate::confirm::Confirmation;
use crate::error::TriggerError;

/// An event that is triggered when this is waited for, and confirmed; see [`crate::Signal::trigger_confirmed`].
///
/// ```
/// use sig_router::blocking::Router;
/// use sig_router::{Confirm, Event};
///
/// let router = Router::new()?;
/// let _listener = router.add_listener("timer/tic", |event: &Event<'_>| println!("{event:?}"))?;
/// let timer = router.add_sender("timer").event("tic").connect()?;
/// let confirmation = timer.signal("tic")?.trigger_confirmed(&1, Confirm::Delivered).wait()?;
/// assert!(confirmation.is_complete());
/// assert_eq!(confirmation.delivered, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "an event is triggered by wait()"]
pub struct PendingConfirmation<'a> {
    inner: crate::PendingConfirmation<'a>,
}

impl PendingConfirmation<'_> {
    /// Sets the deadline, counted from when the event is triggered. Ten seconds by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        let inner = self.inner.timeout(timeout);
        Self { inner }
    }

    /// Triggers the event, and parks the thread until the counts are known, or the deadline.
    ///
    /// # Errors
    ///
    /// As [`Signal::trigger`](super::Signal::trigger), where the event was not triggered: also when there was no room or
    /// no link up to the deadline.
    pub fn wait(self) -> Result<Confirmation, TriggerError> {
        self.inner.park()
    }
}

impl<'a> From<crate::PendingConfirmation<'a>> for PendingConfirmation<'a> {
    fn from(inner: crate::PendingConfirmation<'a>) -> Self {
        Self { inner }
    }
}

impl fmt::Debug for PendingConfirmation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
