//! Its errors in our words.

use std::io;

use sig_libzmq::Failed;

use super::frames::NOBODY;
use super::shared::CLOSED;
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
        let endpoint = "";
        Self { kind, action, endpoint }
    }

    pub(super) const fn at(self, endpoint: &'a str) -> Self {
        Self { endpoint, ..self }
    }

    pub(super) fn error(self, failed: Failed) -> Error {
        let Self { kind, action, endpoint } = self;
        let source = io::Error::from_raw_os_error(failed.0);
        match (failed, source.kind()) {
            (CLOSED, _) => Error::Closed { kind, action },
            (Failed::STATE, _) => Error::State {
                kind,
                action,
                fix: match (kind, action) {
                    (Kind::Req, "send") => "receive the reply to the last request first",
                    (Kind::Req, _) => "send a request first",
                    _ => "receive a request first; each one is answered once",
                },
            },
            (Failed(NOBODY), _) => Error::Unroutable { kind },
            (_, io::ErrorKind::NotFound) if !endpoint.is_empty() => Error::Endpoint {
                endpoint: endpoint.to_owned(),
                reason: format!("cannot {action}, for it is not in use: give it as it was bound or connected"),
            },
            (_, io::ErrorKind::InvalidInput) if !endpoint.is_empty() => Error::Endpoint {
                endpoint: endpoint.to_owned(),
                reason: failed.to_string(),
            },
            _ if !endpoint.is_empty() => Error::Io {
                action,
                endpoint: endpoint.to_owned(),
                source,
            },
            (_, io::ErrorKind::InvalidInput) if action == "send" => Error::Message {
                kind,
                reason: failed.to_string(),
            },
            _ => Error::Other {
                kind,
                reason: format!("cannot {action}: {failed}"),
            },
        }
    }
}
