//! States that change, to be watched.

use std::fmt::Debug;
use std::time::Duration;

use tokio::sync::watch;

use crate::request::deadline_in;
use crate::wait::wait_until;

/// A state that changes, to be watched: how a link, a sender or a carrier fares.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use sig_router::LinkState;
/// use sig_router::blocking::{ClientRouter, ServerRouter};
///
/// let hub = Arc::new(sig_carrier_local::Local::new());
/// let client = ClientRouter::connect(Arc::new(hub.dialer()))?;
/// let mut states = client.states();
/// let server = ServerRouter::new()?;
/// server.attach(hub);
/// let up = states.wait_for(Duration::from_secs(10), |state| *state == LinkState::Connected);
/// assert!(up.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct States<T> {
    receiver: watch::Receiver<T>,
}

impl<T: Clone + Debug> States<T> {
    pub(super) fn new(receiver: watch::Receiver<T>) -> Self {
        Self { receiver }
    }

    /// The state now.
    #[must_use]
    pub fn now(&self) -> T {
        self.receiver.borrow().clone()
    }

    /// Waits up to `timeout` until the state has changed since it was last seen here, and gives it; `None` when it has
    /// not, or cannot any more.
    pub fn next(&mut self, timeout: Duration) -> Option<T> {
        wait_until(self.receiver.changed(), deadline_in(timeout))?.ok()?;
        Some(self.receiver.borrow_and_update().clone())
    }

    /// Waits up to `timeout` until the state is as wanted, and gives it; `None` when it has not become so, or cannot any
    /// more. One that is as wanted already is given at once.
    pub fn wait_for(&mut self, timeout: Duration, wanted: impl FnMut(&T) -> bool) -> Option<T> {
        let found = wait_until(self.receiver.wait_for(wanted), deadline_in(timeout))?;
        found.ok().map(|state| state.clone())
    }
}
