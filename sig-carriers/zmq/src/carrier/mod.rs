//! The carrier: ROUTER at the server, DEALER at the client.

mod dialer;
mod endpoint;
mod factory;
mod files;
mod foreign;
mod link;
mod listener;
mod peers;
mod spoken;

use std::time::Duration;

use sig_core::{CarrierError, Profile};

pub use dialer::Dialer;
pub use factory::ZmqFactory;
pub use listener::Listener;

use crate::{Error, Heartbeat, Options};

/// After how much silence a sign of life goes out: one of the router to peers of ours, one of ZeroMQ to all.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a link that ends may take to say goodbye: to finish what is being sent, and to let the peer read it.
const GOODBYE: Duration = Duration::from_millis(500);

/// What a message may have beyond the largest frame: its length, and what the library counts for each part.
const FRAMING: usize = 1024;

impl Options {
    /// What [`Listener`] and [`Dialer`] set unless told otherwise.
    ///
    /// - A ping after 15 s of silence, and a peer without a sign of life for two and a half times that is gone: a ROUTER is
    ///   told of peers whose machine or network vanished in no other way.
    /// - Up to 16 MiB for a message, which is a router's largest frame.
    /// - 256 messages wait for one peer, and no more than a megabyte of messages above 1 KiB; 256 wait to be received, in
    ///   front of a task that never waits.
    /// - A thousand peers may knock at once, so that none of a crowd that starts together is turned away.
    /// - Closing takes half a second for what is left.
    #[must_use]
    pub fn for_carriers() -> Self {
        Self::default()
            .heartbeat(Heartbeat::every(HEARTBEAT))
            .max_message(sig_core::DEFAULT_MAX_FRAME + FRAMING)
            .send_high_water(256)
            .receive_high_water(256)
            .max_pending_handshakes(1024)
            .linger(GOODBYE)
    }

    /// What a router should know.
    fn profile(&self) -> Profile {
        let max_frame = self.max_message.saturating_sub(FRAMING);
        Profile::default()
            .with_heartbeat(HEARTBEAT)
            .with_max_frame(max_frame.min(sig_core::DEFAULT_MAX_FRAME))
    }
}

/// A carrier that listens at an endpoint such as `tcp://127.0.0.1:5555`, `ipc:///run/lab/router` or `inproc://router`, with
/// [`Options::for_carriers`].
///
/// # Errors
///
/// As [`Listener::bind`].
pub fn listen(endpoint: &str) -> Result<Listener, CarrierError> {
    Listener::bind(endpoint)
}

/// A carrier that connects to an endpoint, with [`Options::for_carriers`].
///
/// # Errors
///
/// As [`Dialer::new`].
pub fn dial(endpoint: &str) -> Result<Dialer, CarrierError> {
    Dialer::new(endpoint)
}

/// An error of a socket as one of a carrier.
fn carrier_error(error: Error) -> CarrierError {
    match error {
        Error::Endpoint { endpoint, reason } => CarrierError::Address {
            address: format!("zmq:{endpoint}"),
            why: reason,
        },
        Error::Io {
            action: "bind",
            endpoint,
            source,
        } => CarrierError::Listen {
            address: format!("zmq:{endpoint}"),
            source,
        },
        Error::Io { endpoint, source, .. } => CarrierError::Connect {
            address: format!("zmq:{endpoint}"),
            source,
        },
        other => CarrierError::Other(other.to_string()),
    }
}
