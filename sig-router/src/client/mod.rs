//! The router that brings remote senders and listeners to this program.

mod call;
mod confirming;
mod link;
mod listeners;
mod offline;
mod pysig;
mod requests;
mod senders;
mod shared;
mod stalling;
mod state;
mod supervisor;
mod uplink;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sig_core::{Carrier, Disconnect, NoRuntime, Tasks};
use tokio::sync::watch;

pub use listeners::{RemoteEventStream, RemoteListener};
pub use offline::Offline;
pub use requests::RemoteSenderInfo;
pub use senders::RemoteSender;
use shared::Shared;
pub use state::{LinkState, SenderState};

use crate::closed::{Closed, Closing};
use crate::error::RouterError;
use crate::inspect::Inspection;
use crate::router::Router;
use crate::session::Reconnect;

/// Brings remote senders and listeners to this program, and heals itself.
///
/// It keeps a link to a [`ServerRouter`](crate::ServerRouter) (or to pysig's): when the link is lost it connects again,
/// at once and then with growing pauses, and registers everything anew. So programs may start in any order, and a
/// restart of the server costs no registration. What is purely local is on [`local`](Self::local); remote senders are
/// heard there too, without the network (P62).
///
/// Must be created inside a tokio runtime. Cloning is cheap; clones are the same router. When the last one is dropped
/// the link ends at once; [`close`](Self::close) ends it in good order.
///
/// ```no_run
/// use std::sync::Arc;
/// use sig_router::{ClientRouter, Event};
///
/// # async fn example(carrier: Arc<dyn sig_router::sig_core::Carrier>) -> Result<(), Box<dyn std::error::Error>> {
/// let client = ClientRouter::connect(carrier)?;
/// let _listener = client
///     .add_remote_listener("timer/tic", |event: &Event<'_>| println!("{event:?}"))
///     .await?;
/// let sender = client.add_remote_sender("another_timer").event("tic").connect().await?;
/// sender.signal("tic")?.trigger(&1).await?;
/// let period: f64 = client.remote_request("timer", "period", &()).await?.parse()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClientRouter {
    local: Router,
    owner: Arc<Ownership>,
}

/// Ends everything when the last handle is gone.
struct Ownership {
    shared: Arc<Shared>,
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // First the state, so that what the aborted tasks leave behind does not change it.
        self.shared.closed();
        self.shared.tasks.abort();
    }
}

/// Settings of a [`ClientRouter`].
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is made before connect()"]
pub struct ClientBuilder {
    reconnect: Reconnect,
}

impl ClientBuilder {
    /// How to connect again after a link was lost or did not come up.
    pub fn reconnect(self, reconnect: Reconnect) -> Self {
        Self { reconnect }
    }

    /// Makes the router, which connects in the background.
    ///
    /// # Errors
    ///
    /// [`RouterError::NoRuntime`] outside a tokio runtime.
    pub fn connect(self, carrier: Arc<dyn Carrier>) -> Result<ClientRouter, RouterError> {
        let tasks = Tasks::new().map_err(|NoRuntime| NoRuntime)?;
        let shared = Shared::new(tasks, carrier);
        Inspection::install(&shared.local, None);
        supervisor::start(&shared, self.reconnect);
        let local = Router::with_hub(Arc::clone(&shared.local));
        Ok(ClientRouter {
            local,
            owner: Arc::new(Ownership { shared }),
        })
    }
}

impl ClientRouter {
    /// A router that connects through this carrier, in the background: it returns at once, and the peer need not be
    /// there yet.
    ///
    /// # Errors
    ///
    /// [`RouterError::NoRuntime`] outside a tokio runtime.
    pub fn connect(carrier: Arc<dyn Carrier>) -> Result<Self, RouterError> {
        Self::builder().connect(carrier)
    }

    /// Begins to set up a router.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// The router of this process alone.
    #[must_use]
    pub fn local(&self) -> &Router {
        &self.local
    }

    /// How the link fares now.
    #[must_use]
    pub fn state(&self) -> LinkState {
        self.shared().states.borrow().clone()
    }

    /// How the link fares, to be watched.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<LinkState> {
        self.shared().states.subscribe()
    }

    /// Waits until the link is up and everything is registered.
    ///
    /// # Errors
    ///
    /// [`RouterError::NotReady`] when that takes longer than `timeout`, with what the last attempt came to;
    /// [`RouterError::Refused`] when the router refused this client for good; [`RouterError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn ready(&self, timeout: Duration) -> Result<(), RouterError> {
        let mut states = self.states();
        let settled = async {
            loop {
                match states.borrow_and_update().clone() {
                    LinkState::Connected => return Ok(()),
                    LinkState::Refused { code, text } => return Err(RouterError::Refused { code, text }),
                    LinkState::Closed => return Err(RouterError::Closed),
                    LinkState::Connecting | LinkState::Waiting { .. } => {}
                }
                if states.changed().await.is_err() {
                    return Err(RouterError::Closed);
                }
            }
        };
        let last = || match self.state() {
            LinkState::Waiting { error, .. } => error,
            other => format!("{other:?}"),
        };
        let settled = tokio::time::timeout(timeout, settled).await;
        settled.unwrap_or_else(|_| {
            Err(RouterError::NotReady {
                after: timeout,
                last: last(),
            })
        })
    }

    /// Ends the link in good order: lets running requests end, removes the senders, gives what waits up to `grace` to go
    /// out, ends all streams. Returns what came of it, by the end of `grace`: a peer that takes nothing holds it up no
    /// longer.
    ///
    /// Triggers of remote senders that wait for room or for a link err with
    /// [`TriggerError::SenderGone`](crate::TriggerError). Closing what is closed returns at once, with nothing to count.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel and to call again; the second call counts what the first one left.
    pub async fn close(&self, grace: Duration) -> Closed {
        let shared = self.shared();
        shared.closing();
        let link = shared.link();
        let closing = Closing::begin(grace, link.iter().map(|link| Arc::clone(link.outbox())));
        if let Some(link) = &link {
            closing.in_time(link.peer().idle()).await;
        }
        closing.in_time(shared.settled()).await;
        let kept = shared.close_senders();
        if let Some(link) = &link {
            if !closing.in_time(link.say_goodbye()).await {
                link.peer().cut(&Disconnect::closed());
            }
        }
        let aborted = shared.tasks.shutdown(closing.left()).await;
        shared.closed();
        let closed = closing.end(aborted);
        Closed {
            dropped: closed.dropped + kept,
            ..closed
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }
}

impl fmt::Debug for ClientRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRouter")
            .field("state", &self.state())
            .field("local", &self.local)
            .finish()
    }
}
