//! Guards of functions that listen.

use std::fmt;

use super::engine::Engine;
use crate::queue::ListenerStats;
use crate::wait::wait;

/// A function that listens, until this guard is dropped; see [`crate::Listener`].
#[must_use = "a listener ends when its guard is dropped; keep it, or call detach()"]
pub struct Listener {
    inner: crate::Listener,
}

impl Listener {
    /// What happened to it so far, as far as events came over links.
    #[must_use]
    pub fn stats(&self) -> ListenerStats {
        self.inner.stats()
    }

    /// Lets the function listen for as long as the router lives.
    pub fn detach(self) {
        self.inner.detach();
    }

    /// Ends the listener and waits for a call that runs at the moment, unless this is called from inside of it.
    pub fn unlisten(self) {
        wait(self.inner.unlisten());
    }
}

impl From<crate::Listener> for Listener {
    fn from(inner: crate::Listener) -> Self {
        Self { inner }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A function that listens to remote senders, until this guard is dropped; see [`crate::RemoteListener`].
#[must_use = "a listener ends when its guard is dropped; keep it, or call detach()"]
pub struct RemoteListener {
    // In this order: what needs the threads is dropped before them.
    inner: crate::RemoteListener,
    engine: Engine,
}

impl RemoteListener {
    pub(super) fn new(inner: crate::RemoteListener, engine: &Engine) -> Self {
        let engine = engine.clone();
        Self { inner, engine }
    }

    /// What happened to it so far, as far as events came over links.
    #[must_use]
    pub fn stats(&self) -> ListenerStats {
        self.inner.stats()
    }

    /// Lets the function listen for as long as the client router lives.
    pub fn detach(self) {
        self.inner.detach();
    }

    /// Ends the listener, waits for a call that runs at the moment, unless this is called from inside of it, and for the
    /// router to know.
    pub fn unlisten(self) {
        self.engine.wait(self.inner.unlisten());
    }
}

impl fmt::Debug for RemoteListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
