//! The router that brings remote senders and listeners to this program.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sig_core::Carrier;

use super::engine::Engine;
use super::{PendingRequest, RemoteEventStream, RemoteListener, Router, States};
use crate::client::{ClientBuilder, LinkState, RemoteSenderInfo};
use crate::closed::Closed;
use crate::error::{ListenError, RequestError, RouterError};
use crate::event::Event;
use crate::listen::Listen;
use crate::sender::SenderBuilder;

/// Brings remote senders and listeners to this program, and heals itself; see [`crate::ClientRouter`]. Cloning is cheap;
/// clones are the same router.
///
/// When the last one is dropped the link ends at once; [`close`](Self::close) ends it in good order. The
/// [module](super) has an example.
#[derive(Clone)]
pub struct ClientRouter {
    // In this order: what needs the threads is dropped before them.
    inner: crate::ClientRouter,
    local: Router,
}

impl ClientBuilder {
    /// Makes the router for threads without async code. It connects in the background.
    ///
    /// # Errors
    ///
    /// [`RouterError::Threads`] when the system gives it no threads.
    pub fn connect_blocking(self, carrier: Arc<dyn Carrier>) -> Result<ClientRouter, RouterError> {
        let engine = Engine::start()?;
        let inside = engine.enter();
        let inner = self.connect(carrier)?;
        drop(inside);
        let local = Router::over(inner.local().clone(), engine);
        Ok(ClientRouter { inner, local })
    }
}

impl ClientRouter {
    /// A router that connects through this carrier, in the background: it returns at once, and the peer need not be
    /// there yet.
    ///
    /// # Errors
    ///
    /// [`RouterError::Threads`] when the system gives it no threads.
    pub fn connect(carrier: Arc<dyn Carrier>) -> Result<Self, RouterError> {
        Self::builder().connect_blocking(carrier)
    }

    /// Begins to set up a router; end with [`connect_blocking`](ClientBuilder::connect_blocking).
    pub fn builder() -> ClientBuilder {
        crate::ClientRouter::builder()
    }

    pub(super) fn inner(&self) -> &crate::ClientRouter {
        &self.inner
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.local.engine
    }

    /// The router of this process alone.
    #[must_use]
    pub fn local(&self) -> &Router {
        &self.local
    }

    /// How the link fares now.
    #[must_use]
    pub fn state(&self) -> LinkState {
        self.inner.state()
    }

    /// How the link fares, to be watched.
    #[must_use]
    pub fn states(&self) -> States<LinkState> {
        States::new(self.inner.states())
    }

    /// Waits until the link is up and everything is registered.
    ///
    /// # Errors
    ///
    /// [`RouterError::NotReady`] when that takes longer than `timeout`, with what the last attempt came to;
    /// [`RouterError::Refused`] when the router refused this client for good; [`RouterError::Closed`].
    pub fn ready(&self, timeout: Duration) -> Result<(), RouterError> {
        self.engine().wait(self.inner.ready(timeout))
    }

    /// Begins to declare a sender that the router is to know. Its handlers may block.
    pub fn add_remote_sender(&self, name: impl AsRef<str>) -> SenderBuilder<&Self> {
        SenderBuilder::new(self, name.as_ref())
    }

    /// Removes a remote sender of this program by name. False if there is none (P66).
    ///
    /// # Errors
    ///
    /// [`RequestError::NotConnected`] when there is no link: it is removed here and will not be registered again.
    pub fn remove_remote_sender(&self, name: impl AsRef<str>) -> Result<bool, RequestError> {
        self.engine().wait(self.inner.remove_remote_sender(name))
    }

    /// Calls a function for every event of a topic of remote senders, until the guard is dropped. It may block.
    ///
    /// When it returns the router has the subscription: an event triggered afterwards is not missed. Waits while there
    /// is no link: programs may start in any order. From then on it is registered again after every reconnect.
    ///
    /// # Errors
    ///
    /// [`ListenError`] when the topic breaks the rules, the router refuses it, or this router is closed meanwhile.
    #[track_caller]
    pub fn add_remote_listener<T>(
        &self,
        topic: T,
        function: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<RemoteListener, ListenError>
    where
        T: TryInto<Listen>,
        ListenError: From<T::Error>,
    {
        let listening = self.inner.add_remote_listener(topic, function);
        Ok(RemoteListener::new(self.engine().wait(listening)?, self.engine()))
    }

    /// The events of a topic of remote senders, to be taken one by one.
    ///
    /// When it returns the router has the subscription: an event triggered afterwards is not missed. Waits while there
    /// is no link. From then on it is registered again after every reconnect.
    ///
    /// # Errors
    ///
    /// [`ListenError`] when the topic breaks the rules, the router refuses it, or this router is closed meanwhile.
    #[track_caller]
    pub fn listen_remote<T>(&self, topic: T) -> Result<RemoteEventStream, ListenError>
    where
        T: TryInto<Listen>,
        ListenError: From<T::Error>,
    {
        let listening = self.inner.listen_remote(topic);
        Ok(RemoteEventStream::new(self.engine().wait(listening)?, self.engine()))
    }

    /// Asks a remote sender when [`wait`](PendingRequest::wait) is called. The deadline is ten seconds unless set
    /// otherwise, and travels along. While there is no link it waits for one, up to five seconds within the deadline.
    pub fn remote_request<P: Serialize + ?Sized>(
        &self,
        sender: impl Into<String>,
        method: impl Into<String>,
        params: &P,
    ) -> PendingRequest<'_> {
        PendingRequest::new(self.inner.remote_request(sender, method, params), self.engine())
    }

    /// Every sender that the router knows, the broadcast sender first (P48), with their events.
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no link or the router does not answer.
    pub fn list_remote_senders(&self) -> Result<Vec<RemoteSenderInfo>, RequestError> {
        self.engine().wait(self.inner.list_remote_senders())
    }

    /// The last value of a remote sender's event that keeps it, without listening.
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no link, the router does not answer, or it is pysig's, which keeps none.
    pub fn last_remote(
        &self,
        sender: impl AsRef<str>,
        event: impl AsRef<str>,
    ) -> Result<Option<Event<'static>>, RequestError> {
        self.engine().wait(self.inner.last_remote(sender, event))
    }

    /// The version of the protocol that the router speaks towards pysig peers (P47).
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no link or the router does not answer.
    pub fn remote_version(&self) -> Result<String, RequestError> {
        self.engine().wait(self.inner.remote_version())
    }

    /// Ends the link in good order; see [`crate::ClientRouter::close`]. Whoever waits for anything, in whichever thread,
    /// learns that it will not come. Returns what came of it.
    ///
    /// Called from inside a listener or handler of this router, it waits `grace` in vain for that very one.
    #[expect(
        clippy::must_use_candidate,
        reason = "what had to be cut off is often of no interest"
    )]
    pub fn close(&self, grace: Duration) -> Closed {
        self.engine().wait(self.inner.close(grace))
    }
}

impl fmt::Debug for ClientRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
