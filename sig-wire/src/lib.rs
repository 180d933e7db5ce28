#![no_std]
#![doc = include_str!("../README.md")]

#[cfg(test)]
extern crate std;

pub mod cobs;
pub mod content;
pub mod crc;
pub mod event;
pub mod frame;
pub mod preface;
pub mod tlv;

pub use content::ContentType;
pub use event::{EventError, EventFrame, EventHeader};
pub use frame::{Flags, Frame, FrameError, Kind, Split, encode_header, split};
pub use preface::{Encoding, Preface, PrefaceError};
pub use tlv::{Extension, Tlv, TlvError, TlvWriter, Tlvs};

/// The version of sig/1 that this crate speaks.
pub const VERSION: u8 = 1;

/// Largest frame (value of the length field) accepted before the session's hello: 64 KiB.
pub const MAX_FRAME_BEFORE_HELLO: u32 = 64 * 1024;

/// Largest frame (value of the length field) accepted after hello, unless configured: 16 MiB.
pub const MAX_FRAME_DEFAULT: u32 = 16 * 1024 * 1024;
