#![doc = include_str!("../README.md")]

mod address;
mod dialer;
mod factory;
mod listener;
mod options;

pub use dialer::Dialer;
pub use factory::TcpFactory;
pub use listener::Listener;
pub use options::Options;

use std::time::Duration;

use sig_core::{CarrierError, Dialect, StreamCarrier};

/// After how much silence a heartbeat goes out, and a keepalive probe.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A carrier that listens at `HOST:PORT`, with the default [`Options`].
///
/// The port is bound at once, and taken again when the carrier is restarted.
///
/// # Errors
///
/// [`CarrierError::Address`] when the text is not an address, [`CarrierError::Listen`] when it cannot be bound.
pub fn listen(address: &str) -> Result<StreamCarrier<Listener>, CarrierError> {
    Ok(StreamCarrier::new(Listener::bind(address)?))
}

/// A carrier that connects to `HOST:PORT`, with the default [`Options`], and speaks sig/1 or, with a peer that does
/// not, pysig's JSON.
///
/// # Errors
///
/// [`CarrierError::Address`] when the text is not an address. That nobody is there shows when the carrier runs.
pub fn dial(address: &str) -> Result<StreamCarrier<Dialer>, CarrierError> {
    Ok(StreamCarrier::new(Dialer::new(address)?).with_dialect(Dialect::Auto))
}
