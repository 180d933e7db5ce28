//! The contract between a router and whatever moves its messages.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use crate::batch::Batch;
use crate::client::{Client, ClientId, Disconnect, PeerInfo};
use crate::codec::{Codec, Json};
use crate::error::{CarrierError, CodecError};
use crate::message::Message;
use crate::uplink::Uplink;

/// What a router should know of a carrier before it uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Whether one [`run`](Carrier::run) is one link that this side opened. A `ClientRouter` runs such a carrier again
    /// after each link, with back-off.
    pub dials: bool,
    /// After how much silence a heartbeat is sent, where a peer can vanish without a sign; `None` where it cannot.
    pub heartbeat: Option<Duration>,
    /// Most bytes of one payload that should go out in one piece; fewer than 64 KiB where a medium is slow.
    pub chunk: usize,
    /// Most bytes of one frame after the hello.
    pub max_frame: usize,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            dials: false,
            heartbeat: None,
            chunk: 64 * 1024,
            max_frame: crate::DEFAULT_MAX_FRAME,
        }
    }
}

impl Profile {
    /// A profile with this answer to [`dials`](Self::dials).
    #[must_use]
    pub fn dialling(self, dials: bool) -> Self {
        Self { dials, ..self }
    }

    /// A profile with this heartbeat.
    #[must_use]
    pub fn with_heartbeat(self, heartbeat: impl Into<Option<Duration>>) -> Self {
        Self {
            heartbeat: heartbeat.into(),
            ..self
        }
    }

    /// A profile with pieces of this size. Where they are smaller than 64 KiB, a router also hands over no more than about
    /// so much at a time, so that what is urgent waits for no more than that.
    #[must_use]
    pub fn with_chunk(self, chunk: usize) -> Self {
        Self { chunk, ..self }
    }

    /// A profile with this frame limit.
    #[must_use]
    pub fn with_max_frame(self, max_frame: usize) -> Self {
        Self { max_frame, ..self }
    }
}

/// Moves messages between a router and its clients over one medium.
///
/// The words are pysig's: `pack` and `unpack` turn messages into bytes, `handle_tx` puts them on the medium,
/// `handle_rx` takes what arrived, `handle_client_connected` and `handle_client_disconnected` tell the router who is
/// there. Required are [`name`](Self::name), [`run`](Self::run), [`handle_tx`](Self::handle_tx) and
/// [`close_client`](Self::close_client); over a byte stream, [`Medium`](crate::Medium) is the simpler door.
///
/// A carrier moves bytes and knows links. Replies, deadlines, heartbeats, queues and reconnecting belong to the
/// router: a carrier never sees a reply and never spawns a task but through its [`Uplink`].
///
/// # The life of a client
///
/// 1. The carrier mints a [`ClientId`] and registers its writer under it, **first**.
/// 2. It calls [`handle_client_connected`](Self::handle_client_connected): from here on the router may call
///    `handle_tx`.
/// 3. It reads, and hands each batch to [`handle_rx`](Self::handle_rx). An error from there means: let go of the client.
///    With bytes that are no frames it calls [`Client::refuse`] before, so that the peer is told.
/// 4. When the link ends, or [`close_client`](Self::close_client) was called, it removes the writer and calls
///    [`handle_client_disconnected`](Self::handle_client_disconnected). Dropping the [`Client`] does so too: connected
///    and disconnected always pair.
#[async_trait]
pub trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// The URL scheme, such as `tcp`.
    fn name(&self) -> &'static str;

    /// Accepts or connects, reads, and reports upwards until told to stop.
    ///
    /// Returns `Ok` soon after [`Uplink::stopped`], or when the one link of a dialling carrier ended in good order.
    ///
    /// # Errors
    ///
    /// When the medium failed. The router then runs the carrier again, with back-off.
    ///
    /// # Cancel safety
    ///
    /// The router does not cancel it before the grace period of a shutdown is over.
    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError>;

    /// Takes no more clients until it is run again; those that are there stay. When it returns nobody can connect: a
    /// client whose link the router ends after that, and who connects again at once, finds nobody instead of a router
    /// that is about to go. The default does nothing, for carriers that cannot tell the two apart.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: whoever waits or not, the carrier takes no more clients soon after the first poll.
    async fn stop_accepting(&self) {}

    /// Puts one batch, which is not empty, on the medium, in order, and drains it. There is one caller at a time for
    /// each client.
    ///
    /// # Errors
    ///
    /// When the client is not there any more or the link failed. The router then calls
    /// [`close_client`](Self::close_client).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: half a batch may have gone out. The router cancels it only when it gives the client up.
    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError>;

    /// Puts on the medium what goes at once, and takes it off the batch; true when nothing is left to be done.
    ///
    /// Where something is to be sent and nothing else waits, the router calls it to save the way over a task. After
    /// `false` [`handle_tx`](Self::handle_tx) follows with what is left, which may be nothing that is not flushed yet. The
    /// same one caller at a time as there. Must not block. The default leaves everything.
    ///
    /// # Errors
    ///
    /// As `handle_tx`, which is then called all the same.
    fn try_handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<bool, CarrierError> {
        let _ = (client, batch);
        Ok(false)
    }

    /// Throws a client out, at once. Its link ends and [`handle_client_disconnected`](Self::handle_client_disconnected)
    /// follows. Idempotent; an id that is not known (any more) is fine.
    fn close_client(&self, client: ClientId, why: &Disconnect);

    /// What the router should know.
    fn profile(&self) -> Profile {
        Profile::default()
    }

    /// The codec behind [`pack`](Self::pack) and [`unpack`](Self::unpack); its name is compared in the hello.
    fn codec(&self) -> &dyn Codec {
        &Json
    }

    /// Appends a message to `out` in the form that this peer reads. The default uses [`codec`](Self::codec).
    ///
    /// # Errors
    ///
    /// When the message cannot be written in this codec.
    fn pack(&self, peer: &PeerInfo, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        let _ = peer;
        self.codec().pack(message, out)
    }

    /// Reads one message from the bytes of one frame. The default uses [`codec`](Self::codec).
    ///
    /// # Errors
    ///
    /// When the bytes are not a message: that costs the client its link.
    fn unpack(&self, peer: &PeerInfo, frame: Bytes) -> Result<Message, CodecError> {
        let _ = peer;
        self.codec().unpack(frame)
    }

    /// Hands what arrived from a client to the router. Override it to observe or filter (P44), and call
    /// [`Client::deliver`] for what is to pass.
    ///
    /// # Errors
    ///
    /// When the client broke the protocol: stop reading and let go of it.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel before it is first polled; the default then hands over everything at once.
    async fn handle_rx(&self, client: &Client, batch: &mut Batch) -> Result<(), CarrierError> {
        client.deliver(batch)
    }

    /// Announces a client whose writer is registered already. Override it to refuse or count clients.
    ///
    /// # Errors
    ///
    /// When the router does not take the client: close its link.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: a client that was announced and is dropped is reported as lost.
    async fn handle_client_connected(
        &self,
        router: &Uplink,
        id: ClientId,
        peer: PeerInfo,
    ) -> Result<Client, CarrierError> {
        router.admit(id, peer)
    }

    /// Reports that a client is gone.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: a dropped client is reported as lost.
    async fn handle_client_disconnected(&self, client: Client, why: Disconnect) {
        client.retire(why);
    }

    /// The router calls it once after each return of [`run`](Self::run), when all clients of that run are gone.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    async fn handle_all_clients_disconnected(&self, router: &Uplink, why: Disconnect) {
        router.all_disconnected(why);
    }
}
