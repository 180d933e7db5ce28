//! What can go wrong with a socket.

use std::io;
use std::time::Duration;

use crate::Kind;

/// What went wrong with a socket, or with what is built on one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This build has no such socket, or not this about it.
    #[error("{what} is not in this build: {fix}")]
    Unsupported {
        /// What is missing.
        what: String,
        /// What brings it.
        fix: &'static str,
    },
    /// The text is no endpoint of a kind that this socket can use.
    #[error("endpoint \"{endpoint}\": {reason}")]
    Endpoint {
        /// As it was given.
        endpoint: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// The system refused to listen or to connect.
    #[error("cannot {action} \"{endpoint}\": {source}")]
    Io {
        /// `bind` or `connect`.
        action: &'static str,
        /// Where.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// The socket is closed.
    #[error("cannot {action}: the {kind} socket is closed")]
    Closed {
        /// Of which type.
        kind: Kind,
        /// What was asked of it.
        action: &'static str,
    },
    /// It did not happen in time.
    #[error("{action} on a {kind} socket timed out after {after:?}")]
    Timeout {
        /// Of which type.
        kind: Kind,
        /// What was waited for.
        action: &'static str,
        /// How long.
        after: Duration,
    },
    /// Sockets of this type do not do this.
    #[error("a {kind} socket cannot {action}: {fix}")]
    Direction {
        /// Of which type.
        kind: Kind,
        /// What was asked of it.
        action: &'static str,
        /// What to do instead.
        fix: &'static str,
    },
    /// Not now: a REQ socket awaits its reply, or a REP socket a request.
    #[error("a {kind} socket cannot {action} now: {fix}")]
    State {
        /// Of which type.
        kind: Kind,
        /// What was asked of it.
        action: &'static str,
        /// What must happen first.
        fix: &'static str,
    },
    /// No peer with the identity, or the routing id, that the message names.
    #[error("no peer of the {kind} socket has the identity that the message names")]
    Unroutable {
        /// Of which type.
        kind: Kind,
    },
    /// The message has not the frames that the type asks for.
    #[error("a {kind} socket cannot send this message: {reason}")]
    Message {
        /// Of which type.
        kind: Kind,
        /// What is wrong with it.
        reason: String,
    },
    /// The text is no topic.
    #[error("topic \"{topic}\": {reason}")]
    Topic {
        /// As it was given.
        topic: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The data of one message is not what was asked for.
    #[error("data of a message of topic \"{topic}\" cannot be read: {reason}")]
    Payload {
        /// The topic of the message.
        topic: String,
        /// What is wrong with the data.
        reason: String,
    },
    /// An option, or a combination of them, that cannot be.
    #[error("invalid option: {0}")]
    Option(String),
    /// Something that the library beneath reports.
    #[error("{kind} socket: {reason}")]
    Other {
        /// Of which type.
        kind: Kind,
        /// As it says.
        reason: String,
    },
}

impl Error {
    /// Whether it is a [`Timeout`](Self::Timeout).
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// Whether it is [`Closed`](Self::Closed).
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}
