//! The router for many clients.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sig_core::{Carrier, ClientId};

use super::engine::Engine;
use super::{EventStream, Listener, PendingRequest, Router, States};
use crate::closed::Closed;
use crate::error::{ListenError, RouterError};
use crate::event::Event;
use crate::hub::SenderInfo;
use crate::inspect::Inspector;
use crate::listen::Listen;
use crate::sender::SenderBuilder;
use crate::server::{CarrierState, ClientInfo, ServerBuilder};
use crate::wait::wait;

/// A [`Router`] for many clients, over any number of carriers at once; see [`crate::ServerRouter`]. Cloning is cheap;
/// clones are the same router.
///
/// When the last one is dropped, its carriers end at once; [`close`](Self::close) ends them in good order. The
/// [module](super) has an example.
#[derive(Clone)]
pub struct ServerRouter {
    // In this order: what needs the threads is dropped before them.
    inner: crate::ServerRouter,
    router: Router,
}

impl ServerBuilder {
    /// Makes the router for threads without async code.
    ///
    /// # Errors
    ///
    /// [`RouterError::Threads`] when the system gives it no threads.
    pub fn build_blocking(self) -> Result<ServerRouter, RouterError> {
        let engine = Engine::start()?;
        let inside = engine.enter();
        let inner = self.build()?;
        drop(inside);
        let router = Router::over(inner.router().clone(), engine);
        Ok(ServerRouter { inner, router })
    }
}

impl ServerRouter {
    /// A router with the default settings and no carrier yet.
    ///
    /// # Errors
    ///
    /// [`RouterError::Threads`] when the system gives it no threads.
    pub fn new() -> Result<Self, RouterError> {
        Self::builder().build_blocking()
    }

    /// Begins to set up a router; end with [`build_blocking`](ServerBuilder::build_blocking).
    pub fn builder() -> ServerBuilder {
        crate::ServerRouter::builder()
    }

    /// Starts a carrier; see [`crate::ServerRouter::attach`]. Dropping the handle changes nothing.
    pub fn attach(&self, carrier: Arc<dyn Carrier>) -> CarrierHandle {
        let inner = self.inner.attach(carrier);
        let engine = self.router.engine.clone();
        CarrierHandle { inner, _engine: engine }
    }

    /// The router of this process: the same world, without the clients.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Begins to declare a sender of this process. Its handlers may block.
    pub fn add_sender(&self, name: impl AsRef<str>) -> SenderBuilder<&Router> {
        self.router.add_sender(name)
    }

    /// Calls a function for every event of a topic, until the guard is dropped; see [`crate::Router::add_listener`]. It
    /// may block.
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
        self.router.add_listener(topic, function)
    }

    /// The events of a topic, to be taken one by one; see [`Router::listen`].
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
        self.router.listen(topic)
    }

    /// The last value of an event that keeps it, wherever its sender is; see [`crate::Router::last`].
    #[must_use]
    pub fn last(&self, sender: impl AsRef<str>, event: impl AsRef<str>) -> Option<Event<'static>> {
        self.router.last(sender, event)
    }

    /// Asks a sender, wherever it is; see [`Router::request`].
    pub fn request<P: Serialize + ?Sized>(
        &self,
        sender: impl Into<String>,
        method: impl Into<String>,
        params: &P,
    ) -> PendingRequest<'_> {
        self.router.request(sender, method, params)
    }

    /// What is known of every sender, by name.
    #[must_use]
    pub fn senders(&self) -> Vec<SenderInfo> {
        self.router.senders()
    }

    /// What is known of every client.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientInfo> {
        self.inner.clients()
    }

    /// How the router fares: what its sender `#router` answers, for this program.
    #[must_use]
    pub fn inspect(&self) -> Inspector {
        self.router.inspect()
    }

    /// Throws a client out. Its senders leave with the reason `kicked`. False if there is no such client.
    pub fn kick(&self, client: ClientId, why: impl Into<String>) -> bool {
        self.inner.kick(client, why)
    }

    /// Ends the router, in good order; see [`crate::ServerRouter::close`]. Whoever waits for an event, in whichever
    /// thread, learns that there will be none. Returns what came of it.
    ///
    /// Called from inside a listener or handler of this router, it waits `grace` in vain for that very one.
    #[expect(
        clippy::must_use_candidate,
        reason = "what had to be cut off is often of no interest"
    )]
    pub fn close(&self, grace: Duration) -> Closed {
        self.router.engine.wait(self.inner.close(grace))
    }
}

impl fmt::Debug for ServerRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The topology: every sender, its events and who listens to them.
impl fmt::Display for ServerRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

/// A carrier of a [`ServerRouter`]; see [`crate::CarrierHandle`]. Dropping it does not stop the carrier.
#[derive(Debug, Clone)]
pub struct CarrierHandle {
    inner: crate::CarrierHandle,
    /// Whoever waits for the end is told it by one of the threads.
    _engine: Engine,
}

impl CarrierHandle {
    /// The carrier's name, its URL scheme.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.inner.name()
    }

    /// How the carrier fares now.
    #[must_use]
    pub fn state(&self) -> CarrierState {
        self.inner.state()
    }

    /// How the carrier fares, to be watched.
    #[must_use]
    pub fn states(&self) -> States<CarrierState> {
        States::new(self.inner.states())
    }

    /// Stops the carrier: its clients leave, the others do not notice. When it returns, the address is free again.
    pub fn stop(&self) {
        wait(self.inner.stop());
    }
}
