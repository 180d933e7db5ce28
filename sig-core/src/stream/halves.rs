//! The two directions of a stream.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};

/// The way in.
pub(super) type Incoming = Box<dyn AsyncRead + Send + Unpin>;

/// The way out.
pub(super) type Outgoing = Box<dyn AsyncWrite + Send + Unpin>;

/// The two directions of a stream, each by itself: what [`Medium::split`](crate::Medium::split) gives.
pub struct Halves {
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
}

impl Halves {
    /// Puts two directions together.
    pub fn new(
        incoming: impl AsyncRead + Send + Unpin + 'static,
        outgoing: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        Self {
            incoming: Box::new(incoming),
            outgoing: Box::new(outgoing),
        }
    }
}

impl fmt::Debug for Halves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Halves").finish_non_exhaustive()
    }
}
