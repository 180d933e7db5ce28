//! Platforms without Unix sockets: the same names, and an error that says what to do.

use std::path::Path;

use sig_core::{CarrierError, Link, Medium};
use tokio::io::DuplexStream;

/// Accepts connections at a local socket. There is none on this platform.
#[derive(Debug)]
pub enum Listener {}

/// Opens connections to a local socket. There is none on this platform.
#[derive(Debug)]
pub enum Dialer {}

impl Listener {
    /// Fails.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Unsupported`], always.
    pub fn bind(name: &str) -> Result<Self, CarrierError> {
        Err(unsupported(name))
    }

    /// The path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        match *self {}
    }
}

impl Dialer {
    /// Fails.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Unsupported`], always.
    pub fn new(name: &str) -> Result<Self, CarrierError> {
        Err(unsupported(name))
    }
}

impl Medium for Listener {
    const NAME: &'static str = "ipc";
    type Io = DuplexStream;

    async fn next(&self) -> Result<Link<DuplexStream>, CarrierError> {
        match *self {}
    }
}

impl Medium for Dialer {
    const NAME: &'static str = "ipc";
    type Io = DuplexStream;

    async fn next(&self) -> Result<Link<DuplexStream>, CarrierError> {
        match *self {}
    }
}

fn unsupported(name: &str) -> CarrierError {
    CarrierError::Unsupported(format!(
        "ipc://{name}: this platform has no local sockets; use tcp, such as tcp://127.0.0.1:3000"
    ))
}
