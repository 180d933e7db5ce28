//! The listening side.

use std::mem;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sig_core::{CarrierError, Halves, Link, Medium};
use tokio::net::{UnixListener, UnixStream};

use super::place::{Base, Place};
use super::socket::{self, SocketFile};

/// Accepts connections at a local socket.
#[derive(Debug)]
pub struct Listener {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Bound, but no runtime has seen it yet.
    Bound(StdListener, SocketFile),
    Listening(Arc<UnixListener>, SocketFile),
    Closed,
}

impl Listener {
    /// Binds a socket, given as a name in the well-known directory or as a path. The empty name is
    /// [`DEFAULT_NAME`](crate::DEFAULT_NAME).
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] when there can be no such socket, [`CarrierError::Listen`] when it cannot be bound.
    pub fn bind(name: &str) -> Result<Self, CarrierError> {
        let path = Place::parse(name)?.to_listen(&Base::of_this_process())?;
        let (socket, file) = socket::bind(&path)?;
        Ok(Self {
            path,
            state: Mutex::new(State::Bound(socket, file)),
        })
    }

    /// The path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The listening socket; bound again if the carrier was stopped in between.
    fn socket(&self) -> Result<Arc<UnixListener>, CarrierError> {
        let mut state = self.state();
        let (socket, file) = match mem::replace(&mut *state, State::Closed) {
            State::Listening(socket, file) => (socket, file),
            State::Bound(socket, file) => (Arc::new(UnixListener::from_std(socket)?), file),
            State::Closed => {
                let (socket, file) = socket::bind(&self.path)?;
                (Arc::new(UnixListener::from_std(socket)?), file)
            }
        };
        *state = State::Listening(Arc::clone(&socket), file);
        Ok(socket)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Medium for Listener {
    const NAME: &'static str = "ipc";
    type Io = UnixStream;

    async fn next(&self) -> Result<Link<UnixStream>, CarrierError> {
        let (stream, _) = self.socket()?.accept().await?;
        super::widen(&stream);
        let credentials = super::credentials(&stream);
        let address = match credentials.and_then(|peer| peer.pid) {
            Some(pid) => format!("{} (process {pid})", self.path.display()),
            None => self.path.display().to_string(),
        };
        Ok(Link::new(stream, address).with_credentials(credentials))
    }

    fn split(io: UnixStream) -> Halves {
        super::halves::halves(io)
    }

    fn close(&self) {
        *self.state() = State::Closed;
    }
}
