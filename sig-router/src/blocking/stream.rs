//! The events of a topic, taken one by one.

use std::fmt;
use std::time::Duration;

use super::engine::Engine;
use crate::event::{Event, Lagged};
use crate::queue::ListenerStats;
use crate::request::deadline_in;

/// There is no event to be taken, and a reason for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// Events were lost; the next call goes on with those that were not.
    #[error(transparent)]
    Lagged(#[from] Lagged),
    /// The router is closed, or nobody is left who could trigger. There will be no more events.
    #[error("the stream has ended: its router is closed")]
    Closed,
}

type Next = Option<Result<Event<'static>, Lagged>>;

/// What was taken, as the result of a call that may come back with nothing.
fn taken(next: Option<Next>) -> Result<Option<Event<'static>>, GetError> {
    match next {
        None => Ok(None),
        Some(None) => Err(GetError::Closed),
        Some(Some(next)) => Ok(next.map(Some)?),
    }
}

/// The events of a topic of this process, behind a bounded queue; see [`crate::EventStream`].
///
/// As an iterator it waits for every event, and ends with the router.
///
/// A stream of a plain [`Router`](crate::Router), which needs no threads of its own, is made [`From`] the async one:
///
/// ```
/// use std::time::Duration;
///
/// use sig_router::Router;
/// use sig_router::blocking::EventStream;
///
/// let router = Router::new();
/// let mut tics = EventStream::from(router.listen("timer/tic")?);
/// let timer = router.add_sender("timer").event("tic").connect()?;
/// assert!(tics.get(Duration::from_millis(10))?.is_none());
/// timer.signal("tic")?.blocking_trigger(&1_u32)?;
/// let event = tics.get(Duration::from_millis(10))?.expect("it was triggered");
/// assert_eq!(event.decode::<u32>()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a stream that is dropped no longer listens"]
pub struct EventStream {
    inner: crate::EventStream,
}

impl EventStream {
    /// Takes the next event; `None` when there is none within `timeout`.
    ///
    /// # Errors
    ///
    /// [`GetError::Lagged`] when events were lost right before the next one, [`GetError::Closed`] when the stream has
    /// ended.
    pub fn get(&mut self, timeout: Duration) -> Result<Option<Event<'static>>, GetError> {
        taken(self.inner.reader().take_on_thread(Some(deadline_in(timeout))))
    }

    /// Takes the next event if there is one; does not wait.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn try_get(&mut self) -> Result<Option<Event<'static>>, GetError> {
        self.get(Duration::ZERO)
    }

    /// Waits for the next event, or the news that some were lost; `None` when the stream has ended.
    pub fn recv(&mut self) -> Option<Result<Event<'static>, Lagged>> {
        self.inner.reader().take_on_thread(None).flatten()
    }

    /// What happened to it so far.
    #[must_use]
    pub fn stats(&self) -> ListenerStats {
        self.inner.stats()
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether no event waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

impl From<crate::EventStream> for EventStream {
    fn from(inner: crate::EventStream) -> Self {
        Self { inner }
    }
}

impl Iterator for EventStream {
    type Item = Result<Event<'static>, Lagged>;

    fn next(&mut self) -> Option<Self::Item> {
        self.recv()
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The events of a topic of remote senders, behind a bounded queue; see [`EventStream`].
///
/// As an iterator it waits for every event, and ends with the client router.
#[must_use = "a stream that is dropped no longer listens"]
pub struct RemoteEventStream {
    // In this order: what needs the threads is dropped before them.
    inner: crate::RemoteEventStream,
    engine: Engine,
}

impl RemoteEventStream {
    pub(super) fn new(inner: crate::RemoteEventStream, engine: &Engine) -> Self {
        let engine = engine.clone();
        Self { inner, engine }
    }

    /// Takes the next event; `None` when there is none within `timeout`.
    ///
    /// # Errors
    ///
    /// [`GetError::Lagged`] when events were lost right before the next one, [`GetError::Closed`] when the client router
    /// is closed.
    pub fn get(&mut self, timeout: Duration) -> Result<Option<Event<'static>>, GetError> {
        taken(self.inner.reader().take_on_thread(Some(deadline_in(timeout))))
    }

    /// Takes the next event if there is one; does not wait.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn try_get(&mut self) -> Result<Option<Event<'static>>, GetError> {
        self.get(Duration::ZERO)
    }

    /// Waits for the next event, or the news that some were lost; `None` when the client router is closed.
    pub fn recv(&mut self) -> Option<Result<Event<'static>, Lagged>> {
        self.inner.reader().take_on_thread(None).flatten()
    }

    /// What happened to it so far.
    #[must_use]
    pub fn stats(&self) -> ListenerStats {
        self.inner.stats()
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether no event waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Ends the stream and waits for the router to know.
    pub fn unlisten(self) {
        self.engine.wait(self.inner.unlisten());
    }
}

impl Iterator for RemoteEventStream {
    type Item = Result<Event<'static>, Lagged>;

    fn next(&mut self) -> Option<Self::Item> {
        self.recv()
    }
}

impl fmt::Debug for RemoteEventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
