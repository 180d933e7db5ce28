//! Options of a socket.

use std::time::Duration;

use bytes::Bytes;

use crate::Security;

/// Options of a socket, all set before it binds or connects.
///
/// They differ from libzmq's on purpose where its defaults let memory or shutdown run away: a socket lingers for a second and not for
/// ever, a message has at most 64 MiB, and a thousand peers may knock at once.
///
/// ```
/// use std::time::Duration;
/// use sig_carrier_zmq::Options;
///
/// let options = Options::default().identity("bench-3").linger(Duration::ZERO).receive_timeout(Duration::from_secs(2));
/// assert_eq!(options.identity.as_ref(), b"bench-3");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// How many messages wait for one peer until sending blocks or drops, whichever the type does. 1000.
    pub send_high_water: u32,
    /// How many messages wait to be received. 1000.
    pub receive_high_water: u32,
    /// How long closing waits for messages that are still to be sent; without a limit for `None`. A second.
    pub linger: Option<Duration>,
    /// The name by which a ROUTER or PEER knows this socket, also after it connects again. Empty lets the peer make one up.
    pub identity: Bytes,
    /// The longest message that is received; a peer that announces a longer one is cut off. 64 MiB.
    pub max_message: usize,
    /// How many peers may be in the middle of a handshake at once; further ones are turned away and try again. 1024.
    pub max_pending_handshakes: usize,
    /// How long a handshake may take. 10 s.
    pub handshake_timeout: Duration,
    /// Notices peers that vanished without a word. Off.
    pub heartbeat: Option<Heartbeat>,
    /// The pause before it connects again, and how far it doubles. 100 ms to 2 s.
    pub reconnect: (Duration, Duration),
    /// Keeps the newest message only, of one frame. Off.
    pub conflate: bool,
    /// A ROUTER that knows no such peer says so, and one whose peer is full waits, instead of dropping. On.
    pub mandatory: bool,
    /// An XPUB or PUB that waits for a subscriber that is full, instead of dropping. Off.
    pub no_drop: bool,
    /// Writes each message at once, by the task that sends it, instead of many together. For requests, each of which waits for the reply
    /// to the one before; a flood costs more. DEALER, ROUTER, CLIENT, PAIR and CHANNEL of omq have the choice, REQ and REP always write at
    /// once. Off.
    pub low_latency: bool,
    /// How long sending waits at most; without a limit for `None`. No limit.
    pub send_timeout: Option<Duration>,
    /// How long receiving waits at most; without a limit for `None`. No limit.
    pub receive_timeout: Option<Duration>,
    /// Who may connect. Everybody.
    pub security: Security,
    /// Which library drives the socket.
    pub library: Library,
}

/// Which ZeroMQ library drives a socket. Both speak the same protocol to the outside; within a process, `inproc` reaches only sockets of the
/// same library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Library {
    /// omq where it has the type, else libzmq.
    #[default]
    Auto,
    /// omq, in pure Rust. It has every type but DGRAM.
    Omq,
    /// libzmq 4.3.5, with the feature `libzmq`, which needs a C++ compiler. It has every type, and no CURVE. Without the feature opening
    /// one is an error.
    Libzmq,
}

/// Pings between ends that are otherwise silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// How often a ping goes out.
    pub interval: Duration,
    /// After how much silence the peer counts as gone.
    pub timeout: Duration,
}

impl Heartbeat {
    /// A ping every `interval`, and gone after two and a half of them.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            timeout: interval.saturating_mul(5) / 2,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            send_high_water: 1000,
            receive_high_water: 1000,
            linger: Some(Duration::from_secs(1)),
            identity: Bytes::new(),
            max_message: 64 << 20,
            max_pending_handshakes: 1024,
            handshake_timeout: Duration::from_secs(10),
            heartbeat: None,
            reconnect: (Duration::from_millis(100), Duration::from_secs(2)),
            conflate: false,
            mandatory: true,
            no_drop: false,
            low_latency: false,
            send_timeout: None,
            receive_timeout: None,
            security: Security::Null,
            library: Library::Auto,
        }
    }
}

impl Options {
    /// Sets [`send_high_water`](Self::send_high_water).
    #[must_use]
    pub const fn send_high_water(mut self, messages: u32) -> Self {
        self.send_high_water = messages;
        self
    }

    /// Sets [`receive_high_water`](Self::receive_high_water).
    #[must_use]
    pub const fn receive_high_water(mut self, messages: u32) -> Self {
        self.receive_high_water = messages;
        self
    }

    /// Sets [`linger`](Self::linger).
    #[must_use]
    pub fn linger(mut self, linger: impl Into<Option<Duration>>) -> Self {
        self.linger = linger.into();
        self
    }

    /// Sets [`identity`](Self::identity): 1 to 255 bytes, the first of them not zero.
    #[must_use]
    pub fn identity(mut self, identity: impl Into<Bytes>) -> Self {
        self.identity = identity.into();
        self
    }

    /// Sets [`max_message`](Self::max_message).
    #[must_use]
    pub const fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// Sets [`max_pending_handshakes`](Self::max_pending_handshakes).
    #[must_use]
    pub const fn max_pending_handshakes(mut self, peers: usize) -> Self {
        self.max_pending_handshakes = peers;
        self
    }

    /// Sets [`handshake_timeout`](Self::handshake_timeout).
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets [`heartbeat`](Self::heartbeat).
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: impl Into<Option<Heartbeat>>) -> Self {
        self.heartbeat = heartbeat.into();
        self
    }

    /// Sets [`reconnect`](Self::reconnect).
    #[must_use]
    pub const fn reconnect(mut self, first: Duration, longest: Duration) -> Self {
        self.reconnect = (first, longest);
        self
    }

    /// Sets [`conflate`](Self::conflate).
    #[must_use]
    pub const fn conflate(mut self, conflate: bool) -> Self {
        self.conflate = conflate;
        self
    }

    /// Sets [`mandatory`](Self::mandatory).
    #[must_use]
    pub const fn mandatory(mut self, mandatory: bool) -> Self {
        self.mandatory = mandatory;
        self
    }

    /// Sets [`no_drop`](Self::no_drop).
    #[must_use]
    pub const fn no_drop(mut self, no_drop: bool) -> Self {
        self.no_drop = no_drop;
        self
    }

    /// Sets [`low_latency`](Self::low_latency).
    #[must_use]
    pub const fn low_latency(mut self, low_latency: bool) -> Self {
        self.low_latency = low_latency;
        self
    }

    /// Sets [`send_timeout`](Self::send_timeout).
    #[must_use]
    pub fn send_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.send_timeout = timeout.into();
        self
    }

    /// Sets [`receive_timeout`](Self::receive_timeout).
    #[must_use]
    pub fn receive_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.receive_timeout = timeout.into();
        self
    }

    /// Sets [`security`](Self::security).
    #[must_use]
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Sets [`library`](Self::library).
    #[must_use]
    pub const fn library(mut self, library: Library) -> Self {
        self.library = library;
        self
    }
}
