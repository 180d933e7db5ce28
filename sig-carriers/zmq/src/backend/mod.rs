//! What the rest of the crate asks of a ZeroMQ library. Everything else in the crate is written against [`Backend`] alone.

mod asked;
#[cfg(all(unix, feature = "libzmq"))]
mod libzmq;
mod monitor;
mod omq;
mod place;
mod sender;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use monitor::{Link, LinkEvent, Monitor};
pub(crate) use omq::{endpoint, refused};
pub(crate) use place::check as check_place;
pub(crate) use sender::Sender;

use crate::{Error, Kind, Library, Message, Options};

/// A socket of one type. Several tasks may send and receive at once; each message goes to one of them.
///
/// Dropping it closes it in the background, as [`close`](Self::close) with the linger of its options.
#[async_trait]
pub(crate) trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Listens at the endpoint and tells the one that it got, with the port that was found for port 0 or `*`.
    async fn bind(&self, endpoint: &str) -> Result<String, Error>;

    /// Connects in the background, and again whenever the link is lost. That nobody is there is no error.
    async fn connect(&self, endpoint: &str) -> Result<(), Error>;

    /// Connects a PEER and waits until it is there; the identity by which it is sent to.
    async fn connect_peer(&self, endpoint: &str) -> Result<Bytes, Error>;

    /// Stops listening at an endpoint, given as [`bind`](Self::bind) told it. Links that came by it stay, unless
    /// [`unbinding_drops_links`](Self::unbinding_drops_links).
    async fn unbind(&self, endpoint: &str) -> Result<(), Error>;

    /// Whether the links that came by an endpoint go with it.
    fn unbinding_drops_links(&self) -> bool {
        false
    }

    /// Stops connecting to an endpoint, given as it was connected to, and drops the link.
    async fn disconnect(&self, endpoint: &str) -> Result<(), Error>;

    /// Hands a message over, waiting where the type waits for room. Cancelled, it was not handed over.
    async fn send(&self, message: Message) -> Result<(), Error>;

    /// Hands a message over where that needs no waiting.
    fn try_send(&self, message: Message) -> Result<(), TrySend>;

    /// The next message. Cancelled, none is lost.
    async fn recv(&self) -> Result<Message, Error>;

    /// The next message where one is there.
    fn try_recv(&self) -> Result<Option<Message>, Error>;

    /// Changes what arrives.
    async fn subscription(&self, change: Subscription) -> Result<(), Error>;

    /// What happens to the links from now on.
    fn monitor(&self) -> Result<Monitor, Error>;

    /// From now on a ROUTER knows who sent what, and tells of its links in the order of its messages. To be asked before it is bound.
    fn know_senders(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Who sent a message that a ROUTER has just received.
    fn sender<'a>(&self, message: &'a Message) -> Option<Sender<'a>>;

    /// The links that are there, for who missed events; `None` where the library does not tell.
    async fn links(&self) -> Option<Vec<u64>> {
        None
    }

    /// Drops one link, by the number in its events. A peer that connected may come back.
    async fn drop_link(&self, link: u64) -> Result<(), Error>;

    /// Ends the socket after sending what is left, for at most this long. From then on everything is [`Error::Closed`].
    async fn close(&self, linger: Option<Duration>);
}

/// A change of what a SUB, XSUB or DISH socket gets.
#[derive(Debug, Clone)]
pub(crate) enum Subscription {
    /// Messages whose first frame begins so.
    Add(Bytes),
    /// One [`Add`](Self::Add) taken back.
    Remove(Bytes),
    /// The messages to this group.
    Join(Bytes),
    /// One [`Join`](Self::Join) taken back.
    Leave(Bytes),
}

/// Why a message was not handed over at once.
#[derive(Debug)]
pub(crate) enum TrySend {
    /// There is no room now. The message comes back.
    Full(Message),
    /// It cannot be handed over.
    Failed(Error),
}

/// A new socket. Must be called within a tokio runtime, which drives it.
pub(crate) fn open(kind: Kind, options: &Options) -> Result<Arc<dyn Backend>, Error> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(Error::Unsupported {
            what: format!("a {kind} socket outside a tokio runtime"),
            fix: "open it within one; the blocking Publisher and Subscriber bring their own",
        });
    }
    match options.library {
        Library::Libzmq => libzmq(kind, options),
        Library::Auto if !omq::has(kind) => libzmq(kind, options),
        Library::Auto | Library::Omq => Ok(Arc::new(omq::Socket::open(kind, options)?)),
    }
}

#[cfg(all(unix, feature = "libzmq"))]
fn libzmq(kind: Kind, options: &Options) -> Result<Arc<dyn Backend>, Error> {
    Ok(Arc::new(libzmq::Socket::open(kind, options)?))
}

#[cfg(not(all(unix, feature = "libzmq")))]
fn libzmq(kind: Kind, _: &Options) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::Unsupported {
        what: format!("a {kind} socket of libzmq"),
        fix: "build sig-carrier-zmq with the feature `libzmq`, on a Unix and with a C++ compiler",
    })
}
