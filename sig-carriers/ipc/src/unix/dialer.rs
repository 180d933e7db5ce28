//! The dialling side.

use std::io;
use std::path::PathBuf;

use sig_core::{CarrierError, Halves, Link, Medium, Profile};
use tokio::net::UnixStream;

use super::place::{Base, Place};

/// Opens connections to a local socket.
#[derive(Debug)]
pub struct Dialer {
    place: Place,
}

impl Dialer {
    /// For a socket, given as a name in the well-known directory or as a path. The empty name is
    /// [`DEFAULT_NAME`](crate::DEFAULT_NAME).
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] when there can be no such socket.
    pub fn new(name: &str) -> Result<Self, CarrierError> {
        Ok(Self {
            place: Place::parse(name)?,
        })
    }
}

impl Medium for Dialer {
    const NAME: &'static str = "ipc";
    type Io = UnixStream;

    async fn next(&self) -> Result<Link<UnixStream>, CarrierError> {
        let base = Base::of_this_process();
        let mut failed: Option<(PathBuf, io::Error)> = None;
        for path in self.place.to_dial(&base)? {
            match UnixStream::connect(&path).await {
                Ok(stream) => {
                    super::widen(&stream);
                    let credentials = super::credentials(&stream);
                    return Ok(Link::new(stream, path.display().to_string()).with_credentials(credentials));
                }
                // The first place is the preferred one, so its error says most.
                Err(error) => failed = failed.or(Some((path, error))),
            }
        }
        let (path, source) = failed.unwrap_or_else(|| (self.place.shown(&base), io::ErrorKind::NotFound.into()));
        Err(CarrierError::Connect {
            address: format!("ipc://{}", path.display()),
            source,
        })
    }

    fn split(io: UnixStream) -> Halves {
        super::halves::halves(io)
    }

    fn profile(&self) -> Profile {
        Profile::default().dialling(true)
    }
}
