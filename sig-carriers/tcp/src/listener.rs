//! The listening side.

use std::io;
use std::mem;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sig_core::{CarrierError, Halves, Link, Medium, Profile};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::{HEARTBEAT, Options, address};

/// How long a peer on another host may stay silent before its first byte.
const PATIENCE: Duration = Duration::from_secs(60);

/// Accepts TCP connections.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    options: Options,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Bound, but no runtime has seen it yet.
    Bound(std::net::TcpListener),
    Listening(Arc<TcpListener>),
    Closed,
}

impl Listener {
    /// Binds `HOST:PORT`, with the default options. Port 0 takes any free port. Of a host with several addresses the
    /// first that can be bound is taken.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] when the text is not an address, [`CarrierError::Listen`] when it cannot be bound.
    pub fn bind(address: &str) -> Result<Self, CarrierError> {
        Self::bind_with(address, Options::default())
    }

    /// Binds `HOST:PORT` with these options.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_with(address: &str, options: Options) -> Result<Self, CarrierError> {
        address::check(address)?;
        let bound = address
            .to_socket_addrs()
            .and_then(|addresses| first_bound(addresses, &options));
        let error = |source| CarrierError::Listen {
            address: address.to_owned(),
            source,
        };
        let socket = bound.map_err(error)?;
        Ok(Self {
            address: socket.local_addr().map_err(error)?,
            options,
            state: Mutex::new(State::Bound(socket)),
        })
    }

    /// The address that is bound, with the port that was found for port 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The listening socket; bound again if the carrier was stopped in between.
    fn socket(&self) -> io::Result<Arc<TcpListener>> {
        let mut state = self.state();
        let socket = match mem::replace(&mut *state, State::Closed) {
            State::Listening(socket) => socket,
            State::Bound(socket) => Arc::new(TcpListener::from_std(socket)?),
            State::Closed => Arc::new(TcpListener::from_std(bind(self.address, &self.options)?)?),
        };
        *state = State::Listening(Arc::clone(&socket));
        Ok(socket)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Medium for Listener {
    const NAME: &'static str = "tcp";
    type Io = TcpStream;

    async fn next(&self) -> Result<Link<TcpStream>, CarrierError> {
        let socket = self.socket().map_err(|source| CarrierError::Listen {
            address: self.address.to_string(),
            source,
        })?;
        let (stream, peer) = socket.accept().await?;
        self.options.apply(&stream);
        let patience = (!peer.ip().to_canonical().is_loopback()).then_some(PATIENCE);
        Ok(Link::new(stream, peer.to_string()).with_patience(patience))
    }

    fn split(io: TcpStream) -> Halves {
        let (incoming, outgoing) = io.into_split();
        Halves::new(incoming, outgoing)
    }

    fn profile(&self) -> Profile {
        Profile::default().with_heartbeat(HEARTBEAT)
    }

    fn close(&self) {
        *self.state() = State::Closed;
    }
}

fn first_bound(addresses: impl Iterator<Item = SocketAddr>, options: &Options) -> io::Result<std::net::TcpListener> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match bind(address, options) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn bind(address: SocketAddr, options: &Options) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows it would let two programs share the port, and a restart binds without it.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        // "Every address" means IPv4 as well; where the system cannot, IPv6 alone is better than nothing.
        let _ = socket.set_only_v6(false);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    Ok(socket.into())
}
