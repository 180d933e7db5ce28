//! What happens to the links of a socket.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

/// Something that happened to a link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// A peer is there and has proven who it is. Messages can flow.
    Connected(Link),
    /// It is gone.
    Disconnected {
        /// Which link.
        link: Link,
        /// Why, in words.
        reason: String,
        /// Whether the peer closed it in good order, as far as the transport tells.
        by_peer: bool,
    },
    /// An attempt to connect failed. Another one follows.
    Delayed {
        /// The endpoint that was connected to.
        endpoint: String,
    },
    /// A peer came and was refused, or refused us: wrong credentials, another protocol, a handshake that took too long.
    Refused {
        /// The endpoint of this side.
        endpoint: String,
        /// Why, in words.
        reason: String,
    },
    /// Events were missed, this many, because nobody took them in time.
    Missed(u64),
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// Names the link among those of its socket. Not used again within an hour at least.
    pub number: u64,
    /// The endpoint that was bound or connected.
    pub endpoint: String,
    /// Where the peer is, as far as the transport tells.
    pub address: Option<String>,
    /// What a ROUTER calls the peer, when the peer chose it.
    pub identity: Option<Bytes>,
    /// The name that PLAIN proved.
    pub user: Option<String>,
}

/// The events of one socket's links. Bounded: who does not read misses some and is told how many.
pub struct Monitor(pub(crate) Box<dyn Source>);

#[async_trait]
pub(crate) trait Source: Send + Sync {
    async fn next(&mut self) -> Option<LinkEvent>;
}

impl Monitor {
    /// The next event; `None` when the socket is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, none is lost.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        self.0.next().await
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Monitor")
    }
}
