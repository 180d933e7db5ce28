//! What is said when a library fails, whichever it is.

use std::io;

use crate::{Error, Kind};

/// What was asked of which socket when it failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) kind: Kind,
    pub(super) action: &'static str,
    /// Empty where it was about none.
    endpoint: &'a str,
}

/// What a library reports.
pub(super) trait Failure {
    /// The same in our words.
    fn told(self, asked: Asked<'_>) -> Error;
}

impl<'a> Asked<'a> {
    pub(super) const fn of(kind: Kind, action: &'static str) -> Self {
        let endpoint = "";
        Self { kind, action, endpoint }
    }

    pub(super) const fn at(self, endpoint: &'a str) -> Self {
        Self { endpoint, ..self }
    }

    pub(super) fn error(self, failure: impl Failure) -> Error {
        failure.told(self)
    }

    pub(super) const fn has_endpoint(self) -> bool {
        !self.endpoint.is_empty()
    }

    pub(super) const fn closed(self) -> Error {
        let Self { kind, action, .. } = self;
        Error::Closed { kind, action }
    }

    /// A REQ or REP socket whose turn it is not.
    pub(super) fn not_now(self) -> Error {
        let Self { kind, action, .. } = self;
        let fix = match (kind, action) {
            (Kind::Req, "send") => "receive the reply to the last request first",
            (Kind::Req, _) => "send a request first",
            _ => "receive a request first; each one is answered once",
        };
        Error::State { kind, action, fix }
    }

    /// It names a peer that is not there.
    pub(super) const fn unroutable(self) -> Error {
        Error::Unroutable { kind: self.kind }
    }

    /// The endpoint is none, or none for this.
    pub(super) fn wrong_endpoint(self, reason: impl Into<String>) -> Error {
        Error::Endpoint {
            endpoint: self.endpoint.to_owned(),
            reason: reason.into(),
        }
    }

    /// The socket does not use the endpoint.
    pub(super) fn not_in_use(self) -> Error {
        self.wrong_endpoint(format!(
            "cannot {}, for it is not in use: give it as it was bound or connected",
            self.action
        ))
    }

    pub(super) fn io(self, source: io::Error) -> Error {
        Error::Io {
            action: self.action,
            endpoint: self.endpoint.to_owned(),
            source,
        }
    }

    /// The message has other frames than the type asks for.
    pub(super) fn wrong_message(self, reason: impl Into<String>) -> Error {
        Error::Message {
            kind: self.kind,
            reason: reason.into(),
        }
    }

    pub(super) fn other(self, reason: impl Into<String>) -> Error {
        Error::Other {
            kind: self.kind,
            reason: reason.into(),
        }
    }
}
