//! The second door for carrier authors: a byte stream becomes a carrier.

mod detect;
mod door;
mod halves;
mod inbox;
mod link;
mod reader;
mod run;
#[cfg(test)]
mod tests;
mod undecided;
mod writer;

#[cfg(test)]
pub(crate) mod probe;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

pub use halves::Halves;
pub use link::Link;

use crate::HELLO_MAX_FRAME;
use crate::batch::Batch;
use crate::carrier::{Carrier, Profile};
use crate::client::{ClientId, Disconnect, PeerInfo};
use crate::codec::{Codec, Json};
use crate::error::{CarrierError, CodecError};
use crate::message::Message;
use crate::uplink::Uplink;
use crate::url::CarrierUrl;
use door::Entrance;
use writer::Writers;

/// A source of byte streams, such as a listening socket. [`StreamCarrier`] makes a full carrier of it: framing,
/// detection of the peer's protocol, batches, tasks and shutdown are its work.
///
/// ```
/// use sig_core::{Carrier, CarrierError, Link, Medium, StreamCarrier};
/// use tokio::io::DuplexStream;
/// use tokio::sync::{Mutex, mpsc};
///
/// /// Takes streams that somebody else opened.
/// #[derive(Debug)]
/// struct HandedOver(Mutex<mpsc::Receiver<DuplexStream>>);
///
/// impl Medium for HandedOver {
///     const NAME: &'static str = "handed-over";
///     type Io = DuplexStream;
///
///     async fn next(&self) -> Result<Link<DuplexStream>, CarrierError> {
///         let io = self.0.lock().await.recv().await.ok_or(CarrierError::Closed)?;
///         Ok(Link::new(io, "somebody"))
///     }
/// }
///
/// let (_give, take) = mpsc::channel(1);
/// assert_eq!(StreamCarrier::new(HandedOver(Mutex::new(take))).name(), "handed-over");
/// ```
pub trait Medium: fmt::Debug + Send + Sync + 'static {
    /// The URL scheme, such as `tcp`.
    const NAME: &'static str;

    /// One byte stream.
    type Io: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Waits for the next peer, or, in a medium that dials, connects once.
    ///
    /// # Errors
    ///
    /// While listening, [`CarrierError::Io`] is taken for trouble that passes (no file descriptors left, a peer that
    /// went away too soon): `next` is called again after a pause. Any other error ends the carrier's run. While
    /// dialling, every error does.
    ///
    /// # Cancel safety
    ///
    /// Must be safe to cancel: it is dropped when the carrier is told to stop.
    fn next(&self) -> impl Future<Output = Result<Link<Self::Io>, CarrierError>> + Send;

    /// Takes a stream apart, so that one task can read while another writes.
    ///
    /// The default works for every stream, at the price of a lock around each call. Where the stream itself comes apart,
    /// as a [`TcpStream`](https://docs.rs/tokio/latest/tokio/net/struct.TcpStream.html#method.into_split) does, neither
    /// side ever waits for the other.
    fn split(io: Self::Io) -> Halves {
        let (incoming, outgoing) = tokio::io::split(io);
        Halves::new(incoming, outgoing)
    }

    /// What the router should know; above all [`dials`](Profile::dials).
    fn profile(&self) -> Profile {
        Profile::default()
    }

    /// No more peers are wanted for now: let go of the listening socket. `next` may be called again later, when the
    /// carrier is restarted. Idempotent.
    fn close(&self) {}
}

/// Which protocol is spoken on byte streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Whichever the peer speaks.
    ///
    /// A listener goes by the first byte. A dialler offers sig/1; where the peer closes the link or stays silent for a
    /// second, it takes it for a pysig server and connects again with JSON. Should the peer answer sig/1 after all
    /// within ten seconds, the JSON link is given up with an error, and the next one speaks sig/1. A peer that spoke
    /// sig/1 before is another case: a link that closes without an answer then is one that failed, and ten seconds of
    /// silence are needed.
    Auto,
    /// sig/1 only.
    Sig1,
    /// pysig's bare JSON documents only. A listener then announces a peer at once, before it has said anything.
    Pysig,
}

/// A carrier over the byte streams of a [`Medium`].
///
/// A listener tells the peers' protocols apart by the first byte: the sig/1 preface, or `{` (or white space) of a pysig
/// peer's JSON; everything else is refused. A peer that has not said anything yet is no client and holds no buffer; it
/// may stay silent as long as its [`Link`] has patience, and beyond 512 silent ones the oldest is let go.
///
/// Frames are bounded by [`Client::max_frame`](crate::Client::max_frame), after the hello by the smaller one of both ends'
/// [limits](Self::with_max_frame). A peer that breaks the protocol loses its own
/// link and nothing else happens.
pub struct StreamCarrier<M: Medium> {
    medium: M,
    dialect: Dialect,
    codec: Option<Box<dyn Codec>>,
    max_frame: Option<usize>,
    /// Whether a peer that was dialled spoke sig/1 once.
    spoke_sig1: AtomicBool,
    entrance: Entrance,
    writers: Arc<Writers>,
}

impl<M: Medium> StreamCarrier<M> {
    /// A carrier that speaks [`Dialect::Auto`] where the medium listens and [`Dialect::Sig1`] where it dials, with JSON
    /// control messages.
    #[must_use]
    pub fn new(medium: M) -> Self {
        let dialect = if medium.profile().dials {
            Dialect::Sig1
        } else {
            Dialect::Auto
        };
        Self {
            medium,
            dialect,
            codec: None,
            max_frame: None,
            spoke_sig1: AtomicBool::new(false),
            entrance: Entrance::default(),
            writers: Arc::default(),
        }
    }

    /// The carrier with this dialect.
    #[must_use]
    pub fn with_dialect(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// The carrier with this codec: every message then goes through it, one per frame. Both ends need the same one.
    #[must_use]
    pub fn with_codec(self, codec: impl Codec) -> Self {
        Self {
            codec: Some(Box::new(codec)),
            ..self
        }
    }

    /// The carrier with frames of at most so many bytes, instead of the medium's own limit, which is
    /// [`DEFAULT_MAX_FRAME`](crate::DEFAULT_MAX_FRAME) as a rule. Both ends hold a whole frame in memory, and the smaller
    /// limit of the two holds: an event or answer that is larger is refused where it is sent.
    #[must_use]
    pub fn with_max_frame(self, bytes: usize) -> Self {
        Self {
            max_frame: Some(bytes.clamp(HELLO_MAX_FRAME, MOST_FRAME)),
            ..self
        }
    }

    /// The carrier as the option `max_frame` of its URL says, which has units as in
    /// [`CarrierUrl::size_option`](crate::CarrierUrl::size_option). For factories.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] if there is such an option and it is no size from 64 KiB to 1 GiB.
    pub fn with_options_of(self, url: &CarrierUrl) -> Result<Self, CarrierError> {
        let max_frame = url.size_option("max_frame", HELLO_MAX_FRAME..=MOST_FRAME)?;
        Ok(Self {
            max_frame: max_frame.or(self.max_frame),
            ..self
        })
    }

    /// The medium.
    #[must_use]
    pub fn medium(&self) -> &M {
        &self.medium
    }

    /// The encoding that this side's preface names.
    fn wire_encoding(&self) -> sig_wire::Encoding {
        match self.codec {
            Some(_) => sig_wire::Encoding::Packed,
            None => sig_wire::Encoding::Sig1,
        }
    }

    /// The codec for this peer. pysig peers, known by their pacing, read JSON and nothing else.
    fn codec_for(&self, peer: &PeerInfo) -> &dyn Codec {
        match peer.pacing {
            Some(_) => &Json,
            None => self.codec(),
        }
    }
}

#[async_trait]
impl<M: Medium> Carrier for StreamCarrier<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        if self.profile().dials {
            self.dial(&router).await
        } else {
            self.listen(&router).await
        }
    }

    async fn stop_accepting(&self) {
        self.entrance.shut().await;
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        self.writers.send(client, batch).await
    }

    fn try_handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<bool, CarrierError> {
        self.writers.try_send(client, batch)
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        self.writers.close(client, why);
    }

    fn profile(&self) -> Profile {
        let profile = self.medium.profile();
        match self.max_frame {
            Some(bytes) => profile.with_max_frame(bytes),
            None => profile,
        }
    }

    fn codec(&self) -> &dyn Codec {
        self.codec.as_deref().unwrap_or(&Json)
    }

    fn pack(&self, peer: &PeerInfo, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        self.codec_for(peer).pack(message, out)
    }

    fn unpack(&self, peer: &PeerInfo, frame: Bytes) -> Result<Message, CodecError> {
        self.codec_for(peer).unpack(frame)
    }
}

impl<M: Medium> fmt::Debug for StreamCarrier<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamCarrier")
            .field("medium", &self.medium)
            .field("dialect", &self.dialect)
            .field("codec", &self.codec().name())
            .field("clients", &self.writers.count())
            .finish()
    }
}

/// The largest limit of frames that can be set.
const MOST_FRAME: usize = 1 << 30;

/// How long a link that ends may take to say goodbye: to finish what is being written, and to let the peer read it.
const GOODBYE: Duration = Duration::from_millis(500);
