//! Its errors in our words.

use std::io;

use crate::{Error, Kind};

/// What was asked of which socket when it failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    kind: Kind,
    action: &'static str,
    endpoint: &'a str,
}

impl<'a> Asked<'a> {
    pub(super) const fn of(kind: Kind, action: &'static str) -> Self {
        Self {
            kind,
            action,
            endpoint: "",
        }
    }

    pub(super) const fn at(self, endpoint: &'a str) -> Self {
        Self { endpoint, ..self }
    }

    pub(super) fn error(self, error: omq_tokio::Error) -> Error {
        use omq_tokio::Error as Omq;
        let Self { kind, action, endpoint } = self;
        match error {
            Omq::Closed => Error::Closed { kind, action },
            Omq::Unroutable if endpoint.is_empty() => Error::Unroutable { kind },
            Omq::Unroutable => Error::Endpoint {
                endpoint: endpoint.to_owned(),
                reason: format!("cannot {action}, for it is not in use: give it as it was bound or connected"),
            },
            Omq::Io(source) => Error::Io {
                action,
                endpoint: endpoint.to_owned(),
                source,
            },
            Omq::Config(reason) if endpoint.is_empty() => Error::Option(reason),
            Omq::InvalidEndpoint(reason) | Omq::UnsupportedScheme(reason) | Omq::Config(reason) => Error::Endpoint {
                endpoint: endpoint.to_owned(),
                reason,
            },
            Omq::MessageTooLarge { size, max } => Error::Message {
                kind,
                reason: format!("{size} bytes are more than the {max} that are allowed"),
            },
            Omq::Timeout => Error::Io {
                action,
                endpoint: endpoint.to_owned(),
                source: io::ErrorKind::TimedOut.into(),
            },
            Omq::Protocol(reason) => protocol(kind, action, reason),
            other => Error::Other {
                kind,
                reason: other.to_string(),
            },
        }
    }
}

fn protocol(kind: Kind, action: &'static str, reason: String) -> Error {
    match (kind, action) {
        (Kind::Req, "send") => Error::State {
            kind,
            action,
            fix: "receive the reply to the last request first",
        },
        (Kind::Rep, "send") => Error::State {
            kind,
            action,
            fix: "receive a request first; each one is answered once",
        },
        (_, "send") => Error::Message { kind, reason },
        _ => Error::Other { kind, reason },
    }
}
