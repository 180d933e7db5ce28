//! ZeroMQ with something in the middle: libzmq's proxies or our forwarder, with clients on libzmq or on ours.

use std::path::PathBuf;

use super::{Broker, Builder, PATIENCE, Side, System, Use, free_port, words};
use crate::error::Failure;
use crate::process::Child;

/// Whose sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Make {
    Libzmq,
    Ours,
}

#[derive(Debug)]
pub(super) struct Zmq {
    name: &'static str,
    middle: Make,
    clients: Make,
    party: PathBuf,
}

impl Zmq {
    /// libzmq alone.
    pub(super) fn libzmq() -> Self {
        Self::of("zmq", Make::Libzmq, Make::Libzmq)
    }

    /// The other three: our forwarder with the same clients, and both with clients of ours.
    pub(super) fn others() -> [Self; 3] {
        [
            Self::of("forward", Make::Ours, Make::Libzmq),
            Self::of("zmq-omq", Make::Libzmq, Make::Ours),
            Self::of("forward-omq", Make::Ours, Make::Ours),
        ]
    }

    fn of(name: &'static str, middle: Make, clients: Make) -> Self {
        Self {
            name,
            middle,
            clients,
            party: PathBuf::new(),
        }
    }

    fn start(&self, make: Make, role: &str, url: &str, rest: &[String]) -> Result<Child, Failure> {
        let (program, role) = match make {
            Make::Libzmq => (self.party.clone(), role.to_owned()),
            Make::Ours => (std::env::current_exe()?, format!("omq-{role}")),
        };
        Child::start(&format!("{} {role}", self.name), program, words(&role, url, rest))
    }
}

impl System for Zmq {
    fn name(&self) -> &'static str {
        self.name
    }

    fn side(&self) -> Side {
        match (self.middle, self.clients) {
            (Make::Libzmq, Make::Libzmq) => Side::Peer,
            // Neither is a router, so neither is what ours is beside.
            _ => Side::Middle,
        }
    }

    fn prepare(&mut self, builder: &Builder) -> Result<(), Failure> {
        if (self.middle, self.clients) == (Make::Ours, Make::Ours) {
            return Ok(());
        }
        self.party = builder.peer("sig-peer-zmq").map_err(|error| {
            Failure::new(format!(
                "{error}; it needs libzmq's headers: apt-get install libzmq3-dev pkg-config"
            ))
        })?;
        Ok(())
    }

    fn has(&self, role: &str) -> bool {
        ["sub", "pub", "ping", "pong", "req", "rep"].contains(&role)
    }

    fn broker(&self, of: Use) -> Result<Broker, Failure> {
        let url = format!("tcp://127.0.0.1:{},tcp://127.0.0.1:{}", free_port()?, free_port()?);
        let role = match of {
            Use::Events | Use::LargeEvents => "broker",
            Use::Requests => "request-broker",
        };
        let mut child = self.start(self.middle, role, &url, &[])?;
        child.ready(PATIENCE)?;
        Ok(Broker::new(child, url))
    }

    fn party(&self, role: &str, url: &str, rest: &[String]) -> Result<Child, Failure> {
        self.start(self.clients, role, url, rest)
    }
}
