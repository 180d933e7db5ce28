//! The router inside one process.

use std::fmt;

use serde::Serialize;

use super::engine::Engine;
use super::{EventStream, Listener, PendingRequest};
use crate::error::{ListenError, RouterError};
use crate::event::Event;
use crate::hub::SenderInfo;
use crate::inspect::Inspector;
use crate::listen::Listen;
use crate::sender::SenderBuilder;

/// Dispatches events and requests inside one process; see [`crate::Router`]. Cloning is cheap; clones are the same
/// router.
///
/// The plain one does without any thread as long as nobody asks: it may serve as well, with [`EventStream`].
///
/// ```
/// use sig_router::blocking::Router;
///
/// let router = Router::new()?;
/// let _adder = router
///     .add_sender("adder")
///     .request("add", |request| Ok(request.params::<(i64, i64)>().map(|(a, b)| a + b)?))
///     .connect()?;
/// let sum: i64 = router.request("adder", "add", &(20, 22)).wait()?.parse()?;
/// assert_eq!(sum, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Router {
    // In this order: what needs the threads is dropped before them.
    pub(super) inner: crate::Router,
    pub(super) engine: Engine,
}

impl Router {
    /// A router without senders and listeners.
    ///
    /// # Errors
    ///
    /// [`RouterError::Threads`] when the system gives it no threads.
    pub fn new() -> Result<Self, RouterError> {
        Ok(Self::over(crate::Router::new(), Engine::start()?))
    }

    pub(super) fn over(inner: crate::Router, engine: Engine) -> Self {
        Self { inner, engine }
    }

    /// Begins to declare a sender. Its handlers may block.
    pub fn add_sender(&self, name: impl AsRef<str>) -> SenderBuilder<&Self> {
        SenderBuilder::new(self, name.as_ref())
    }

    /// Removes a sender of this program by name. False if there is none that is connected (P24).
    #[must_use]
    pub fn remove_sender(&self, name: impl AsRef<str>) -> bool {
        self.inner.remove_sender(name)
    }

    /// Calls a function for every event of a topic, until the guard is dropped; see [`crate::Router::add_listener`].
    ///
    /// # Errors
    ///
    /// [`ListenError::Name`] when the topic breaks the rules.
    #[track_caller]
    pub fn add_listener<T>(
        &self,
        topic: T,
        function: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<Listener, ListenError>
    where
        T: TryInto<Listen>,
        ListenError: From<T::Error>,
    {
        Ok(Listener::from(self.inner.add_listener(topic, function)?))
    }

    /// The events of a topic, to be taken one by one. Every event triggered from now on is among them.
    ///
    /// # Errors
    ///
    /// [`ListenError::Name`] when the topic breaks the rules.
    #[track_caller]
    pub fn listen<T>(&self, topic: T) -> Result<EventStream, ListenError>
    where
        T: TryInto<Listen>,
        ListenError: From<T::Error>,
    {
        Ok(EventStream::from(self.inner.listen(topic)?))
    }

    /// The last value of an event that keeps it; see [`crate::Router::last`].
    #[must_use]
    pub fn last(&self, sender: impl AsRef<str>, event: impl AsRef<str>) -> Option<Event<'static>> {
        self.inner.last(sender, event)
    }

    /// Asks a sender, wherever it is, when [`wait`](PendingRequest::wait) is called. The deadline is ten seconds unless
    /// set otherwise.
    pub fn request<P: Serialize + ?Sized>(
        &self,
        sender: impl Into<String>,
        method: impl Into<String>,
        params: &P,
    ) -> PendingRequest<'_> {
        PendingRequest::new(self.inner.request(sender, method, params), &self.engine)
    }

    /// What is known of every sender, by name.
    #[must_use]
    pub fn senders(&self) -> Vec<SenderInfo> {
        self.inner.senders()
    }

    /// How the router fares: what its sender `#router` answers, for this program.
    #[must_use]
    pub fn inspect(&self) -> Inspector {
        self.inner.inspect()
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The topology: every sender, its events and who listens to them (P31).
impl fmt::Display for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}
