//! The port: where it is, how it is set, opening it, and its life from plugging in to pulling out.

mod life;
mod line;
mod list;
mod open;
mod options;
mod options_url;
mod place;

pub use life::{Life, Opened, Port};
pub use line::{Line, SerialLine};
pub use list::{Enumerator, PortInfo, System, UsbInfo};
pub use options::{Check, Codec, DataBits, Duplex, Flow, Options, Parity, ResetOnOpen, StopBits};
pub use place::{Place, UsbMatch};
