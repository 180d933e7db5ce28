//! What the machine reaches without us.

use super::{Broker, Builder, PATIENCE, Side, System, Use, free_port, words};
use crate::error::Failure;
use crate::process::Child;

/// A limit, over TCP or a local socket.
#[derive(Debug)]
pub(super) struct Limit {
    name: &'static str,
    /// What the names of its roles begin with.
    prefix: &'static str,
    has_broker: bool,
    is_ipc: bool,
}

impl Limit {
    /// The broker that only moves bytes.
    pub(super) fn ideal() -> Self {
        Self {
            name: "ideal",
            prefix: "ideal-",
            has_broker: true,
            is_ipc: false,
        }
    }

    /// The same over local sockets.
    pub(super) fn ideal_ipc() -> Self {
        Self {
            name: "ideal-ipc",
            is_ipc: true,
            ..Self::ideal()
        }
    }

    /// One socket, and no broker.
    pub(super) fn raw() -> Self {
        Self {
            name: "socket",
            prefix: "raw-",
            has_broker: false,
            is_ipc: false,
        }
    }
}

impl System for Limit {
    fn name(&self) -> &'static str {
        self.name
    }

    fn side(&self) -> Side {
        Side::Limit
    }

    fn prepare(&mut self, _: &Builder) -> Result<(), Failure> {
        Ok(())
    }

    fn has(&self, role: &str) -> bool {
        ["sub", "pub", "ping", "pong"].contains(&role)
    }

    fn broker(&self, _: Use) -> Result<Broker, Failure> {
        let place = tempfile::tempdir()?;
        let url = if self.is_ipc {
            format!("ipc://{}", place.path().join("socket").display())
        } else {
            format!("tcp://127.0.0.1:{}", free_port()?)
        };
        let child = if self.has_broker {
            let mut child = self.party("broker", &url, &[])?;
            child.ready(PATIENCE)?;
            Some(child)
        } else {
            None
        };
        Ok(Broker::at(child, url, place))
    }

    fn party(&self, role: &str, url: &str, rest: &[String]) -> Result<Child, Failure> {
        let role = format!("{}{role}", self.prefix);
        Child::start(&role, std::env::current_exe()?, words(&role, url, rest))
    }
}
