//! Errors of names, codecs and carriers.

use std::io;
use std::time::Duration;

use thiserror::Error;

/// A name or topic that breaks the rules.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    #[error("the {kind} name is empty; give it at least one character")]
    Empty {
        /// `sender` or `event`.
        kind: &'static str,
    },
    /// The name is longer than [`MAX_NAME`](crate::MAX_NAME).
    #[error("the {kind} name has {length} bytes; at most {} are allowed", crate::MAX_NAME)]
    TooLong {
        /// `sender` or `event`.
        kind: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// The name holds a control character.
    #[error("the {kind} name \"{name}\" holds a control character at byte {position}; names are printable text")]
    ControlCharacter {
        /// `sender` or `event`.
        kind: &'static str,
        /// The name, with the character escaped.
        name: String,
        /// Its position in bytes.
        position: usize,
    },
    /// An event without a sender must be a channel.
    #[error("\"{name}\" is not a channel; a channel's name begins with '#' (\"#{name}\"), other events need a sender")]
    NotAChannel {
        /// The name.
        name: String,
    },
    /// The name belongs to the router.
    #[error("the name \"{name}\" is reserved for the router; choose one that does not begin with '#'")]
    Reserved {
        /// The name.
        name: String,
    },
}

/// Bytes that are not a message, or a value that cannot become bytes.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The text is not the JSON that was expected.
    #[error("unexpected JSON: {0}")]
    Json(#[source] JsonError),
    /// A value, such as parameters or data, is not what was asked for.
    #[error("unexpected value: {0}")]
    Value(#[source] JsonError),
    /// The message has the wrong shape.
    #[error("not a valid message: {0}")]
    Shape(String),
    /// A frame breaks the sig/1 layout.
    #[error("malformed frame: {0}")]
    Frame(String),
    /// A value or payload cannot be decoded as asked.
    #[error("a payload of type {found} cannot be read as {wanted}")]
    ContentType {
        /// What the payload is.
        found: crate::ContentType,
        /// What was asked for.
        wanted: &'static str,
    },
    /// A message is larger than its link allows.
    #[error("a message of {size} bytes is over the limit of {limit} bytes for this link")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A custom codec failed.
    #[error("{codec} codec: {message}")]
    Custom {
        /// The codec's name.
        codec: &'static str,
        /// What went wrong.
        message: String,
    },
}

/// An error of the JSON library, kept opaque so that its version is not part of this interface.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct JsonError(#[from] serde_json::Error);

impl CodecError {
    /// A value could not be read as what was asked for.
    pub(crate) fn value(error: serde_json::Error) -> Self {
        Self::Value(JsonError(error))
    }
}

impl From<serde_json::Error> for CodecError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(JsonError(error))
    }
}

/// Why a carrier could not do its work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CarrierError {
    /// The address cannot be used: the text says why and what to write instead.
    #[error("address {address}: {why}")]
    Address {
        /// The address as given.
        address: String,
        /// What is wrong and how to mend it.
        why: String,
    },
    /// Listening at the address failed.
    #[error("cannot listen on {address}: {source}{}", hint(source))]
    Listen {
        /// The address.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Connecting to the address failed.
    #[error("cannot connect to {address}: {source}{}", hint(source))]
    Connect {
        /// The address.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Reading or writing failed.
    #[error("link failed: {0}")]
    Io(#[from] io::Error),
    /// What the peer sent is not what the protocol allows.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The peer does not speak a version that this side speaks.
    #[error(
        "the peer speaks sig versions {theirs_min} to {theirs_max}, this side speaks {ours_min} to {ours_max}; upgrade the older one"
    )]
    Version {
        /// Lowest version of the peer.
        theirs_min: u8,
        /// Highest version of the peer.
        theirs_max: u8,
        /// Lowest version of this side.
        ours_min: u8,
        /// Highest version of this side.
        ours_max: u8,
    },
    /// The peer did not answer in time.
    #[error("{what} did not answer within {after:?}")]
    Timeout {
        /// Who or what.
        what: String,
        /// How long was waited.
        after: Duration,
    },
    /// The router takes no more clients.
    #[error("the router refused the client: {0}")]
    Refused(String),
    /// There is no such client (any more).
    #[error("client {0} is not connected")]
    UnknownClient(crate::ClientId),
    /// The router or carrier has been closed.
    #[error("the carrier is closed")]
    Closed,
    /// This platform or build has no such carrier.
    #[error("{0}")]
    Unsupported(String),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// What a user can do about the common system errors.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => " (another program listens there: stop it or choose another address)",
        io::ErrorKind::ConnectionRefused => " (nothing listens there: is the router running?)",
        io::ErrorKind::PermissionDenied => " (not allowed for this user)",
        io::ErrorKind::NotFound => " (no such path: is the router running?)",
        io::ErrorKind::AddrNotAvailable => " (this machine has no such address)",
        _ => "",
    }
}
