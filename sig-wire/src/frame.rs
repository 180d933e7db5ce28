//! Frames: the unit of a sig/1 byte stream.
//!
//! ```text
//! len u32 | kind u8 | flags u8 | body
//! ```
//!
//! Numbers are little endian. `len` counts everything after itself: kind, flags and body, so it is
//! at least 2. A frame limit is a limit on `len`.

use core::{fmt, ops};

/// Size of the header in front of a body: length, kind and flags.
pub const HEADER_LEN: usize = 6;

/// Size of the length field, which `len` itself does not count.
pub const LEN_FIELD: usize = 4;

/// Smallest legal value of the length field: a kind and flags without a body.
pub const MIN_LEN: u32 = 2;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `0x01`: a control message, packed by the codec (JSON by default).
    Control,
    /// `0x02`: an event in the layout of [`event`](crate::event).
    Event,
    /// `0x03`: a sign of life, without a body.
    Heartbeat,
    /// `0x04`: a piece of a large frame, between peers that both can do that.
    Chunk,
    /// `0x05`: a whole message through the codec ([`Encoding::Packed`](crate::Encoding::Packed)).
    Packed,
    /// `0x80` and up: a kind of a later version, to be skipped.
    Ignorable(u8),
}

impl Kind {
    /// The byte on the wire.
    #[inline]
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Control => 1,
            Self::Event => 2,
            Self::Heartbeat => 3,
            Self::Chunk => 4,
            Self::Packed => 5,
            Self::Ignorable(byte) => byte | 0x80,
        }
    }

    /// The kind that a byte on the wire stands for.
    ///
    /// # Errors
    ///
    /// [`FrameError::UnknownKind`] for an unknown byte whose high bit is clear: the sender relies
    /// on it being understood.
    #[inline]
    pub const fn from_byte(byte: u8) -> Result<Self, FrameError> {
        Ok(match byte {
            1 => Self::Control,
            2 => Self::Event,
            3 => Self::Heartbeat,
            4 => Self::Chunk,
            5 => Self::Packed,
            0x80.. => Self::Ignorable(byte),
            _ => return Err(FrameError::UnknownKind { kind: byte }),
        })
    }
}

/// The flags byte of a frame.
///
/// Bits without a name are reserved: zero when sent, ignored when received, kept when forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Bit 0, on events: extensions follow the number.
    pub const EXT: Self = Self(1);
    /// Bit 0, on chunks: more pieces of the same frame follow.
    pub const MORE: Self = Self(1);
    /// Bit 1, on chunks: the frame is one of those that overtake events. Its pieces may come between those of an event.
    pub const AHEAD: Self = Self(2);

    /// Flags from the byte on the wire.
    #[inline]
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The byte on the wire.
    #[inline]
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self.0
    }

    /// Whether every flag of `other` is set.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl ops::BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One whole frame, borrowed from a receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What the body is.
    pub kind: Kind,
    /// The flags byte.
    pub flags: Flags,
    /// Everything after the header.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Bytes that the frame takes in the stream, header included.
    #[inline]
    #[must_use]
    pub const fn size(&self) -> usize {
        HEADER_LEN + self.body.len()
    }
}

/// What is at the front of a receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// A whole frame; the next one begins [`Frame::size`] bytes on.
    Frame(Frame<'a>),
    /// The beginning of a frame, possibly nothing of it.
    ///
    /// At least this many bytes are missing (never 0). It is what the peer claims, within the
    /// limit: grow a buffer by what arrives and not by what was claimed.
    Need(usize),
}

/// Parses one frame at the front of `buffer`, refusing frames whose length field exceeds `max_frame`.
///
/// A frame is refused as soon as its length or kind is there, before its body was received.
/// A frame of [`Kind::Ignorable`] is returned like any other; skip it.
///
/// ```
/// use sig_wire::{Kind, MAX_FRAME_DEFAULT, Split, split};
///
/// # fn main() -> Result<(), sig_wire::FrameError> {
/// // A heartbeat and the first three bytes of the next frame.
/// let mut buffer: &[u8] = &[2, 0, 0, 0, 3, 0, 9, 0, 0];
/// let mut kinds = vec![];
/// let missing = loop {
///     match split(buffer, MAX_FRAME_DEFAULT)? {
///         Split::Frame(frame) => {
///             kinds.push(frame.kind);
///             buffer = &buffer[frame.size()..];
///         }
///         Split::Need(bytes) => break bytes,
///     }
/// };
/// assert_eq!(kinds, [Kind::Heartbeat]);
/// assert_eq!(missing, 3); // of the six bytes of a header
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`FrameError`]; the stream cannot be read on after one.
#[inline]
pub fn split(buffer: &[u8], max_frame: u32) -> Result<Split<'_>, FrameError> {
    let Some((len, rest)) = buffer.split_first_chunk::<LEN_FIELD>() else {
        return Ok(Split::Need(HEADER_LEN - buffer.len()));
    };
    let len = checked_len(u32::from_le_bytes(*len), max_frame)?;
    let [kind, tail @ ..] = rest else {
        return Ok(Split::Need(len));
    };
    let kind = Kind::from_byte(*kind)?;
    // `len` counts the kind byte, so it is at least 2 here and the tail holds flags and body.
    let [flags, body @ ..] = tail else {
        return Ok(Split::Need(len - 1));
    };
    match body.get(..len - 2) {
        Some(body) => Ok(Split::Frame(Frame {
            kind,
            flags: Flags::from_byte(*flags),
            body,
        })),
        None => Ok(Split::Need(len - rest.len())),
    }
}

/// The header of a frame with a body of `body_len` bytes.
///
/// ```
/// use sig_wire::{Flags, Kind, MAX_FRAME_DEFAULT, encode_header};
///
/// let message = br#"{"id":1,"method":"list_senders"}"#;
/// let mut out = Vec::new();
/// out.extend_from_slice(&encode_header(Kind::Control, Flags::NONE, message.len(), MAX_FRAME_DEFAULT)?);
/// out.extend_from_slice(message);
/// assert_eq!(out[..6], [34, 0, 0, 0, 1, 0]);
/// # Ok::<(), sig_wire::FrameError>(())
/// ```
///
/// # Errors
///
/// [`FrameError::TooLarge`] where the length field would exceed `max_frame`, the limit of the peer.
#[inline]
pub const fn encode_header(
    kind: Kind,
    flags: Flags,
    body_len: usize,
    max_frame: u32,
) -> Result<[u8; HEADER_LEN], FrameError> {
    match header_number(kind, flags, body_len, max_frame) {
        Ok(number) => {
            let [a, b, c, d, kind, flags, ..] = number.to_le_bytes();
            Ok([a, b, c, d, kind, flags])
        }
        Err(error) => Err(error),
    }
}

/// The header as one number, whose six low bytes are those of the header.
#[inline]
pub(crate) const fn header_number(
    kind: Kind,
    flags: Flags,
    body_len: usize,
    max_frame: u32,
) -> Result<u64, FrameError> {
    let size = (body_len as u64).saturating_add(MIN_LEN as u64);
    if size > max_frame as u64 {
        return Err(FrameError::TooLarge { size, limit: max_frame });
    }
    Ok(size | (kind.to_byte() as u64) << 32 | (flags.to_byte() as u64) << 40)
}

/// A length field within its limits, as an index.
#[inline]
fn checked_len(len: u32, max_frame: u32) -> Result<usize, FrameError> {
    if len < MIN_LEN {
        return Err(FrameError::TooShort { len });
    }
    match usize::try_from(len) {
        Ok(index) if len <= max_frame => Ok(index),
        _ => Err(FrameError::TooLarge {
            size: u64::from(len),
            limit: max_frame,
        }),
    }
}

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is larger than the limit.
    TooLarge {
        /// Its length field, claimed or wanted.
        size: u64,
        /// The largest length field allowed.
        limit: u32,
    },
    /// The length field is below [`MIN_LEN`].
    TooShort {
        /// The length field.
        len: u32,
    },
    /// A kind of frame that is not known and must not be skipped.
    UnknownKind {
        /// The kind byte.
        kind: u8,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLarge { size, limit } => {
                write!(f, "a frame of {size} bytes exceeds the limit of {limit} bytes")
            }
            Self::TooShort { len } => {
                write!(f, "a frame of {len} bytes is too short; the least is {MIN_LEN}")
            }
            Self::UnknownKind { kind } => write!(
                f,
                "unknown frame kind {kind:#04x}; kinds 0x01 to 0x05 are known and 0x80 and up may be skipped"
            ),
        }
    }
}

impl core::error::Error for FrameError {}

#[cfg(test)]
mod tests;
