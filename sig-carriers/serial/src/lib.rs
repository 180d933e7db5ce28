#![doc = include_str!("../README.md")]

mod board;
mod factory;
pub mod framing;
pub mod link;
mod listener;
mod port;
#[cfg(any(test, feature = "sim"))]
#[doc(hidden)]
pub mod sim;

pub use factory::SerialFactory;
pub use listener::Listener;
pub use port::{
    Check, Codec, DataBits, Duplex, Enumerator, Flow, Life, Line, Opened, Options, Parity, Place, Port, PortInfo,
    ResetOnOpen, SerialLine, StopBits, System, UsbInfo, UsbMatch,
};

/// The URL scheme.
pub const SCHEME: &str = "serial";
