//! A confirmed trigger, until it is awaited.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sig_core::Value;
use tokio::runtime::Handle;

use super::{Confirm, Confirmation, Tally};
use crate::error::TriggerError;
use crate::request::{DEFAULT_TIMEOUT, deadline_in};
use crate::signal::Signal;
use crate::wait::wait_until;

/// An event that is triggered when it is awaited, and confirmed; see
/// [`Signal::trigger_confirmed`](crate::Signal::trigger_confirmed).
#[must_use = "an event is triggered when this is awaited"]
pub struct PendingConfirmation<'a> {
    signal: &'a Signal,
    value: &'a dyn Value,
    confirm: Confirm,
    timeout: Duration,
}

impl<'a> PendingConfirmation<'a> {
    pub(crate) fn new(signal: &'a Signal, value: &'a dyn Value, confirm: Confirm) -> Self {
        Self {
            signal,
            value,
            confirm,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// Sets the deadline, counted from when this is awaited.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Triggers the event and waits, parking the thread. Needs no runtime.
    pub(crate) fn park(self) -> Result<Confirmation, TriggerError> {
        let tally = Tally::new(self.confirm.into(), deadline_in(self.timeout));
        self.signal.park_with(self.value, Some(&tally))?;
        // In time or not.
        let _ = wait_until(tally.settled(), tally.deadline());
        Ok(tally.confirmation())
    }
}

impl<'a> IntoFuture for PendingConfirmation<'a> {
    type Output = Result<Confirmation, TriggerError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            signal,
            value,
            confirm,
            timeout,
        } = self;
        async move {
            if Handle::try_current().is_err() {
                return Err(TriggerError::NoRuntime);
            }
            let tally = Tally::new(confirm.into(), deadline_in(timeout));
            signal.trigger_with(value, Some(&tally)).await?;
            Ok(tally.result().await)
        }
        .boxed()
    }
}

impl fmt::Debug for PendingConfirmation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingConfirmation")
            .field("signal", &self.signal)
            .field("confirm", &self.confirm)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
