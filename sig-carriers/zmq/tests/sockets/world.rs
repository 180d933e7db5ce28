//! What the tests share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sig_carrier_zmq::{Error, Kind, Library, Message, Options, Socket};
use tempfile::TempDir;

/// Longer than anything takes that works.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What a test runs with: the libraries at the two ends, and a way between them.
#[derive(Debug)]
pub(crate) struct World {
    /// Of the sockets that bind.
    pub(crate) bound: Library,
    /// Of the sockets that connect.
    pub(crate) connected: Library,
    transport: &'static str,
    folder: TempDir,
}

/// The libraries of this build.
pub(crate) const LIBRARIES: &[Library] = if cfg!(all(unix, feature = "libzmq")) {
    &[Library::Omq, Library::Libzmq]
} else {
    &[Library::Omq]
};

static COUNT: AtomicU32 = AtomicU32::new(0);

impl World {
    /// Every pair of libraries over each of these transports; over `inproc` only a library with itself.
    pub(crate) fn all(transports: &[&'static str]) -> Vec<Self> {
        let mut worlds = Vec::new();
        for &transport in transports {
            for &bound in LIBRARIES {
                for &connected in LIBRARIES {
                    if transport != "inproc" || bound == connected {
                        let folder = tempfile::tempdir().expect("a folder");
                        worlds.push(Self {
                            bound,
                            connected,
                            transport,
                            folder,
                        });
                    }
                }
            }
        }
        worlds
    }

    /// A new endpoint to bind.
    pub(crate) fn endpoint(&self) -> String {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        match self.transport {
            "tcp" => "tcp://127.0.0.1:*".into(),
            "ipc" => format!("ipc://{}/{number}", self.folder.path().display()),
            _ => format!("inproc://test-{number}"),
        }
    }

    /// A socket of the side that binds.
    pub(crate) fn here(&self, kind: Kind) -> Socket {
        open(kind, self.bound)
    }

    /// A socket of the side that connects.
    pub(crate) fn there(&self, kind: Kind) -> Socket {
        open(kind, self.connected)
    }

    /// Both, connected.
    pub(crate) async fn pair(&self, here: Kind, there: Kind) -> (Socket, Socket) {
        let (here, there) = (self.here(here), self.there(there));
        let endpoint = bind(&here, &self.endpoint()).await;
        there.connect(endpoint).await.unwrap();
        (here, there)
    }
}

pub(crate) fn open(kind: Kind, library: Library) -> Socket {
    Socket::open(kind, options().library(library)).unwrap_or_else(|error| panic!("{kind} of {library:?}: {error}"))
}

pub(crate) fn options() -> Options {
    Options::default().receive_timeout(SOON).send_timeout(SOON)
}

pub(crate) async fn bind(socket: &Socket, endpoint: &str) -> String {
    socket.bind(endpoint).await.unwrap();
    socket.bound().expect("it is bound")
}

/// Sends again and again until it arrives: nobody tells a PUB or a RADIO when somebody listens.
pub(crate) async fn until_heard(from: &Socket, message: impl Into<Message>, to: &Socket) -> Message {
    let message = message.into();
    for _ in 0..2000 {
        from.send(message.clone()).await.unwrap();
        match to.recv_within(Duration::from_millis(10)).await {
            Ok(heard) => return heard,
            Err(Error::Timeout { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("{message:?} did not arrive from {from:?} at {to:?}");
}

/// Whatever else is there by the time that `last` arrives, which comes after it.
pub(crate) async fn drained(socket: &Socket, last: &Message) -> Vec<Message> {
    let mut before = Vec::new();
    loop {
        let message = socket.recv().await.unwrap();
        if message == *last {
            return before;
        }
        before.push(message);
    }
}
