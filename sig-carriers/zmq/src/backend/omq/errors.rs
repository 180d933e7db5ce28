//! Its errors in our words.

use std::io;

use omq_tokio::Error as Omq;

use crate::backend::asked::{Asked, Failure};
use crate::{Error, Kind};

impl Failure for Omq {
    fn told(self, asked: Asked<'_>) -> Error {
        match self {
            Self::Closed => asked.closed(),
            Self::Unroutable if asked.has_endpoint() => asked.not_in_use(),
            Self::Unroutable => asked.unroutable(),
            Self::Io(source) => asked.io(source),
            Self::Timeout => asked.io(io::ErrorKind::TimedOut.into()),
            Self::Config(reason) if !asked.has_endpoint() => Error::Option(reason),
            Self::InvalidEndpoint(reason) | Self::UnsupportedScheme(reason) | Self::Config(reason) => {
                asked.wrong_endpoint(reason)
            }
            Self::MessageTooLarge { size, max } => {
                asked.wrong_message(format!("{size} bytes are more than the {max} that are allowed"))
            }
            Self::Protocol(reason) => match (asked.kind, asked.action) {
                (Kind::Req | Kind::Rep, "send") => asked.not_now(),
                (_, "send") => asked.wrong_message(reason),
                _ => asked.other(reason),
            },
            other => asked.other(other.to_string()),
        }
    }
}
