//! nats-server with its defaults, and async-nats.

use std::path::PathBuf;

use super::{Broker, Builder, Side, System, Use, await_port, free_port, installed, words};
use crate::error::Failure;
use crate::process::Child;

#[derive(Debug, Default)]
pub(super) struct Nats {
    server: PathBuf,
    party: PathBuf,
}

impl System for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn side(&self) -> Side {
        Side::Peer
    }

    fn prepare(&mut self, builder: &Builder) -> Result<(), Failure> {
        self.server = installed("nats-server", "nats-server")?;
        self.party = builder.peer("sig-peer-nats")?;
        Ok(())
    }

    fn has(&self, role: &str) -> bool {
        ["sub", "pub", "ping", "pong", "req", "rep", "fan", "idle"].contains(&role)
    }

    fn broker(&self, _: Use) -> Result<Broker, Failure> {
        let port = free_port()?;
        let mut child = Child::hold(
            "nats-server",
            &self.server,
            ["-a", "127.0.0.1", "-p", &port.to_string()],
        )?;
        await_port(&mut child, port)?;
        Ok(Broker::new(child, format!("nats://127.0.0.1:{port}")))
    }

    fn party(&self, role: &str, url: &str, rest: &[String]) -> Result<Child, Failure> {
        // Many raw connections in one process are ours, for both.
        let program = if matches!(role, "fan" | "idle") {
            std::env::current_exe()?
        } else {
            self.party.clone()
        };
        Child::start(&format!("nats {role}"), program, words(role, url, rest))
    }
}
