#![doc = include_str!("../README.md")]

mod factory;
pub mod framing;
pub mod link;
mod port;
#[cfg(any(test, feature = "sim"))]
#[doc(hidden)]
pub mod sim;
mod watcher;

pub use factory::SerialFactory;
pub use port::{
    Check, Codec, DataBits, Duplex, Enumerator, Flow, Life, Line, Opened, Options, Parity, Place, Port, PortInfo,
    ResetOnOpen, SerialLine, StopBits, System, UsbInfo, UsbMatch,
};

/// The URL scheme.
pub const SCHEME: &str = "serial";
