#![doc = include_str!("../README.md")]

mod factory;
#[cfg(not(unix))]
#[path = "elsewhere.rs"]
mod sockets;
#[cfg(unix)]
#[path = "unix/mod.rs"]
mod sockets;

pub use factory::IpcFactory;
pub use sockets::{Dialer, Listener};

use sig_core::{CarrierError, StreamCarrier};

/// The name that stands for no name.
pub const DEFAULT_NAME: &str = "router";

/// A carrier that listens at a local socket, given as a name or a path.
///
/// The socket is bound at once, and again when the carrier is restarted.
///
/// # Errors
///
/// [`CarrierError::Address`] when there can be no such socket, [`CarrierError::Listen`] when it cannot be bound (because
/// somebody listens there, say), [`CarrierError::Unsupported`] on a platform without local sockets.
pub fn listen(name: &str) -> Result<StreamCarrier<Listener>, CarrierError> {
    Ok(StreamCarrier::new(Listener::bind(name)?))
}

/// A carrier that connects to a local socket, given as a name or a path.
///
/// # Errors
///
/// [`CarrierError::Address`] when there can be no such socket, [`CarrierError::Unsupported`] on a platform without local
/// sockets. That nobody is there shows when the carrier runs.
pub fn dial(name: &str) -> Result<StreamCarrier<Dialer>, CarrierError> {
    Ok(StreamCarrier::new(Dialer::new(name)?))
}
