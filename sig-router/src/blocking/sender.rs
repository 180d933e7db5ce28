//! Senders and their signals.

use std::fmt;

use sig_core::{EventName, SenderName, Value};

use super::engine::Engine;
use super::{ClientRouter, PendingConfirmation, Router, States};
use crate::client::{Offline, SenderState};
use crate::confirm::Confirm;
use crate::error::{AddSenderError, SignalError, TriggerError};
use crate::sender::{Declared, SenderBuilder};

/// The same declaration for the async router; its handlers may block.
fn onto<'a, T, U>(builder: SenderBuilder<T>, engine: &Engine, target: &'a U) -> SenderBuilder<&'a U> {
    let may_block = |mut declared: Declared| {
        declared
            .requests
            .run_sync_with(|handler| engine.off_the_workers(handler));
        declared
    };
    SenderBuilder {
        target,
        declared: builder.declared.map(may_block),
    }
}

impl SenderBuilder<&Router> {
    /// Connects the sender: `#connect` has reached every listener when it returns (P22). Its handlers may block.
    ///
    /// # Errors
    ///
    /// [`AddSenderError`] when a name breaks the rules, the name is taken, or nothing was declared.
    pub fn connect(self) -> Result<Sender, AddSenderError> {
        let Router { inner, engine } = self.target;
        let inner = onto(self, engine, inner).connect()?;
        Ok(Sender { inner })
    }
}

impl SenderBuilder<&ClientRouter> {
    /// Says what to do with events while there is no link; see [`Offline`].
    pub fn offline(self, offline: Offline) -> Self {
        self.and(|declared| {
            declared.offline = offline;
            Ok(())
        })
    }

    /// Connects the sender, here and at the router. Waits while there is no link: programs may start in any order. Its
    /// handlers may block.
    ///
    /// When it returns, listeners everywhere have been told with `#connect`. From then on it is registered again after
    /// every reconnect.
    ///
    /// # Errors
    ///
    /// [`AddSenderError`] when a name breaks the rules, the name is taken, or nothing was declared. Nothing is left
    /// behind then, here or there (W5).
    pub fn connect(self) -> Result<RemoteSender, AddSenderError> {
        let (inner, engine) = (self.target.inner(), self.target.engine());
        let inner = engine.wait(onto(self, engine, inner).connect())?;
        let engine = engine.clone();
        Ok(RemoteSender { inner, engine })
    }
}

/// A connected sender of this program; see [`crate::Sender`]. Dropping it removes it.
#[derive(Debug)]
pub struct Sender {
    inner: crate::Sender,
}

impl Sender {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &SenderName {
        self.inner.name()
    }

    /// Whether it is still connected: nobody removed it by name.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }

    /// One of its events, to trigger it.
    ///
    /// # Errors
    ///
    /// [`SignalError`] when it did not declare the event or is not connected any more.
    pub fn signal(&self, event: &str) -> Result<Signal, SignalError> {
        self.inner.signal(event).map(Signal::from)
    }

    /// Removes it; `#disconnect` has reached every listener when it returns. False if it was removed already (P24).
    #[expect(clippy::must_use_candidate, reason = "whether it was there is often of no interest")]
    pub fn remove(self) -> bool {
        self.inner.remove()
    }
}

/// A sender of this program that the router knows; see [`crate::RemoteSender`]. Dropping it removes it, here and there.
pub struct RemoteSender {
    // In this order: what needs the threads is dropped before them.
    inner: crate::RemoteSender,
    engine: Engine,
}

impl RemoteSender {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &SenderName {
        self.inner.name()
    }

    /// How it fares at the router.
    #[must_use]
    pub fn state(&self) -> SenderState {
        self.inner.state()
    }

    /// How it fares at the router, to be watched.
    #[must_use]
    pub fn states(&self) -> States<SenderState> {
        States::new(self.inner.states())
    }

    /// How many of its events were given up, as far as is known here; see [`crate::RemoteSender::lost`].
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.inner.lost()
    }

    /// How many events are kept now, for want of a link; see [`crate::RemoteSender::kept`].
    #[must_use]
    pub fn kept(&self) -> usize {
        self.inner.kept()
    }

    /// One of its events, to trigger it.
    ///
    /// # Errors
    ///
    /// [`SignalError`] when it did not declare the event or was removed.
    pub fn signal(&self, event: &str) -> Result<Signal, SignalError> {
        self.inner.signal(event).map(Signal::from)
    }

    /// Removes it, here and at the router, behind its last events. When it returns the router has done so, unless there
    /// is no link, where there is nothing to remove.
    pub fn remove(self) {
        self.engine.wait(self.inner.remove());
    }
}

impl fmt::Debug for RemoteSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// One event of one sender, ready to be triggered; see [`crate::Signal`]. Cloning is cheap; get it once and keep it.
#[derive(Debug, Clone)]
pub struct Signal {
    inner: crate::Signal,
}

impl Signal {
    /// The sender.
    #[must_use]
    pub fn sender(&self) -> &SenderName {
        self.inner.sender()
    }

    /// The event.
    #[must_use]
    pub fn name(&self) -> &EventName {
        self.inner.name()
    }

    /// Whether the event is a channel, which can be heard from all senders at once (P6).
    #[must_use]
    pub fn is_channel(&self) -> bool {
        self.inner.is_channel()
    }

    /// Triggers the event, parking the thread where listeners have no room.
    ///
    /// # Errors
    ///
    /// As [`crate::Signal::trigger`].
    pub fn trigger<V: Value>(&self, value: &V) -> Result<(), TriggerError> {
        self.inner.blocking_trigger(value)
    }

    /// Triggers the event at once, or not at all.
    ///
    /// # Errors
    ///
    /// As [`crate::Signal::try_trigger`].
    pub fn try_trigger<V: Value>(&self, value: &V) -> Result<(), TriggerError> {
        self.inner.try_trigger(value)
    }

    /// Triggers the event, and waits until its listeners have it or have dealt with it, once
    /// [`wait`](PendingConfirmation::wait) is called; see [`crate::Signal::trigger_confirmed`].
    pub fn trigger_confirmed<'a, V: Value>(&'a self, value: &'a V, confirm: Confirm) -> PendingConfirmation<'a> {
        PendingConfirmation::from(self.inner.trigger_confirmed(value, confirm))
    }
}

impl From<crate::Signal> for Signal {
    fn from(inner: crate::Signal) -> Self {
        Self { inner }
    }
}
