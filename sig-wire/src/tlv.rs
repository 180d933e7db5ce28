//! Extensions of an event: type, length, value.
//!
//! ```text
//! type u8 | len u8 | value
//! ```
//!
//! A type appears at most once per event; where it is repeated, the first one counts. A router
//! forwards types that it does not know.

use core::fmt;

use crate::content::ContentType;

/// When the sender triggered, in nanoseconds since the Unix epoch (`u64`).
pub const SENDER_TIME: u8 = 1;
/// A retained event, and its age in milliseconds (`u64`).
pub const RETAINED: u8 = 2;
/// Events that a policy skipped in front of this one (`u64`).
pub const SKIPPED: u8 = 3;
/// Events lost in front of this one because the listener was too slow (`u64`).
pub const LAGGED: u8 = 4;
/// The router on which the event was triggered (16 bytes).
pub const ORIGIN: u8 = 5;
/// Bridges crossed so far (`u8`).
pub const HOPS: u8 = 6;
/// W3C trace context (25 bytes: trace id, parent id, flags).
pub const TRACE: u8 = 7;
/// Content type of the payload where it differs from the announced one (`u8`).
pub const CONTENT_TYPE: u8 = 8;
/// The peer that sent the event on this link waits to be told what became of it (13 bytes).
pub const CONFIRM: u8 = 9;

/// In [`Extension::Confirm`]: every listener's queue took the event, or lost it.
pub const CONFIRM_ACCEPTED: u8 = 0;
/// In [`Extension::Confirm`]: every listener has dealt with the event, or lost it.
pub const CONFIRM_DELIVERED: u8 = 1;

/// Size of type and length.
const HEAD: usize = 2;

/// Bytes that all known extensions take together: a buffer of this size holds one of each.
pub const KNOWN_MAX: usize = 9 * HEAD + 4 * 8 + 16 + 1 + 25 + 1 + CONFIRM_LEN;

/// Size of the value of [`CONFIRM`].
const CONFIRM_LEN: usize = 8 + 1 + 4;

/// One extension as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tlv<'a> {
    /// The type byte.
    pub kind: u8,
    /// The value, at most 255 bytes.
    pub value: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// The meaning of the extension.
    ///
    /// # Errors
    ///
    /// [`TlvError::WrongLength`] for a known type whose value has another size than it should.
    pub fn known(&self) -> Result<Extension<'a>, TlvError> {
        Ok(match self.kind {
            SENDER_TIME => Extension::SenderTime(self.number()?),
            RETAINED => Extension::Retained { age_ms: self.number()? },
            SKIPPED => Extension::Skipped(self.number()?),
            LAGGED => Extension::Lagged(self.number()?),
            ORIGIN => Extension::Origin(self.array()?),
            HOPS => Extension::Hops(self.byte()?),
            TRACE => Extension::Trace(self.array()?),
            CONTENT_TYPE => Extension::ContentType(ContentType(self.byte()?)),
            CONFIRM => {
                let [i0, i1, i2, i3, i4, i5, i6, i7, wait, t0, t1, t2, t3] = self.array::<CONFIRM_LEN>()?;
                Extension::Confirm {
                    id: u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
                    wait,
                    timeout_ms: u32::from_le_bytes([t0, t1, t2, t3]),
                }
            }
            _ => Extension::Unknown(*self),
        })
    }

    fn number(&self) -> Result<u64, TlvError> {
        self.array().map(u64::from_le_bytes)
    }

    fn byte(&self) -> Result<u8, TlvError> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&self) -> Result<[u8; N], TlvError> {
        self.value.try_into().map_err(|_| TlvError::WrongLength {
            kind: self.kind,
            len: self.value.len(),
            expected: N,
        })
    }
}

/// An extension by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extension<'a> {
    /// When the sender triggered, in nanoseconds since the Unix epoch.
    SenderTime(u64),
    /// The event is a retained one.
    Retained {
        /// How old it is, in milliseconds.
        age_ms: u64,
    },
    /// Events that a policy skipped in front of this one.
    Skipped(u64),
    /// Events lost in front of this one because the listener was too slow.
    Lagged(u64),
    /// Identity of the router on which the event was triggered.
    Origin([u8; 16]),
    /// Bridges crossed so far.
    Hops(u8),
    /// W3C trace context: trace id (16 bytes), parent id (8 bytes), flags.
    Trace([u8; 25]),
    /// Content type of the payload where it differs from the announced one.
    ContentType(ContentType),
    /// The peer that sent the event on this link waits to be told what became of it. It goes no further than this link.
    Confirm {
        /// What the reply is to carry, as the id of a call.
        id: u64,
        /// What is waited for: [`CONFIRM_ACCEPTED`] or [`CONFIRM_DELIVERED`].
        wait: u8,
        /// How long the reply is of use, in milliseconds.
        timeout_ms: u32,
    },
    /// A type of a later version: forward it.
    Unknown(Tlv<'a>),
}

/// Iterates over the extensions of an event; ends after the first error.
///
/// ```
/// use sig_wire::{Extension, Tlvs};
///
/// let ext = [6, 1, 3, 200, 0]; // three hops, and an unknown type without a value
/// let mut found = vec![];
/// for tlv in Tlvs::new(&ext) {
///     found.push(tlv?.known()?);
/// }
/// assert_eq!(found[0], Extension::Hops(3));
/// assert!(matches!(found[1], Extension::Unknown(tlv) if tlv.kind == 200));
/// # Ok::<(), sig_wire::TlvError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tlvs<'a> {
    rest: &'a [u8],
}

impl<'a> Tlvs<'a> {
    /// The extensions in `ext`.
    #[inline]
    #[must_use]
    pub const fn new(ext: &'a [u8]) -> Self {
        Self { rest: ext }
    }

    /// The first extension of a type; `None` where there is none, or where what is in front of it
    /// is malformed.
    #[must_use]
    pub fn find(self, kind: u8) -> Option<Tlv<'a>> {
        self.map_while(Result::ok).find(|tlv| tlv.kind == kind)
    }

    /// Whether all of it is well-formed: whole extensions, and known ones of the right size.
    ///
    /// # Errors
    ///
    /// The first [`TlvError`].
    pub fn validate(self) -> Result<(), TlvError> {
        for tlv in self {
            tlv?.known()?;
        }
        Ok(())
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        match core::mem::take(&mut self.rest) {
            [] => None,
            [_] => Some(Err(TlvError::Truncated { missing: 1 })),
            [kind, len, rest @ ..] => {
                let len = usize::from(*len);
                let Some((value, rest)) = rest.split_at_checked(len) else {
                    return Some(Err(TlvError::Truncated {
                        missing: len - rest.len(),
                    }));
                };
                self.rest = rest;
                Some(Ok(Tlv { kind: *kind, value }))
            }
        }
    }
}

impl core::iter::FusedIterator for Tlvs<'_> {}

/// Writes extensions into a fixed buffer.
///
/// ```
/// use sig_wire::{EventHeader, Extension, MAX_FRAME_DEFAULT, TlvWriter, tlv};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut buffer = [0; tlv::KNOWN_MAX];
/// let mut writer = TlvWriter::new(&mut buffer);
/// writer.push(&Extension::Lagged(12))?;
/// let ext = writer.finish();
///
/// let payload = b"42";
/// let header = EventHeader { alias: 7, number: 13 };
/// let mut out = Vec::new();
/// out.extend_from_slice(&header.encode_ext_head(ext.len(), payload.len(), MAX_FRAME_DEFAULT)?);
/// out.extend_from_slice(ext);
/// out.extend_from_slice(payload);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TlvWriter<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl<'a> TlvWriter<'a> {
    /// A writer that fills `buffer` from its front.
    #[must_use]
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, used: 0 }
    }

    /// Appends an extension.
    ///
    /// # Errors
    ///
    /// As [`push_raw`](Self::push_raw).
    pub fn push(&mut self, extension: &Extension<'_>) -> Result<(), TlvError> {
        match *extension {
            Extension::SenderTime(time) => self.push_raw(SENDER_TIME, &time.to_le_bytes()),
            Extension::Retained { age_ms } => self.push_raw(RETAINED, &age_ms.to_le_bytes()),
            Extension::Skipped(count) => self.push_raw(SKIPPED, &count.to_le_bytes()),
            Extension::Lagged(count) => self.push_raw(LAGGED, &count.to_le_bytes()),
            Extension::Origin(router) => self.push_raw(ORIGIN, &router),
            Extension::Hops(hops) => self.push_raw(HOPS, &[hops]),
            Extension::Trace(context) => self.push_raw(TRACE, &context),
            Extension::ContentType(content) => self.push_raw(CONTENT_TYPE, &[content.0]),
            Extension::Confirm { id, wait, timeout_ms } => {
                let ([i0, i1, i2, i3, i4, i5, i6, i7], [t0, t1, t2, t3]) = (id.to_le_bytes(), timeout_ms.to_le_bytes());
                self.push_raw(CONFIRM, &[i0, i1, i2, i3, i4, i5, i6, i7, wait, t0, t1, t2, t3])
            }
            Extension::Unknown(tlv) => self.push_raw(tlv.kind, tlv.value),
        }
    }

    /// Appends an extension by type and value; on an error nothing was written.
    ///
    /// # Errors
    ///
    /// [`TlvError::TooLong`] for a value above 255 bytes, [`TlvError::Full`] where the buffer ends.
    pub fn push_raw(&mut self, kind: u8, value: &[u8]) -> Result<(), TlvError> {
        let Ok(len) = u8::try_from(value.len()) else {
            return Err(TlvError::TooLong { kind, len: value.len() });
        };
        let needed = HEAD + value.len();
        let free = self.buffer.get_mut(self.used..).unwrap_or_default();
        let available = free.len();
        let Some(([type_slot, len_slot], value_slot)) = free
            .get_mut(..needed)
            .and_then(|slot| slot.split_first_chunk_mut::<HEAD>())
        else {
            return Err(TlvError::Full { needed, available });
        };
        *type_slot = kind;
        *len_slot = len;
        value_slot.copy_from_slice(value);
        self.used += needed;
        Ok(())
    }

    /// The extensions written so far.
    #[must_use]
    pub fn finish(self) -> &'a [u8] {
        let (written, _free) = self.buffer.split_at(self.used);
        written
    }
}

/// Why extensions were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlvError {
    /// The last extension ends behind the end of the extensions.
    Truncated {
        /// Bytes that are missing.
        missing: usize,
    },
    /// A known extension of a wrong size.
    WrongLength {
        /// Its type.
        kind: u8,
        /// Size of its value.
        len: usize,
        /// The size it should have.
        expected: usize,
    },
    /// A value that the length byte cannot count.
    TooLong {
        /// Its type.
        kind: u8,
        /// Size of its value.
        len: usize,
    },
    /// The writer's buffer is too small.
    Full {
        /// Bytes that the extension takes.
        needed: usize,
        /// Bytes left.
        available: usize,
    },
}

impl fmt::Display for TlvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { missing } => {
                write!(f, "the last extension lacks {missing} bytes")
            }
            Self::WrongLength { kind, len, expected } => {
                write!(f, "extension {kind} has a value of {len} bytes, expected {expected}")
            }
            Self::TooLong { kind, len } => write!(
                f,
                "extension {kind} has a value of {len} bytes; the limit is {} bytes",
                u8::MAX
            ),
            Self::Full { needed, available } => write!(
                f,
                "an extension of {needed} bytes does not fit the {available} bytes left"
            ),
        }
    }
}

impl core::error::Error for TlvError {}

#[cfg(test)]
mod tests;
