//! One constructor for each type.

use super::Socket;
use crate::{Error, Kind, Options};

/// # One for each type
///
/// All with the default [`Options`]; [`open`](Socket::open) takes others. They fail as it does.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Socket {
    /// PAIR: one peer, both ways.
    pub fn pair() -> Result<Self, Error> {
        Self::open(Kind::Pair, Options::default())
    }

    /// PUB: to all subscribers.
    pub fn pub_() -> Result<Self, Error> {
        Self::open(Kind::Pub, Options::default())
    }

    /// SUB: from publishers, what it [subscribes](Self::subscribe) to.
    pub fn sub() -> Result<Self, Error> {
        Self::open(Kind::Sub, Options::default())
    }

    /// REQ: a request, then its reply.
    pub fn req() -> Result<Self, Error> {
        Self::open(Kind::Req, Options::default())
    }

    /// REP: a reply to each request.
    pub fn rep() -> Result<Self, Error> {
        Self::open(Kind::Rep, Options::default())
    }

    /// DEALER: requests and replies without the alternation.
    pub fn dealer() -> Result<Self, Error> {
        Self::open(Kind::Dealer, Options::default())
    }

    /// ROUTER: peers told apart by an identity in the first frame.
    pub fn router() -> Result<Self, Error> {
        Self::open(Kind::Router, Options::default())
    }

    /// PULL: from all PUSH peers.
    pub fn pull() -> Result<Self, Error> {
        Self::open(Kind::Pull, Options::default())
    }

    /// PUSH: shared out among the PULL peers.
    pub fn push() -> Result<Self, Error> {
        Self::open(Kind::Push, Options::default())
    }

    /// XPUB: a PUB that receives the subscriptions.
    pub fn xpub() -> Result<Self, Error> {
        Self::open(Kind::Xpub, Options::default())
    }

    /// XSUB: a SUB that can also send its subscriptions as messages.
    pub fn xsub() -> Result<Self, Error> {
        Self::open(Kind::Xsub, Options::default())
    }

    /// STREAM: plain TCP, connections told apart by an identity in the first frame.
    pub fn stream() -> Result<Self, Error> {
        Self::open(Kind::Stream, Options::default())
    }

    /// SERVER: many CLIENTs, told apart by [`Message::routing_id`](crate::Message::routing_id). A draft of ZeroMQ's.
    pub fn server() -> Result<Self, Error> {
        Self::open(Kind::Server, Options::default())
    }

    /// CLIENT: of a SERVER. A draft of ZeroMQ's.
    pub fn client() -> Result<Self, Error> {
        Self::open(Kind::Client, Options::default())
    }

    /// RADIO: to the members of the group in the first frame. A draft of ZeroMQ's.
    pub fn radio() -> Result<Self, Error> {
        Self::open(Kind::Radio, Options::default())
    }

    /// DISH: of the groups that it [joins](Self::join). A draft of ZeroMQ's.
    pub fn dish() -> Result<Self, Error> {
        Self::open(Kind::Dish, Options::default())
    }

    /// GATHER: from all SCATTER peers, one frame each. A draft of ZeroMQ's.
    pub fn gather() -> Result<Self, Error> {
        Self::open(Kind::Gather, Options::default())
    }

    /// SCATTER: shared out among the GATHER peers, one frame each. A draft of ZeroMQ's.
    pub fn scatter() -> Result<Self, Error> {
        Self::open(Kind::Scatter, Options::default())
    }

    /// DGRAM: UDP datagrams, with an address in the first frame. Only libzmq has it, so it is an error without the feature `libzmq`. A draft of ZeroMQ's.
    pub fn dgram() -> Result<Self, Error> {
        Self::open(Kind::Dgram, Options::default())
    }

    /// PEER: equals that address each other by an identity in the first frame. A draft of ZeroMQ's.
    pub fn peer() -> Result<Self, Error> {
        Self::open(Kind::Peer, Options::default())
    }

    /// CHANNEL: a PAIR with one frame a message. A draft of ZeroMQ's.
    pub fn channel() -> Result<Self, Error> {
        Self::open(Kind::Channel, Options::default())
    }
}
