//! The types of sockets.

use std::fmt;

/// The type of a socket: what it may connect to, and what becomes of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One peer, both ways.
    Pair,
    /// To all subscribers.
    Pub,
    /// From all publishers, what was subscribed to.
    Sub,
    /// A request, then its reply.
    Req,
    /// A reply to each request.
    Rep,
    /// Requests without the alternation, shared out among the peers.
    Dealer,
    /// Peers told apart by an identity in the first frame.
    Router,
    /// From all [`Push`](Self::Push) peers.
    Pull,
    /// Shared out among the [`Pull`](Self::Pull) peers.
    Push,
    /// [`Pub`](Self::Pub) that receives the subscriptions.
    Xpub,
    /// [`Sub`](Self::Sub) that sends the subscriptions as messages.
    Xsub,
    /// Plain TCP, peers told apart by an identity in the first frame.
    Stream,
    /// Draft: many [`Client`](Self::Client)s told apart by a routing id, from any thread.
    Server,
    /// Draft: of a [`Server`](Self::Server).
    Client,
    /// Draft: to the members of a group.
    Radio,
    /// Draft: of the groups it has joined.
    Dish,
    /// Draft: from all [`Scatter`](Self::Scatter) peers, one frame each.
    Gather,
    /// Draft: shared out among the [`Gather`](Self::Gather) peers, one frame each.
    Scatter,
    /// Draft: UDP datagrams, with an address in the first frame.
    Dgram,
    /// Draft: equals that address each other.
    Peer,
    /// Draft: [`Pair`](Self::Pair) with one frame a message.
    Channel,
}

impl Kind {
    /// Every type, in the order of this enumeration.
    pub const ALL: [Self; 21] = [
        Self::Pair,
        Self::Pub,
        Self::Sub,
        Self::Req,
        Self::Rep,
        Self::Dealer,
        Self::Router,
        Self::Pull,
        Self::Push,
        Self::Xpub,
        Self::Xsub,
        Self::Stream,
        Self::Server,
        Self::Client,
        Self::Radio,
        Self::Dish,
        Self::Gather,
        Self::Scatter,
        Self::Dgram,
        Self::Peer,
        Self::Channel,
    ];

    /// The name that ZeroMQ gives it, in capitals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pair => "PAIR",
            Self::Pub => "PUB",
            Self::Sub => "SUB",
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
            Self::Pull => "PULL",
            Self::Push => "PUSH",
            Self::Xpub => "XPUB",
            Self::Xsub => "XSUB",
            Self::Stream => "STREAM",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Radio => "RADIO",
            Self::Dish => "DISH",
            Self::Gather => "GATHER",
            Self::Scatter => "SCATTER",
            Self::Dgram => "DGRAM",
            Self::Peer => "PEER",
            Self::Channel => "CHANNEL",
        }
    }

    /// Whether ZeroMQ calls it a draft: it may still change there, and stock builds of libzmq and pyzmq lack it.
    #[must_use]
    pub const fn is_draft(self) -> bool {
        matches!(
            self,
            Self::Server
                | Self::Client
                | Self::Radio
                | Self::Dish
                | Self::Gather
                | Self::Scatter
                | Self::Dgram
                | Self::Peer
                | Self::Channel
        )
    }

    /// Whether the application sends on it. (A subscription is sent on [`Xsub`](Self::Xsub).)
    #[must_use]
    pub const fn sends(self) -> bool {
        !matches!(self, Self::Sub | Self::Pull | Self::Dish | Self::Gather)
    }

    /// Whether the application receives on it. (A subscription is received on [`Xpub`](Self::Xpub).)
    #[must_use]
    pub const fn receives(self) -> bool {
        !matches!(self, Self::Pub | Self::Push | Self::Radio | Self::Scatter)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
