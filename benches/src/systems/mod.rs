//! What is measured: brokers and the programs that talk to them.

mod build;
mod limits;
mod mosquitto;
mod nats;
mod pysig;
mod sig;
mod zenoh;
mod zmq;

use std::ffi::OsString;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use build::Builder;
use tempfile::TempDir;

use crate::error::Failure;
use crate::process::Child;

/// How long a broker may take to come up, and a party to be ready.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a system is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Peer,
    /// Something in the middle that is no router: a row beside others of its kind.
    Middle,
    Limit,
}

/// What the parties do with the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Events,
    /// Of more than 16 MiB, which some brokers take only when told to.
    LargeEvents,
    Requests,
}

/// Something to measure.
pub(crate) trait System {
    /// Its name, in tables and files.
    fn name(&self) -> &'static str;

    /// What it is to us.
    fn side(&self) -> Side;

    /// Looks for what it needs, and builds what it can; says what is missing and how to get it.
    fn prepare(&mut self, builder: &Builder) -> Result<(), Failure>;

    /// Whether it has this role.
    fn has(&self, role: &str) -> bool;

    /// Starts its broker.
    fn broker(&self, of: Use) -> Result<Broker, Failure>;

    /// Starts a party.
    fn party(&self, role: &str, url: &str, words: &[String]) -> Result<Child, Failure>;

    /// What this system runs as one process for all, instead of a broker and parties.
    fn is_one_process(&self) -> bool {
        false
    }
}

/// A running broker, or only the place where the parties meet.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) child: Option<Child>,
    pub(crate) url: String,
    /// Sockets and settings.
    _place: Option<TempDir>,
}

impl Broker {
    fn new(child: Child, url: String) -> Self {
        Self {
            child: Some(child),
            url,
            _place: None,
        }
    }

    fn at(child: Option<Child>, url: String, place: TempDir) -> Self {
        Self {
            child,
            url,
            _place: Some(place),
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }
}

/// All of them, in the order of the tables.
pub(crate) fn all() -> Vec<Box<dyn System>> {
    let mut all: Vec<Box<dyn System>> = vec![
        Box::new(sig::Sig::tcp()),
        Box::new(sig::Sig::ipc()),
        Box::new(sig::Sig::zmq()),
        Box::new(sig::Local),
        Box::new(nats::Nats::default()),
        Box::new(zmq::Zmq::libzmq()),
        Box::new(zenoh::Zenoh::default()),
        Box::new(mosquitto::Mosquitto::default()),
        Box::new(pysig::Pysig::default()),
        Box::new(limits::Limit::ideal()),
        Box::new(limits::Limit::raw()),
        Box::new(limits::Limit::ideal_ipc()),
    ];
    all.extend(zmq::Zmq::others().map(|one| Box::new(one) as Box<dyn System>));
    all
}

/// A port that nobody has at the moment.
fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until somebody listens there.
fn await_port(broker: &mut Child, port: u16) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > until || !broker.runs() {
            return Err(broker.failed("does not listen"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The words of a party: role, URL, and the rest.
fn words(role: &str, url: &str, rest: &[String]) -> Vec<OsString> {
    let rest = rest.iter().map(OsString::from);
    [role.into(), url.into(), "--held".into()]
        .into_iter()
        .chain(rest)
        .collect()
}

/// Where a program is, by the search path and where systems put servers.
fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(Into::into);
    std::env::split_paths(&path)
        .chain(more)
        .map(|folder| folder.join(name))
        .find(|file| Path::is_file(file))
}

/// The program, or how to install it.
fn installed(name: &str, package: &str) -> Result<std::path::PathBuf, Failure> {
    program(name).ok_or_else(|| Failure::new(format!("{name} is not installed: apt-get install {package}")))
}
