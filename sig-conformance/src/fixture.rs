//! What a carrier's author writes to have it tested.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sig_core::Carrier;
use sig_core::bytes::BufMut as _;
use sig_wire::{Encoding, EventHeader, Preface};
use tokio::io::{AsyncRead, AsyncWrite};

/// Makes the carriers that are tested. Two functions are enough.
///
/// Each case works with a new fixture, inside a tokio runtime. A fixture may own what has to live as long as its
/// carriers, such as a scratch directory.
///
/// A medium between two points, such as a serial line, calls one of its ends the listener; with
/// [`Traits::with_peers`]`(1)` no case asks for a second dialler.
pub trait Fixture: Send + Sync + 'static {
    /// What a dialler needs to know to find the listener.
    type Address: Send + Sync;

    /// A carrier that listens at a place of its own, and where that is.
    fn listener(&self) -> (Arc<dyn Carrier>, Self::Address);

    /// A carrier that connects to the listener at this address. It is called once for each peer.
    fn dialler(&self, address: &Self::Address) -> Arc<dyn Carrier>;

    /// What is particular about the medium.
    fn traits(&self) -> Traits {
        Traits::default()
    }

    /// A connection to the listener without a carrier at this end, where the medium is a stream of bytes: some cases
    /// then send what no carrier would.
    fn raw(&self, address: &Self::Address) -> impl Future<Output = Option<Raw>> + Send {
        let _ = address;
        std::future::ready(None)
    }
}

/// What is particular about a medium. The default fits one that connects any number of peers on one machine.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Traits {
    /// How many diallers one listener takes at the same time, as far as the cases go.
    pub peers: usize,
    /// Whether an end is told when the other one vanishes without a goodbye.
    pub notices_loss: bool,
    /// How many messages the long cases send, each way.
    pub messages: u64,
    /// So many bytes fill every buffer between two peers, and no frame larger than that is tried.
    pub bytes: usize,
    /// Longest wait for anything that must happen.
    pub patience: Duration,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            peers: 20,
            notices_loss: true,
            messages: 100_000,
            bytes: 16 * 1024 * 1024,
            patience: Duration::from_secs(10),
        }
    }
}

impl Traits {
    /// Traits with this many [`peers`](Self::peers); 1 for a line between two points.
    #[must_use]
    pub fn with_peers(self, peers: usize) -> Self {
        Self { peers, ..self }
    }

    /// Traits of a medium on which a peer can vanish without a sign.
    #[must_use]
    pub fn without_notice_of_loss(self) -> Self {
        Self {
            notices_loss: false,
            ..self
        }
    }

    /// Traits for a slow medium: fewer messages and bytes in the long cases.
    #[must_use]
    pub fn with_volume(self, messages: u64, bytes: usize) -> Self {
        Self {
            messages,
            bytes,
            ..self
        }
    }

    /// Traits with this much [`patience`](Self::patience).
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

/// A stream of bytes, as tokio has it.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A connection to a listener without a carrier at this end, and what can be said on it.
pub struct Raw {
    pub(crate) io: Box<dyn ByteStream>,
    pub(crate) script: Script,
}

impl Raw {
    /// A connection on which these things can be said.
    #[must_use]
    pub fn new(io: impl ByteStream + 'static, script: Script) -> Self {
        Self {
            io: Box::new(io),
            script,
        }
    }

    /// A connection to a carrier that speaks sig/1 on byte streams, as `StreamCarrier` does without a codec.
    #[must_use]
    pub fn sig1(io: impl ByteStream + 'static) -> Self {
        Self::new(io, Script::sig1())
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw")
            .field("script", &self.script)
            .finish_non_exhaustive()
    }
}

/// Bytes that mean something to a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// What makes the listener announce the peer as a client.
    pub opening: Vec<u8>,
    /// One whole message, of at least two bytes.
    pub message: Vec<u8>,
    /// The beginning of a message that claims to be larger than the medium can carry, if lengths are claimed.
    pub oversize: Vec<u8>,
    /// What is no message, each with a name.
    pub malformed: Vec<(&'static str, Vec<u8>)>,
}

impl Script {
    /// What sig/1 says on byte streams.
    #[must_use]
    pub fn sig1() -> Self {
        let event = EventHeader { alias: 1, number: 1 };
        let mut message = Vec::new();
        if let Ok(head) = event.encode_head(4, u32::MAX) {
            message.put_slice(&head);
            message.put_slice(b"1234");
        }
        Self {
            opening: Preface::new(Encoding::Sig1).encode().to_vec(),
            message,
            oversize: vec![0xff; 4],
            malformed: vec![
                ("a frame without a kind", vec![1, 0, 0, 0, 1]),
                ("a frame of an unknown kind", vec![2, 0, 0, 0, 0x33, 0]),
            ],
        }
    }
}
