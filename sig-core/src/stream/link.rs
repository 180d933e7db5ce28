//! One byte stream to one peer, and how messages stand on it.

use std::time::Duration;

use bytes::BytesMut;

use crate::client::{Credentials, Encoding, Pacing, PeerInfo};

/// One byte stream to one peer, as a [`Medium`](crate::Medium) yields it.
#[derive(Debug)]
pub struct Link<Io> {
    pub(super) io: Io,
    pub(super) address: String,
    pub(super) credentials: Option<Credentials>,
    pub(super) patience: Option<Duration>,
}

impl<Io> Link<Io> {
    /// A link to the peer at `address`, which is for people and without the scheme.
    ///
    /// The peer may stay silent for ever before its first byte, and nothing is known of who it is.
    #[must_use]
    pub fn new(io: Io, address: impl Into<String>) -> Self {
        Self {
            io,
            address: address.into(),
            credentials: None,
            patience: None,
        }
    }

    /// The link with what the system knows of the peer.
    #[must_use]
    pub fn with_credentials(self, credentials: impl Into<Option<Credentials>>) -> Self {
        Self {
            credentials: credentials.into(),
            ..self
        }
    }

    /// The link with a bound on the silence before the peer's first byte. An idle pysig client sends nothing, so
    /// without a bound is right wherever the peers can be trusted.
    #[must_use]
    pub fn with_patience(self, patience: impl Into<Option<Duration>>) -> Self {
        Self {
            patience: patience.into(),
            ..self
        }
    }
}

/// How messages stand on a byte stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// sig/1 frames.
    Sig1,
    /// Length-prefixed frames, each with one message packed by the codec.
    Packed,
    /// Bare JSON documents.
    Pysig,
}

/// pysig takes one `recv(4096)` for one message, and stores a listener's id up to 10 ms after the reply that gave it.
const PYSIG_PACING: Pacing = Pacing {
    gap: Duration::from_millis(10),
    max_message: 4096,
};

impl From<sig_wire::Encoding> for Wire {
    fn from(encoding: sig_wire::Encoding) -> Self {
        match encoding {
            sig_wire::Encoding::Sig1 => Self::Sig1,
            sig_wire::Encoding::Packed => Self::Packed,
        }
    }
}

/// A peer whose protocol is known, ready to be announced.
#[derive(Debug)]
pub(super) struct Peer<Io> {
    pub(super) link: Link<Io>,
    pub(super) wire: Wire,
    /// What has been read of its messages already.
    pub(super) head: BytesMut,
}

impl<Io> Peer<Io> {
    pub(super) fn new(link: Link<Io>, wire: Wire, head: BytesMut) -> Self {
        Self { link, wire, head }
    }

    /// What the router is told.
    pub(super) fn info(&self, scheme: &str, max_frame: usize) -> PeerInfo {
        let encoding = match self.wire {
            Wire::Sig1 => Encoding::Sig1,
            Wire::Packed | Wire::Pysig => Encoding::Packed,
        };
        let mut info = PeerInfo::new(format!("{scheme}://{}", self.link.address), encoding);
        info.max_frame = max_frame;
        info.pacing = (self.wire == Wire::Pysig).then_some(PYSIG_PACING);
        info.local_credentials = self.link.credentials;
        info
    }
}
