//! The real pysig: a server, and clients in Python.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{Broker, Builder, PATIENCE, Side, System, Use, free_port, program, words};
use crate::error::Failure;
use crate::process::Child;

#[derive(Debug, Default)]
pub(super) struct Pysig {
    python: PathBuf,
    script: PathBuf,
    package: String,
}

impl System for Pysig {
    fn name(&self) -> &'static str {
        "pysig"
    }

    fn side(&self) -> Side {
        Side::Peer
    }

    fn prepare(&mut self, builder: &Builder) -> Result<(), Failure> {
        let python = program("python3")
            .ok_or_else(|| Failure::new("python3 is not installed: apt-get install python3 python3-pip"))?;
        let provided = Command::new(&python)
            .arg(builder.source("../../tests/pysig/provision.py"))
            .arg("--dir")
            .arg(builder.kept("pysig"))
            .args(["--flavour", "py3"])
            .output()?;
        if !provided.status.success() {
            let errors = String::from_utf8_lossy(&provided.stderr);
            return Err(Failure::new(format!("pysig cannot be had: {}", errors.trim())));
        }
        let told: Value = serde_json::from_slice(&provided.stdout)?;
        self.package = told["pythonpath"].as_str().unwrap_or_default().to_owned();
        self.script = builder.source("pysig/party.py");
        self.python = python;
        Ok(())
    }

    fn has(&self, role: &str) -> bool {
        ["sub", "pub", "req", "rep"].contains(&role)
    }

    fn broker(&self, _: Use) -> Result<Broker, Failure> {
        let url = format!("127.0.0.1:{}", free_port()?);
        let mut child = self.party("broker", &url, &[])?;
        child.ready(PATIENCE)?;
        Ok(Broker::new(child, url))
    }

    fn party(&self, role: &str, url: &str, rest: &[String]) -> Result<Child, Failure> {
        let mut all = vec![self.script.clone().into_os_string(), self.package.clone().into()];
        all.extend(words(role, url, rest));
        Child::start(&format!("pysig {role}"), &self.python, all)
    }
}
