//! A zenoh router.

use std::path::PathBuf;

use super::{Broker, Builder, PATIENCE, Side, System, Use, free_port, words};
use crate::error::Failure;
use crate::process::Child;

#[derive(Debug, Default)]
pub(super) struct Zenoh {
    party: PathBuf,
}

impl System for Zenoh {
    fn name(&self) -> &'static str {
        "zenoh"
    }

    fn side(&self) -> Side {
        Side::Peer
    }

    fn prepare(&mut self, builder: &Builder) -> Result<(), Failure> {
        self.party = builder.peer("sig-peer-zenoh")?;
        Ok(())
    }

    fn has(&self, role: &str) -> bool {
        ["sub", "pub", "ping", "pong", "req", "rep"].contains(&role)
    }

    fn broker(&self, _: Use) -> Result<Broker, Failure> {
        let url = format!("tcp/127.0.0.1:{}", free_port()?);
        let mut child = self.party("broker", &url, &[])?;
        child.ready(PATIENCE)?;
        Ok(Broker::new(child, url))
    }

    fn party(&self, role: &str, url: &str, rest: &[String]) -> Result<Child, Failure> {
        Child::start(&format!("zenoh {role}"), &self.party, words(role, url, rest))
    }
}
