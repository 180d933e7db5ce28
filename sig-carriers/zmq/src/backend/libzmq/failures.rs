//! Its errors in our words.

use std::io;

use sig_libzmq::Failed;

use super::frames::NOBODY;
use super::shared::CLOSED;
use crate::Error;
use crate::backend::asked::{Asked, Failure};

impl Failure for Failed {
    fn told(self, asked: Asked<'_>) -> Error {
        let source = io::Error::from_raw_os_error(self.0);
        match (self, source.kind()) {
            (CLOSED, _) => asked.closed(),
            (Self::STATE, _) => asked.not_now(),
            (Self(NOBODY), _) => asked.unroutable(),
            (_, io::ErrorKind::NotFound) if asked.has_endpoint() => asked.not_in_use(),
            (_, io::ErrorKind::InvalidInput) if asked.has_endpoint() => asked.wrong_endpoint(self.to_string()),
            _ if asked.has_endpoint() => asked.io(source),
            (_, io::ErrorKind::InvalidInput) if asked.action == "send" => asked.wrong_message(self.to_string()),
            _ => asked.other(format!("cannot {}: {self}", asked.action)),
        }
    }
}
