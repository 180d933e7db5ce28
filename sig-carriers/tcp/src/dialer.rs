//! The dialling side.

use std::io;

use sig_core::{CarrierError, Halves, Link, Medium, Profile};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::{HEARTBEAT, Options, address};

/// Opens TCP connections to one address.
#[derive(Debug)]
pub struct Dialer {
    address: String,
    options: Options,
}

impl Dialer {
    /// For `HOST:PORT`, with the default options. The host is looked up at each connection; its addresses are tried
    /// in turn.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] when the text is not an address.
    pub fn new(address: &str) -> Result<Self, CarrierError> {
        Self::with_options(address, Options::default())
    }

    /// For `HOST:PORT`, with these options.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_options(address: &str, options: Options) -> Result<Self, CarrierError> {
        address::check(address)?;
        Ok(Self {
            address: address.to_owned(),
            options,
        })
    }

    async fn connect(&self) -> io::Result<Link<TcpStream>> {
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in lookup_host(&self.address).await? {
            match timeout(self.options.connect_timeout, TcpStream::connect(address)).await {
                // A port that nobody listens at may be given to this very socket, which then talks to itself.
                Ok(Ok(stream)) if stream.local_addr()? == address => failed = io::ErrorKind::ConnectionRefused.into(),
                Ok(Ok(stream)) => {
                    self.options.apply(&stream);
                    return Ok(Link::new(stream, address.to_string()));
                }
                Ok(Err(error)) => failed = error,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failed)
    }
}

impl Medium for Dialer {
    const NAME: &'static str = "tcp";
    type Io = TcpStream;

    async fn next(&self) -> Result<Link<TcpStream>, CarrierError> {
        self.connect().await.map_err(|source| CarrierError::Connect {
            address: self.address.clone(),
            source,
        })
    }

    fn split(io: TcpStream) -> Halves {
        let (incoming, outgoing) = io.into_split();
        Halves::new(incoming, outgoing)
    }

    fn profile(&self) -> Profile {
        Profile::default().dialling(true).with_heartbeat(HEARTBEAT)
    }
}
