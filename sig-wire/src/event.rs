//! Events: the body of a [`Kind::Event`] frame.
//!
//! ```text
//! alias u32 | number u64 | [ext_len u16 | TLVs] | payload
//! ```
//!
//! The extensions are there when [`Flags::EXT`] is set. The alias stands for a (sender, event)
//! pair; the number counts the events of that pair. A router forwards the bytes of the payload
//! untouched and usually the bytes of the whole frame.

use core::fmt;

use crate::frame::{Flags, Frame, FrameError, HEADER_LEN, Kind, header_number};
use crate::tlv::Tlvs;

/// Size of alias and number.
pub const EVENT_HEADER_LEN: usize = 12;

/// Size of everything in front of the payload of an event without extensions.
pub const HEAD_LEN: usize = HEADER_LEN + EVENT_HEADER_LEN;

/// Size of everything in front of the extensions of an event that has them.
pub const EXT_HEAD_LEN: usize = HEAD_LEN + EXT_LEN_FIELD;

/// Size of the field that says how long the extensions are.
const EXT_LEN_FIELD: usize = 2;

/// Which event it is, and its number.
///
/// The `encode_*` methods give the bytes in front of a payload as an array, so that a caller
/// appends head and payload to its outgoing buffer and nothing is allocated between.
///
/// ```
/// use sig_wire::{EventHeader, MAX_FRAME_DEFAULT};
///
/// let header = EventHeader { alias: 7, number: 1 };
/// let payload = br#"{"t":20}"#;
/// let mut out = Vec::new();
/// out.extend_from_slice(&header.encode_head(payload.len(), MAX_FRAME_DEFAULT)?);
/// out.extend_from_slice(payload);
/// assert_eq!(out.len(), 18 + payload.len());
/// # Ok::<(), sig_wire::EventError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventHeader {
    /// The router's number for a (sender, event) pair.
    pub alias: u32,
    /// Number of the event within its pair.
    pub number: u64,
}

impl EventHeader {
    /// Everything in front of the payload of an event without extensions.
    ///
    /// # Errors
    ///
    /// [`EventError::Frame`] where the frame would exceed `max_frame`, the limit of the peer.
    #[inline]
    pub fn encode_head(&self, payload_len: usize, max_frame: u32) -> Result<[u8; HEAD_LEN], EventError> {
        Ok(array(self.head_numbers(None, payload_len, max_frame)?))
    }

    /// Alias, number and the header of the frame as three numbers of eight, eight and two bytes, all little endian; with
    /// `ext_len` bytes of extensions (`Some`) their length follows in two bytes more.
    ///
    /// For who has to be fast: numbers go from registers into the buffer, while an array is put together in memory first.
    ///
    /// # Errors
    ///
    /// [`EventError::Frame`] where the frame would exceed `max_frame`, the limit of the peer.
    #[inline]
    pub fn head_numbers(
        &self,
        ext_len: Option<u16>,
        payload_len: usize,
        max_frame: u32,
    ) -> Result<(u64, u64, u16), EventError> {
        let (flags, ext) = match ext_len {
            Some(len) => (Flags::EXT, EXT_LEN_FIELD + usize::from(len)),
            None => (Flags::NONE, 0),
        };
        let body = (EVENT_HEADER_LEN + ext).saturating_add(payload_len);
        let frame = header_number(Kind::Event, flags, body, max_frame)?;
        let (alias, number) = (u64::from(self.alias), self.number);
        Ok((frame | alias << 48, alias >> 16 | number << 16, (number >> 48) as u16))
    }

    /// Everything in front of the extensions of an event that has `ext_len` bytes of them.
    ///
    /// # Errors
    ///
    /// [`EventError::ExtTooLong`] for more extensions than a `u16` counts, [`EventError::Frame`]
    /// where the frame would exceed `max_frame`, the limit of the peer.
    #[inline]
    pub fn encode_ext_head(
        &self,
        ext_len: usize,
        payload_len: usize,
        max_frame: u32,
    ) -> Result<[u8; EXT_HEAD_LEN], EventError> {
        let Ok(ext) = u16::try_from(ext_len) else {
            return Err(EventError::ExtTooLong { len: ext_len });
        };
        let mut head: [u8; EXT_HEAD_LEN] = array(self.head_numbers(Some(ext), payload_len, max_frame)?);
        head[HEAD_LEN..].copy_from_slice(&ext.to_le_bytes());
        Ok(head)
    }
}

/// The numbers in front of a payload at the front of an array of at least [`HEAD_LEN`] bytes.
#[inline]
fn array<const N: usize>((first, second, third): (u64, u64, u16)) -> [u8; N] {
    const { assert!(N >= HEAD_LEN) };
    let mut head = [0; N];
    head[..8].copy_from_slice(&first.to_le_bytes());
    head[8..16].copy_from_slice(&second.to_le_bytes());
    head[16..HEAD_LEN].copy_from_slice(&third.to_le_bytes());
    head
}

/// An event, borrowed from the body of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventFrame<'a> {
    /// Which event it is, and its number.
    pub header: EventHeader,
    /// The extensions, [`Tlvs`] in a row; empty where there are none.
    pub ext: &'a [u8],
    /// The payload, untouched.
    pub payload: &'a [u8],
}

impl<'a> EventFrame<'a> {
    /// Parses the body of an event frame.
    ///
    /// The extensions are bounded here and parsed by [`tlvs`](Self::tlvs), since a router that
    /// forwards an event need not look into them.
    ///
    /// ```
    /// use sig_wire::{EventFrame, MAX_FRAME_DEFAULT, Split, split};
    ///
    /// let bytes = [16, 0, 0, 0, 2, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, b'4', b'2'];
    /// let Split::Frame(frame) = split(&bytes, MAX_FRAME_DEFAULT)? else { unreachable!() };
    /// let event = EventFrame::parse(&frame)?;
    /// assert_eq!((event.header.alias, event.header.number), (7, 1));
    /// assert_eq!(event.payload, b"42");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EventError::NotAnEvent`], [`EventError::TooShort`] or [`EventError::ExtTooShort`].
    #[inline]
    pub fn parse(frame: &Frame<'a>) -> Result<Self, EventError> {
        if frame.kind != Kind::Event {
            return Err(EventError::NotAnEvent { kind: frame.kind });
        }
        let too_short = EventError::TooShort { len: frame.body.len() };
        let Some((alias, rest)) = frame.body.split_first_chunk::<4>() else {
            return Err(too_short);
        };
        let Some((number, rest)) = rest.split_first_chunk::<8>() else {
            return Err(too_short);
        };
        let (ext, payload) = if frame.flags.contains(Flags::EXT) {
            let Some((ext_len, rest)) = rest.split_first_chunk::<EXT_LEN_FIELD>() else {
                return Err(too_short);
            };
            let claimed = u16::from_le_bytes(*ext_len);
            let Some(parts) = rest.split_at_checked(usize::from(claimed)) else {
                return Err(EventError::ExtTooShort {
                    claimed,
                    available: rest.len(),
                });
            };
            parts
        } else {
            (&[][..], rest)
        };
        Ok(Self {
            header: EventHeader {
                alias: u32::from_le_bytes(*alias),
                number: u64::from_le_bytes(*number),
            },
            ext,
            payload,
        })
    }

    /// The extensions, one by one.
    #[inline]
    #[must_use]
    pub const fn tlvs(&self) -> Tlvs<'a> {
        Tlvs::new(self.ext)
    }

    /// Bytes that the whole frame takes in the stream; `None` where that overflows a `usize`.
    #[must_use]
    pub const fn size(&self) -> Option<usize> {
        let head = if self.ext.is_empty() { HEAD_LEN } else { EXT_HEAD_LEN };
        match head.checked_add(self.ext.len()) {
            Some(size) => size.checked_add(self.payload.len()),
            None => None,
        }
    }

    /// Writes the whole frame to the front of `out` and returns its size.
    ///
    /// For callers with a fixed buffer; others append an
    /// [`encode_head`](EventHeader::encode_head) and the payload. On an error `out` is unchanged.
    ///
    /// # Errors
    ///
    /// [`EventError::NoSpace`] where `out` is too small, and the errors of
    /// [`encode_ext_head`](EventHeader::encode_ext_head).
    pub fn encode_into(&self, out: &mut [u8], max_frame: u32) -> Result<usize, EventError> {
        let (plain, extended);
        let head: &[u8] = if self.ext.is_empty() {
            plain = self.header.encode_head(self.payload.len(), max_frame)?;
            &plain
        } else {
            extended = self
                .header
                .encode_ext_head(self.ext.len(), self.payload.len(), max_frame)?;
            &extended
        };
        let available = out.len();
        let Some(size) = self.size().filter(|&size| size <= available) else {
            return Err(EventError::NoSpace {
                needed: self.size().unwrap_or(usize::MAX),
                available,
            });
        };
        let mut rest = out;
        for part in [head, self.ext, self.payload] {
            let (front, back) = rest.split_at_mut(part.len());
            front.copy_from_slice(part);
            rest = back;
        }
        Ok(size)
    }
}

/// Why an event was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventError {
    /// The frame is of another kind.
    NotAnEvent {
        /// Its kind.
        kind: Kind,
    },
    /// The body is too short for an alias, a number and, with [`Flags::EXT`], an extension length.
    TooShort {
        /// Size of the body.
        len: usize,
    },
    /// The extensions claim more bytes than the body has.
    ExtTooShort {
        /// Size of the extensions according to their length field.
        claimed: u16,
        /// Bytes left in the body.
        available: usize,
    },
    /// More bytes of extensions than their length field can count.
    ExtTooLong {
        /// Size of the extensions.
        len: usize,
    },
    /// The event does not fit the caller's buffer.
    NoSpace {
        /// Size of the frame.
        needed: usize,
        /// Size of the buffer.
        available: usize,
    },
    /// The frame cannot be written.
    Frame(FrameError),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotAnEvent { kind } => {
                write!(f, "expected an event frame (0x02), found {kind:?}")
            }
            Self::TooShort { len } => write!(
                f,
                "an event of {len} bytes is too short; the least is {EVENT_HEADER_LEN}, with extensions {}",
                EVENT_HEADER_LEN + EXT_LEN_FIELD
            ),
            Self::ExtTooShort { claimed, available } => write!(
                f,
                "an event claims {claimed} bytes of extensions and has {available} bytes left"
            ),
            Self::ExtTooLong { len } => write!(f, "{len} bytes of extensions exceed the limit of {} bytes", u16::MAX),
            Self::NoSpace { needed, available } => write!(
                f,
                "an event frame of {needed} bytes does not fit a buffer of {available} bytes"
            ),
            Self::Frame(ref error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EventError {}

impl From<FrameError> for EventError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

#[cfg(test)]
mod tests;
