//! Ours: `sig serve` with its defaults, and parties that are plain programs.

use std::path::PathBuf;

use serde_json::Value;

use super::{Broker, Builder, PATIENCE, Side, System, Use, words};
use crate::error::Failure;
use crate::process::Child;

#[derive(Debug, Clone, Copy)]
enum Carrier {
    Tcp,
    Ipc,
    Zmq,
}

/// Over a carrier.
#[derive(Debug)]
pub(super) struct Sig {
    name: &'static str,
    carrier: Carrier,
    sig: PathBuf,
}

impl Sig {
    pub(super) fn tcp() -> Self {
        Self {
            name: "sig-tcp",
            carrier: Carrier::Tcp,
            sig: PathBuf::new(),
        }
    }

    pub(super) fn ipc() -> Self {
        Self {
            name: "sig-ipc",
            carrier: Carrier::Ipc,
            sig: PathBuf::new(),
        }
    }

    pub(super) fn zmq() -> Self {
        Self {
            name: "sig-zmq",
            carrier: Carrier::Zmq,
            sig: PathBuf::new(),
        }
    }
}

impl System for Sig {
    fn name(&self) -> &'static str {
        self.name
    }

    fn side(&self) -> Side {
        Side::Ours
    }

    fn prepare(&mut self, builder: &Builder) -> Result<(), Failure> {
        self.sig = builder.sig()?;
        Ok(())
    }

    fn has(&self, role: &str) -> bool {
        let many = ["fan", "idle"].contains(&role);
        // Thousands of links at once are held by a program that knows bytes and nothing else.
        (many && !matches!(self.carrier, Carrier::Zmq)) || ["sub", "pub", "ping", "pong", "req", "rep"].contains(&role)
    }

    fn broker(&self, of: Use) -> Result<Broker, Failure> {
        let place = tempfile::tempdir()?;
        let address = match self.carrier {
            Carrier::Tcp => "tcp://127.0.0.1:0".to_owned(),
            Carrier::Ipc => format!("ipc://{}", place.path().join("sig.sock").display()),
            Carrier::Zmq => "zmq:tcp://127.0.0.1:0".to_owned(),
        };
        let options = match (of, self.carrier) {
            (Use::LargeEvents, Carrier::Tcp | Carrier::Ipc) => "?max_frame=128MiB",
            _ => "",
        };
        let url = address + options;
        let mut child = Child::hold("sig serve", &self.sig, ["serve", url.as_str(), "--json"])?;
        let mut listening = None;
        child.wait_for(PATIENCE, |line| {
            let said: Value = serde_json::from_str(line).ok()?;
            if let Some(url) = said["listening"]["url"].as_str() {
                listening = Some(url.to_owned());
            }
            said["ready"].as_bool().filter(|ready| *ready)
        })?;
        let url = listening.ok_or_else(|| child.failed("does not say where it listens"))?;
        let place_of = url.split('?').next().unwrap_or_default();
        Ok(Broker::at(Some(child), format!("{place_of}{options}"), place))
    }

    fn party(&self, role: &str, url: &str, rest: &[String]) -> Result<Child, Failure> {
        Child::start(
            &format!("{} {role}", self.name),
            std::env::current_exe()?,
            words(role, url, rest),
        )
    }
}

/// Inside one process: server and clients over the local carrier.
#[derive(Debug)]
pub(super) struct Local;

impl System for Local {
    fn name(&self) -> &'static str {
        "sig-local"
    }

    fn side(&self) -> Side {
        Side::Ours
    }

    fn prepare(&mut self, _: &Builder) -> Result<(), Failure> {
        Ok(())
    }

    fn has(&self, role: &str) -> bool {
        ["sub", "pub", "ping", "pong", "req", "rep"].contains(&role)
    }

    fn broker(&self, _: Use) -> Result<Broker, Failure> {
        Ok(Broker {
            child: None,
            url: "local".to_owned(),
            _place: None,
        })
    }

    fn party(&self, role: &str, url: &str, rest: &[String]) -> Result<Child, Failure> {
        let role = format!("local-{role}");
        Child::start(&role, std::env::current_exe()?, words(&role, url, rest))
    }

    fn is_one_process(&self) -> bool {
        true
    }
}
