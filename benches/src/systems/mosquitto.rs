//! mosquitto, and rumqttc.

use std::path::PathBuf;

use super::{Broker, Builder, Side, System, Use, await_port, free_port, installed, words};
use crate::error::Failure;
use crate::process::Child;

#[derive(Debug, Default)]
pub(super) struct Mosquitto {
    server: PathBuf,
    party: PathBuf,
}

impl System for Mosquitto {
    fn name(&self) -> &'static str {
        "mosquitto"
    }

    fn side(&self) -> Side {
        Side::Peer
    }

    fn prepare(&mut self, builder: &Builder) -> Result<(), Failure> {
        self.server = installed("mosquitto", "mosquitto")?;
        self.party = builder.peer("sig-peer-mqtt")?;
        Ok(())
    }

    fn has(&self, role: &str) -> bool {
        ["sub", "pub", "ping", "pong"].contains(&role)
    }

    fn broker(&self, _: Use) -> Result<Broker, Failure> {
        let port = free_port()?;
        let place = tempfile::tempdir()?;
        let file = place.path().join("mosquitto.conf");
        // Without the delay of TCP, since a broker that waits for it would only show that.
        let settings = format!("listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n");
        std::fs::write(&file, settings)?;
        let mut child = Child::hold("mosquitto", &self.server, ["-c".into(), file.into_os_string()])?;
        await_port(&mut child, port)?;
        Ok(Broker::at(Some(child), format!("127.0.0.1:{port}"), place))
    }

    fn party(&self, role: &str, url: &str, rest: &[String]) -> Result<Child, Failure> {
        Child::start(&format!("mqtt {role}"), &self.party, words(role, url, rest))
    }
}
