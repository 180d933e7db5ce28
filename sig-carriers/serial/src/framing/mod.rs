//! Bytes of a line into lines and frames, and back.
//!
//! There are two framings. **Lines** end with a newline, and may carry a check sum behind a `*`. **Frames** stand between
//! zero bytes, are free of zeros inside (COBS), and end with a CRC-32C. Which of the two a peer uses shows by the first valid
//! one. All else that comes is text which the device prints.

mod chunk;
mod counters;
mod frame;
mod line;
#[cfg(test)]
mod noise_tests;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use counters::Counters;
pub use frame::{OPENING, is_segment};
pub use line::{is_document, suffix};
pub use reader::{Item, Reader};
pub use writer::Writer;

use crate::{Check, Codec, Options};

/// What a peer was found to use, and is written to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Lines, with this check sum.
    Lines(Check),
    /// Frames.
    Frames,
}

/// How a [`Reader`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Which framings are taken.
    pub codec: Codec,
    /// Which check sum lines must have from the first one on.
    pub check: Check,
    /// Most bytes of one line or frame, as it stands on the line, without its delimiters.
    pub max_frame: usize,
}

impl From<&Options> for Settings {
    fn from(options: &Options) -> Self {
        Self {
            codec: options.codec,
            check: options.check,
            max_frame: options.max_frame,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::from(&Options::default())
    }
}
