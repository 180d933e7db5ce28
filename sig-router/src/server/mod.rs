//! The router for many clients.

mod attach;
mod awaited;
mod client;
mod credit;
mod forward;
mod heard;
mod holds;
mod inbound;
mod inspect;
mod instances;
mod methods;
mod native;
mod pysig;
mod shown;
mod ticker;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use futures::FutureExt as _;
use futures::future::join_all;
use serde::Serialize;
use sig_core::{Carrier, ClientId, Disconnect, Reason, Tasks};

use attach::Attached;
pub use attach::{CarrierHandle, CarrierState};
use client::ClientSession;
use credit::Credits;
use inspect::Watched;
use instances::Instances;
use ticker::Schedule;

use crate::closed::{Closed, Closing};
use crate::error::{ListenError, RouterError};
use crate::event::Event;
use crate::hub::{Hub, SenderInfo};
use crate::inspect::Inspector;
use crate::listen::Listen;
use crate::listener::{EventStream, Listener};
use crate::router::{PendingRequest, Router};
use crate::sender::SenderBuilder;

/// How long [`ServerRouter::close`] gives the clients by default to take what waits for them.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);

/// As many as every JSON library reads without loss.
const EPOCHS: u64 = 1 << 53;

/// What all parts of one server share.
pub(crate) struct Shared {
    hub: Arc<Hub>,
    tasks: Tasks,
    clients: DashMap<ClientId, Arc<ClientSession>>,
    instances: Instances,
    credits: Arc<Credits>,
    schedule: Schedule,
    max_clients: usize,
    router_id: String,
    /// Names this run of the router: aliases are valid within it.
    epoch: u64,
    closing: AtomicBool,
    attached: Attached,
    watched: Watched,
}

impl Shared {
    fn client(&self, id: ClientId) -> Option<Arc<ClientSession>> {
        self.clients.get(&id).map(|client| Arc::clone(&client))
    }
}

/// A [`Router`] for many clients, over any number of carriers at once.
///
/// Its own senders and listeners and those of all clients see one world: a board on a serial line, a program on TCP and
/// a logger in this process. Must be created inside a tokio runtime. Cloning is cheap; clones are the same router.
/// When the last one is dropped, its carriers end at once; [`close`](Self::close) ends them in good order.
///
/// ```
/// use std::sync::Arc;
/// use sig_router::{ClientRouter, Event, ServerRouter};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (hub, dialer) = sig_carrier_local::pair();
/// let server = ServerRouter::new()?;
/// server.attach(Arc::new(hub));
/// let timer = server.add_sender("timer").event("tic").connect()?;
///
/// let client = ClientRouter::connect(Arc::new(dialer))?;
/// let mut tics = client.listen_remote("timer/tic").await?;
/// timer.signal("tic")?.trigger(&1).await?;
/// let event = tics.recv().await.expect("the client lives")?;
/// assert_eq!(event.decode::<i32>()?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ServerRouter {
    router: Router,
    owner: Arc<Ownership>,
}

/// Ends everything when the last handle is gone.
struct Ownership {
    shared: Arc<Shared>,
}

impl Drop for Ownership {
    fn drop(&mut self) {
        self.shared.tasks.abort();
        self.shared.hub.close();
    }
}

/// Settings of a [`ServerRouter`].
#[derive(Debug, Clone)]
#[must_use = "nothing is made before build()"]
pub struct ServerBuilder {
    max_clients: usize,
}

impl ServerBuilder {
    /// Most clients at a time; more are refused. 65,536 by default.
    pub fn max_clients(self, max_clients: usize) -> Self {
        Self { max_clients }
    }

    /// Makes the router.
    ///
    /// # Errors
    ///
    /// [`RouterError::NoRuntime`] outside a tokio runtime.
    pub fn build(self) -> Result<ServerRouter, RouterError> {
        let tasks = Tasks::new()?;
        let hub = Hub::new(Some(tasks.clone()));
        let shared = Arc::new(Shared {
            hub: Arc::clone(&hub),
            tasks,
            clients: DashMap::new(),
            instances: Instances::default(),
            credits: Arc::default(),
            schedule: Schedule::default(),
            max_clients: self.max_clients,
            router_id: format!("{:032x}", fastrand::u128(..)),
            epoch: fastrand::u64(..EPOCHS),
            closing: AtomicBool::new(false),
            attached: Attached::default(),
            watched: Watched::default(),
        });
        shared.watch(&hub);
        shared.tasks.spawn(
            "ticker",
            ticker::run(Arc::downgrade(&shared), shared.tasks.stop_token().clone()),
        );
        Ok(ServerRouter {
            router: Router::with_hub(hub),
            owner: Arc::new(Ownership { shared }),
        })
    }
}

/// What is known of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// Its id.
    pub id: ClientId,
    /// The carrier that brought it.
    pub carrier: &'static str,
    /// Where it is.
    pub address: String,
    /// What it speaks: `sig/1`, `pysig`, or nothing yet.
    pub dialect: &'static str,
    /// Its senders.
    pub senders: usize,
    /// Its listeners.
    pub listeners: usize,
    /// Events that wait to be sent to it.
    pub waiting: usize,
    /// Events that it did not get: it did not keep up or did not answer, or they were too large for it.
    pub lost: u64,
    /// Events that its listeners' policies left out here.
    pub skipped: u64,
    /// Answers of its senders that came when nobody waited for them any more.
    pub late_answers: u64,
}

impl ServerRouter {
    /// A router with the default settings and no carrier yet.
    ///
    /// # Errors
    ///
    /// [`RouterError::NoRuntime`] outside a tokio runtime.
    pub fn new() -> Result<Self, RouterError> {
        Self::builder().build()
    }

    /// Begins to set up a router.
    pub fn builder() -> ServerBuilder {
        ServerBuilder { max_clients: 64 * 1024 }
    }

    /// Starts a carrier. It runs until it is stopped or the router is closed; one that fails is started again, with
    /// growing pauses. The carriers know nothing of each other. Dropping the handle changes nothing.
    pub fn attach(&self, carrier: Arc<dyn Carrier>) -> CarrierHandle {
        attach::attach(&self.owner.shared, carrier)
    }

    /// The router of this process: the same world, without the clients.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Begins to declare a sender of this process; see [`Router::add_sender`].
    pub fn add_sender(&self, name: impl AsRef<str>) -> SenderBuilder<&Router> {
        self.router.add_sender(name)
    }

    /// Calls a function for every event of a topic; see [`Router::add_listener`].
    ///
    /// # Errors
    ///
    /// As [`Router::add_listener`].
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
        let listen = topic.try_into()?.checked()?;
        Ok(self
            .router
            .add_listener_at(listen, Box::new(function), Location::caller()))
    }

    /// The events of a topic as a stream; see [`Router::listen`].
    ///
    /// # Errors
    ///
    /// As [`Router::listen`].
    #[track_caller]
    pub fn listen<T>(&self, topic: T) -> Result<EventStream, ListenError>
    where
        T: TryInto<Listen>,
        ListenError: From<T::Error>,
    {
        self.router.listen(topic)
    }

    /// The last value of an event that keeps it, wherever its sender is; see [`Router::last`].
    #[must_use]
    pub fn last(&self, sender: impl AsRef<str>, event: impl AsRef<str>) -> Option<Event<'static>> {
        self.router.last(sender, event)
    }

    /// Asks a sender, wherever it is; see [`Router::request`].
    ///
    /// # Errors
    ///
    /// As [`Router::request`].
    ///
    /// # Cancel safety
    ///
    /// As [`Router::request`]: giving up the wait cancels the handler.
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
        let mut clients: Vec<_> = self.owner.shared.clients.iter().map(|client| client.info()).collect();
        clients.sort_by_key(|client| client.id);
        clients
    }

    /// How the router fares: what its sender `#router` answers, for this program.
    #[must_use]
    pub fn inspect(&self) -> Inspector {
        self.router.inspect()
    }

    /// Throws a client out. Its senders leave with the reason `kicked`. False if there is no such client.
    pub fn kick(&self, client: ClientId, why: impl Into<String>) -> bool {
        let session = self.owner.shared.client(client);
        session.is_some_and(|session| {
            session.peer().cut(&Disconnect::new(Reason::Kicked, why));
            true
        })
    }

    /// Ends the router: takes no more clients (nobody can connect before the first of them is let go), lets their requests end, says goodbye and gives what waits for them up to
    /// `grace` to go out, stops the carriers and ends all streams. Returns what came of it, by the end of `grace`: a peer
    /// that takes nothing holds it up no longer.
    ///
    /// Triggers of this program's senders that wait for room err with [`TriggerError::Closed`](crate::TriggerError) from
    /// the goodbye on. Closing what is closed returns at once, with nothing to count.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel and to call again; the second call counts what the first one left.
    pub async fn close(&self, grace: Duration) -> Closed {
        let shared = &self.owner.shared;
        shared.closing.store(true, Ordering::Release);
        let clients: Vec<_> = shared.clients.iter().map(|client| Arc::clone(&client)).collect();
        let closing = Closing::begin(grace, clients.iter().map(|client| Arc::clone(client.outbox())));
        // First of all: a client that connects again as soon as its link ends must not meet this router once more.
        closing.in_time(shared.attached.stop_accepting()).await;
        let idle = clients.iter().map(|client| client.peer().idle());
        closing.in_time(join_all(idle).map(drop)).await;
        shared.hub.stop_waiting();
        let goodbyes = clients.iter().map(|client| client.say_goodbye("the router is closing"));
        closing.in_time(join_all(goodbyes).map(drop)).await;
        let late = clients.iter().filter(|client| !client.peer().gone().is_cancelled());
        late.for_each(|client| {
            client
                .peer()
                .cut(&Disconnect::new(Reason::Closed, "the router is closing"))
        });
        let aborted = shared.tasks.shutdown(closing.left()).await;
        shared.hub.close();
        closing.end(aborted)
    }
}

impl fmt::Debug for ServerRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerRouter")
            .field("router", &self.router)
            .field("clients", &self.owner.shared.clients.len())
            .finish()
    }
}

/// The topology: every sender, its events and who listens to them. With `{:#}` the router's own sender too.
impl fmt::Display for ServerRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.router, f)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("clients", &self.clients.len())
            .finish_non_exhaustive()
    }
}
