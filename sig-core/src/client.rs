//! One peer of a carrier: its id, what is known of it, and the guard that stands for it.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::batch::Batch;
use crate::error::CarrierError;

/// Names one peer of one carrier, unique within the process and never used again.
///
/// The carrier mints it with [`ClientId::next`], registers its writer under it, and only then announces the client, so
/// that the first [`handle_tx`](crate::Carrier::handle_tx) already finds the writer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(NonZeroU64);

impl ClientId {
    /// Mints a new id.
    #[must_use]
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(1);
        let id = LAST.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroU64::new(id).unwrap_or(NonZeroU64::MIN))
    }

    /// The id as a number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How messages travel to and from a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As values, never packed: both routers are in this process.
    Values,
    /// As sig/1 frames: events in the binary layout, control messages through `pack`.
    Sig1,
    /// Everything through `pack`, one message per frame: pysig's JSON, or a custom codec.
    Packed,
}

/// How slowly a peer must be fed.
///
/// pysig takes whatever one `recv(4096)` returns for one message, so two that arrive together are lost. Towards such a
/// peer one unanswered message is under way at a time, and a gap follows each reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pacing {
    /// Pause after a message that the peer does not answer.
    pub gap: Duration,
    /// Most bytes that one message may have.
    pub max_message: usize,
}

/// The user at the other end of a local socket, as the system vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Process id, where the system tells it.
    pub pid: Option<u32>,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// What a carrier knows of a peer when it announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Where the peer is, for people: `tcp://127.0.0.1:40112`.
    pub address: String,
    /// How messages travel.
    pub encoding: Encoding,
    /// How slowly the peer must be fed, if it must.
    pub pacing: Option<Pacing>,
    /// Most bytes that one frame to this peer may have.
    pub max_frame: usize,
    /// Who the peer is, where the system knows.
    pub local_credentials: Option<Credentials>,
}

impl PeerInfo {
    /// A peer at `address`, with no pacing, the default frame limit and no credentials.
    #[must_use]
    pub fn new(address: impl Into<String>, encoding: Encoding) -> Self {
        Self {
            address: address.into(),
            encoding,
            pacing: None,
            max_frame: crate::DEFAULT_MAX_FRAME,
            local_credentials: None,
        }
    }
}

/// Why a client or sender left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Its owner removed it.
    Removed,
    /// It said goodbye.
    Closed,
    /// The link broke.
    LinkLost,
    /// It fell silent.
    Timeout,
    /// A newer one took its place.
    Replaced,
    /// This side threw it out.
    Kicked,
}

impl Reason {
    /// The word in presence events: `removed`, `closed`, `link_lost`, `timeout`, `replaced`, `kicked`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Closed => "closed",
            Self::LinkLost => "link_lost",
            Self::Timeout => "timeout",
            Self::Replaced => "replaced",
            Self::Kicked => "kicked",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a client left, with details for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// The reason.
    pub reason: Reason,
    /// More about it, for people; may be empty.
    pub detail: String,
}

impl Disconnect {
    /// A reason with details.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }

    /// The peer closed the link in good order.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(Reason::Closed, "")
    }

    /// The link broke with this error.
    #[must_use]
    pub fn link_lost(error: impl fmt::Display) -> Self {
        Self::new(Reason::LinkLost, error.to_string())
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail.as_str() {
            "" => write!(f, "{}", self.reason),
            detail => write!(f, "{} ({detail})", self.reason),
        }
    }
}

/// The router's end of one client. Routers implement it; carriers reach it through [`Client`].
pub trait Receiver: fmt::Debug + Send + Sync {
    /// Takes what the client sent, in order, and drains `batch`. Never waits.
    ///
    /// # Errors
    ///
    /// When the client broke the protocol: the carrier must then let go of it.
    fn deliver(&self, batch: &mut Batch) -> Result<(), CarrierError>;

    /// What the client sent cannot be read any further. True when it is being told why: the router closes it, with
    /// [`close_client`](crate::Carrier::close_client), as soon as that is out.
    fn refuse(&self, why: &CarrierError) -> bool {
        let _ = why;
        false
    }

    /// The client is gone. Called once, last.
    fn retire(&self, why: Disconnect);

    /// Most bytes that one frame from this client may have at the moment.
    fn max_frame(&self) -> usize;

    /// Something arrived from the client, though not a whole frame yet: it is alive. Does nothing by default.
    fn heard(&self) {}
}

/// Stands for one announced client, from `connected` to `disconnected`.
///
/// Got from [`Uplink::admit`](crate::Uplink::admit), given back with [`retire`](Self::retire). One that is dropped
/// instead reports the loss by itself, so the two always pair.
#[derive(Debug)]
pub struct Client {
    id: ClientId,
    receiver: Option<Arc<dyn Receiver>>,
}

impl Client {
    /// A guard over the router's end.
    pub(crate) fn new(id: ClientId, receiver: Arc<dyn Receiver>) -> Self {
        Self {
            id,
            receiver: Some(receiver),
        }
    }

    /// The client's id.
    #[must_use]
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// Hands what arrived to the router, in order, and drains `batch`. Never waits.
    ///
    /// # Errors
    ///
    /// When the client broke the protocol or has been retired: stop reading and let go of it.
    pub fn deliver(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        match &self.receiver {
            Some(receiver) => receiver.deliver(batch),
            None => Err(CarrierError::UnknownClient(self.id)),
        }
    }

    /// Reports that what the client sent cannot be read any further, so that it is told why. True when that is under
    /// way: wait a moment for [`close_client`](crate::Carrier::close_client), then let go of it as usual.
    #[must_use = "when it is true, the client is about to be told why"]
    pub fn refuse(&self, why: &CarrierError) -> bool {
        self.receiver.as_ref().is_some_and(|receiver| receiver.refuse(why))
    }

    /// Most bytes that one frame from this client may have at the moment: little before the hello, more after it.
    #[must_use]
    pub fn max_frame(&self) -> usize {
        self.receiver.as_ref().map_or(0, |receiver| receiver.max_frame())
    }

    /// Tells the router that something arrived, though not a whole frame yet: a large one may take longer than a
    /// heartbeat.
    pub fn heard(&self) {
        if let Some(receiver) = &self.receiver {
            receiver.heard();
        }
    }

    /// Tells the router that the client is gone.
    pub fn retire(mut self, why: Disconnect) {
        if let Some(receiver) = self.receiver.take() {
            receiver.retire(why);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(receiver) = self.receiver.take() {
            receiver.retire(Disconnect::new(Reason::LinkLost, "the carrier let go of it"));
        }
    }
}
