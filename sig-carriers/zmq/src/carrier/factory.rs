//! `zmq:` URLs.

use std::sync::Arc;

use sig_core::{Carrier, CarrierError, CarrierFactory, CarrierUrl};

use super::{Dialer, Listener, files};
use crate::Options;

/// Makes carriers of `zmq:tcp://HOST:PORT`, `zmq:ipc://PATH` and `zmq:inproc://NAME`.
///
/// Who may connect, and to whom, is said by options that name files, so that no secret stands in an address:
///
/// | option | listening | connecting |
/// |---|---|---|
/// | `plain=FILE` | lets in the names and passwords of the file, a `name:password` in each line | proves the only one in the file |
/// | `curve=FILE` | its own keys, as pyzmq's `zmq.auth.create_certificates` writes them | its own keys; new ones without it |
/// | `clients=FILE` | with `curve`: lets in these public keys, one in each line; everybody who knows the listener's without it | |
/// | `server=FILE` | | the public key of the listener, in a file as the other half of such a pair |
///
/// PLAIN proves a password and sends it as it is; CURVE encrypts.
#[derive(Debug, Clone)]
pub struct ZmqFactory {
    options: Options,
}

impl Default for ZmqFactory {
    fn default() -> Self {
        Self::new(Options::for_carriers())
    }
}

impl ZmqFactory {
    /// A factory of carriers with these options; begin with [`Options::for_carriers`].
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Makes a listener of its own type, which tells its endpoint.
    ///
    /// # Errors
    ///
    /// As [`listen`](CarrierFactory::listen).
    pub fn listener(&self, url: &CarrierUrl) -> Result<Listener, CarrierError> {
        let security = files::of_listener(url)?;
        let options = match security {
            Some(security) => self.options.clone().security(security),
            None => self.options.clone(),
        };
        Listener::bind_with(url.address(), options)
    }
}

impl CarrierFactory for ZmqFactory {
    fn listen(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError> {
        Ok(Arc::new(self.listener(url)?))
    }

    fn dial(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError> {
        let options = match files::of_dialer(url)? {
            Some(security) => self.options.clone().security(security),
            None => self.options.clone(),
        };
        Ok(Arc::new(Dialer::with_options(url.address(), options)?))
    }
}
