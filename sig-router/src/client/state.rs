//! How the link and what is registered over it fare.

use std::time::Duration;

/// How the link of a [`ClientRouter`](crate::ClientRouter) fares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// It is being made, or what was registered is being registered again.
    Connecting,
    /// It is up and everything is registered.
    Connected,
    /// It failed and is made again soon.
    Waiting {
        /// Why it failed.
        error: String,
        /// How long until the next attempt.
        retry_in: Duration,
    },
    /// The router refused this client for good; it does not connect again.
    Refused {
        /// The reason as a word.
        code: String,
        /// The reason in words.
        text: String,
    },
    /// The router was closed.
    Closed,
}

/// How a remote sender fares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SenderState {
    /// There is no link, or the router has not answered yet.
    Pending,
    /// The router has it.
    Live,
    /// The router does not take it, because its name is taken by another client meanwhile. Asked again every second.
    Refused {
        /// The router's words.
        text: String,
    },
    /// It was removed, or the client router was closed.
    Gone,
}
