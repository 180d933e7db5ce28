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

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

pub use peer::{Heard, Peer, Pending, Raised};

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
            assert!(!required(), "SIG_REQUIRE_PYSIG=1 is set, but there is no pysig: {why}");
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("a test");
            // Not eprintln!: the test harness would keep that to itself, and a skip that nobody sees looks like a pass.
            let _ = std::io::stderr().write_all(format!("skipped {test}: {why}\n").as_bytes());
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
    let python = python3()?;
    let mut command = Command::new(&python);
    command.arg(scripts().join("provision.py")).arg("--dir").arg(kept_in());
    command.args(["--flavour", if flavour == Flavour::Py2 { "py2" } else { "py3" }]);
    if required() {
        command.arg("--retry");
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{python}: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("provision.py: {error}"))?;
    let path = |field: &str| {
        answer[field]
            .as_str()
            .map(PathBuf::from)
            .ok_or_else(|| format!("provision.py: no {field} in {answer}"))
    };
    Ok(Pysig {
        python: path("python")?,
        pythonpath: path("pythonpath")?,
        flavour,
    })
}

fn required() -> bool {
    std::env::var_os("SIG_REQUIRE_PYSIG").is_some_and(|value| value == "1")
}

fn python3() -> Result<String, String> {
    let candidates = match std::env::var("SIG_PYTHON") {
        Ok(python) => vec![python],
        Err(_) => vec!["python3".to_owned(), "python".to_owned()],
    };
    let is_3 = |python: &String| {
        let version = Command::new(python).arg("--version").stdin(Stdio::null()).output();
        version.is_ok_and(|output| output.status.success() && output.stdout.starts_with(b"Python 3"))
    };
    let tried = candidates.join(", ");
    candidates
        .into_iter()
        .find(is_3)
        .ok_or_else(|| format!("no Python 3 found (tried {tried}; SIG_PYTHON names another)"))
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pysig")
}

/// In the target directory, wherever that is: a test program lies in its `PROFILE/deps`.
fn kept_in() -> PathBuf {
    if let Some(dir) = std::env::var_os("SIG_PYSIG_DIR") {
        return dir.into();
    }
    let program = std::env::current_exe().unwrap_or_default();
    let deps = program.ancestors().find(|dir| dir.ends_with("deps"));
    let target = deps.and_then(Path::parent).and_then(Path::parent);
    target
        .map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
            Path::to_owned,
        )
        .join("pysig")
}
