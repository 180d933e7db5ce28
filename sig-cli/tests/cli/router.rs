//! A running `sig serve` for tests.

use serde_json::Value;

use crate::harness::{Running, Sandbox};

/// A router on a free port and a local socket.
pub(crate) struct Router {
    pub(crate) process: Running,
    /// Where it listens: TCP first, then the local socket where there are any.
    pub(crate) urls: Vec<String>,
}

impl Router {
    pub(crate) fn start(sandbox: &Sandbox, options: &[&str]) -> Self {
        let socket = sandbox.socket();
        let mut urls = vec!["tcp://127.0.0.1:0"];
        if cfg!(unix) {
            urls.push(&socket);
        }
        Self::start_at(sandbox, &urls, options)
    }

    pub(crate) fn start_at(sandbox: &Sandbox, urls: &[&str], options: &[&str]) -> Self {
        let mut process = sandbox.start(&[&["serve", "--json"], urls, options].concat());
        let mut found = Vec::new();
        for _ in urls {
            let line: Value = serde_json::from_str(&process.line("listening")).unwrap();
            found.push(line["listening"]["url"].as_str().unwrap().to_owned());
        }
        process.line("ready");
        Self { process, urls: found }
    }

    pub(crate) fn tcp(&self) -> &str {
        &self.urls[0]
    }
}
