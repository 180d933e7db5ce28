//! The port: where it is, how it is set, opening it, and its life from plugging in to pulling out.

mod driver;
mod holder;
mod life;
mod line;
mod list;
mod look;
mod open;
mod opened;
mod options;
mod options_url;
mod place;
mod trouble;

pub use life::Port;
pub use line::{Line, SerialLine};
pub use list::{Enumerator, PortInfo, System, UsbInfo};
pub use opened::{Life, Opened};
pub use options::{Check, Codec, DataBits, Duplex, Flow, Options, Parity, ResetOnOpen, StopBits};
pub use place::{Place, UsbMatch};

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests;
