//! libzmq's proxies.

use std::path::PathBuf;

use super::{Broker, Builder, PATIENCE, Side, System, Use, free_port, words};
use crate::error::Failure;
use crate::process::Child;

#[derive(Debug, Default)]
pub(super) struct Zmq {
    party: PathBuf,
}

impl System for Zmq {
    fn name(&self) -> &'static str {
        "zmq"
    }

    fn side(&self) -> Side {
        Side::Peer
    }

    fn prepare(&mut self, builder: &Builder) -> Result<(), Failure> {
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
            Use::Events => "broker",
            Use::Requests => "request-broker",
        };
        let mut child = self.party(role, &url, &[])?;
        child.ready(PATIENCE)?;
        Ok(Broker::new(child, url))
    }

    fn party(&self, role: &str, url: &str, rest: &[String]) -> Result<Child, Failure> {
        Child::start(&format!("zmq {role}"), &self.party, words(role, url, rest))
    }
}
