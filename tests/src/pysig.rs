//! The real pysig 0.7.3, found or fetched, and run as a process that tests can script.
//!
//! `pysig/README.md` in this package says what is provisioned and lists the commands of a [`Peer`].
//!
//! ```no_run
//! use serde_json::json;
//! use sig_tests::pysig::Pysig;
//!
//! # async fn test() {
//! for pysig in Pysig::all() {
//!     let server = pysig.spawn().await;
//!     let port = server.ok("start_server", json!({})).await["port"].clone();
//!     let client = pysig.spawn().await;
//!     client.ok("connect", json!({ "port": port })).await;
//!     client.ok("add_remote_listener", json!({ "id": "all", "sender": null, "event": null })).await;
//!     server.ok("add_sender", json!({ "name": "timer", "events": ["tick"] })).await;
//!     client.heard("all").await; // its #connect
//!     server.ok("trigger", json!({ "sender": "timer", "event": "tick", "data": 1 })).await;
//!     assert_eq!(client.heard("all").await.data, 1);
//! }
//! # }
//! ```

mod lines;
mod peer;

use std::path::PathBuf;
use std::sync::OnceLock;

pub use peer::{Heard, Peer, Pending, Raised};

use crate::python;

/// What its scripts and settings are called after.
const NAME: &str = "pysig";

/// Which pysig: the untouched one, or the one translated to Python 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// The package as published, under Python 2.7.
    Py2,
    /// The package translated to Python 3.
    Py3,
}

/// A pysig that runs on this machine.
#[derive(Debug, Clone)]
pub struct Pysig {
    python: PathBuf,
    pythonpath: PathBuf,
    flavour: Flavour,
}

impl Pysig {
    /// The most genuine pysig that runs here, or `None` when the test that asks must return without testing anything.
    ///
    /// A `None` is reported on stderr together with the reason.
    ///
    /// # Panics
    ///
    /// Instead of returning `None` when `SIG_REQUIRE_PYSIG=1` is set.
    #[must_use]
    pub fn available() -> Option<Self> {
        Self::all().into_iter().next()
    }

    /// Every flavour that runs here, the untouched one first. Empty means skip, reported as by [`available`](Self::available).
    ///
    /// # Panics
    ///
    /// Instead of returning nothing when `SIG_REQUIRE_PYSIG=1` is set.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let found: Vec<_> = [Flavour::Py2, Flavour::Py3]
            .into_iter()
            .filter_map(Self::with)
            .collect();
        if found.is_empty() {
            let why = match provisioned(Flavour::Py3) {
                Err(why) => why.as_str(),
                Ok(_) => "no flavour was found",
            };
            python::skip(NAME, why);
        }
        found
    }

    /// This flavour, when it runs here. Reports nothing.
    #[must_use]
    pub fn with(flavour: Flavour) -> Option<Self> {
        provisioned(flavour).as_ref().ok().cloned()
    }

    /// Which one it is.
    #[must_use]
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// Starts a process with a pysig of its own. It is killed when the [`Peer`] is dropped.
    ///
    /// # Panics
    ///
    /// When the process does not start or does not say that it is ready.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the process is killed when the future is dropped.
    pub async fn spawn(&self) -> Peer {
        Peer::spawn(&self.python, &self.pythonpath).await
    }
}

/// What provisioning answered in this process: asked once per flavour, since every test asks.
fn provisioned(flavour: Flavour) -> &'static Result<Pysig, String> {
    static PY2: OnceLock<Result<Pysig, String>> = OnceLock::new();
    static PY3: OnceLock<Result<Pysig, String>> = OnceLock::new();
    match flavour {
        Flavour::Py2 => PY2.get_or_init(|| provision(flavour)),
        Flavour::Py3 => PY3.get_or_init(|| provision(flavour)),
    }
}

fn provision(flavour: Flavour) -> Result<Pysig, String> {
    let name = if flavour == Flavour::Py2 { "py2" } else { "py3" };
    let answer = python::provision(NAME, &["--flavour", name])?;
    Ok(Pysig {
        python: python::path(&answer, "python")?,
        pythonpath: python::path(&answer, "pythonpath")?,
        flavour,
    })
}
