//! Sockets of every type.

mod constructors;
mod moving;
mod proxy;
mod shape;
mod wiring;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backend::{self, Backend, Monitor};
use crate::{Error, Kind, Options};

/// A ZeroMQ socket of any type.
///
/// A clone is another handle of the same socket. The calls that change what it is connected to give back a handle, so that they can be
/// written one after the other:
///
/// ```
/// use sig_carrier_zmq::{Error, Socket};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let publisher = Socket::xpub()?.bind("inproc://weather").await?;
/// let subscriber = Socket::sub()?.connect("inproc://weather").await?.subscribe("rain").await?;
/// publisher.recv().await?; // the subscription has arrived
///
/// publisher.send(["rain", "5 mm"]).await?;
/// assert_eq!(subscriber.recv().await?.into_frames(), ["rain", "5 mm"]);
/// subscriber.close().await;
/// # Ok(())
/// # }
/// ```
///
/// When the last handle is dropped the socket closes in the background, lingering as its options say.
#[derive(Clone)]
pub struct Socket(Arc<State>);

struct State {
    kind: Kind,
    options: Options,
    backend: Arc<dyn Backend>,
    closed: AtomicBool,
    endpoints: Mutex<Vec<Endpoint>>,
}

/// Where a socket listens, or connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// It listens here; the port is the one that was found.
    Bound(String),
    /// It connects here.
    Connected(String),
}

impl Endpoint {
    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bound(text) | Self::Connected(text) => text,
        }
    }
}

impl Socket {
    /// A socket of this type with these options.
    ///
    /// Must be called within a tokio runtime, which drives the socket as long as it lives.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when this build has no such type and when there is no runtime, [`Error::Option`] when the options cannot be.
    pub fn open(kind: Kind, options: Options) -> Result<Self, Error> {
        let backend = backend::open(kind, &options)?;
        Ok(Self(Arc::new(State {
            kind,
            options,
            backend,
            closed: AtomicBool::new(false),
            endpoints: Mutex::default(),
        })))
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Where it listens and connects to, in the order of the calls; only what succeeded and was not taken back.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.0.endpoints().clone()
    }

    /// Where it listens, by the last [`bind`](Self::bind); with the port that was found for port 0 or `*`.
    #[must_use]
    pub fn bound(&self) -> Option<String> {
        let endpoints = self.0.endpoints();
        let bound = endpoints.iter().rev().find(|one| matches!(one, Endpoint::Bound(_)));
        bound.map(|endpoint| endpoint.as_str().to_owned())
    }

    /// Whether [`close`](Self::close) was called on any handle.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// What happens to its links from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] after [`close`](Self::close).
    pub fn monitor(&self) -> Result<Monitor, Error> {
        self.open_for("monitor")?.monitor()
    }

    /// Closes it after sending what is left, for as long as its options say. Whoever waits on it gets [`Error::Closed`]. Closing again
    /// changes nothing.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it is closed for all callers, and what was left may be lost.
    pub async fn close(&self) {
        if !self.0.closed.swap(true, Ordering::AcqRel) {
            self.0.backend.close(self.0.options.linger).await;
        }
    }

    /// What is beneath, to be kept, unless it is closed.
    pub(crate) fn beneath(&self, action: &'static str) -> Result<Arc<dyn Backend>, Error> {
        self.open_for(action)?;
        Ok(Arc::clone(&self.0.backend))
    }

    /// What is beneath, unless it is closed.
    fn open_for(&self, action: &'static str) -> Result<&dyn Backend, Error> {
        if self.is_closed() {
            let kind = self.0.kind;
            return Err(Error::Closed { kind, action });
        }
        Ok(&*self.0.backend)
    }
}

impl State {
    fn endpoints(&self) -> MutexGuard<'_, Vec<Endpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("kind", &format_args!("{}", self.0.kind))
            .field("endpoints", &*self.0.endpoints())
            .field("closed", &self.is_closed())
            .finish()
    }
}
