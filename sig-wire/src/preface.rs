//! The twelve bytes that open a byte stream in each direction.
//!
//! ```text
//! 93 53 49 47 0D 0A 1A 0A | min_version | max_version | encoding | 0
//! ```
//!
//! The magic cannot be the start of text, of JSON, of TLS or of ZeroMQ, and a stream that
//! translates line ends or strips the eighth bit destroys it, so such a link is noticed at once.
//! Who dials sends first. Who listens answers with the chosen version in both fields, or, where
//! there is no common version, with its own range, and closes.

use core::fmt;

/// The eight bytes that every native byte stream begins with.
pub const MAGIC: [u8; 8] = [0x93, b'S', b'I', b'G', 0x0D, 0x0A, 0x1A, 0x0A];

/// Size of a preface in bytes.
pub const LEN: usize = 12;

/// How the messages of a stream are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Event frames in the binary layout of this crate, control messages through the codec.
    #[default]
    Sig1,
    /// Every message goes through the codec, one message per frame.
    Packed,
}

impl Encoding {
    /// The byte on the wire.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Sig1 => 0,
            Self::Packed => 1,
        }
    }

    /// The encoding that a byte on the wire stands for.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Sig1),
            1 => Some(Self::Packed),
            _ => None,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sig1 => "sig1",
            Self::Packed => "packed",
        })
    }
}

/// What one side of a byte stream says before its first frame.
///
/// ```
/// use sig_wire::{Encoding, Preface};
///
/// # fn main() -> Result<(), sig_wire::PrefaceError> {
/// // The dialler offers what it speaks ...
/// let offer = Preface::new(Encoding::Sig1);
/// let bytes = offer.encode();
///
/// // ... the listener takes the highest common version and answers with it alone.
/// let heard = Preface::decode(&bytes)?.expect("twelve bytes are a whole preface");
/// let version = Preface::new(heard.encoding).negotiate(&heard)?;
/// let answer = Preface::chosen(version, heard.encoding);
///
/// // The dialler checks the answer in the same way.
/// assert_eq!(offer.negotiate(&answer)?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Preface {
    /// Lowest version spoken.
    pub min_version: u8,
    /// Highest version spoken.
    pub max_version: u8,
    /// How messages are encoded.
    pub encoding: Encoding,
}

impl Preface {
    /// The preface of this crate: the versions it speaks, with the given encoding.
    #[must_use]
    pub const fn new(encoding: Encoding) -> Self {
        Self::chosen(crate::VERSION, encoding)
    }

    /// A preface that names one version: the listener's answer.
    #[must_use]
    pub const fn chosen(version: u8, encoding: Encoding) -> Self {
        Self {
            min_version: version,
            max_version: version,
            encoding,
        }
    }

    /// The bytes to send.
    #[must_use]
    pub const fn encode(&self) -> [u8; LEN] {
        let [a, b, c, d, e, f, g, h] = MAGIC;
        let encoding = self.encoding.to_byte();
        [a, b, c, d, e, f, g, h, self.min_version, self.max_version, encoding, 0]
    }

    /// Reads the preface at the front of `bytes`.
    ///
    /// `Ok(None)` says that the bytes so far can still become a preface; call again with more. Bytes
    /// after the twelfth are not looked at. The last byte is reserved and ignored.
    ///
    /// # Errors
    ///
    /// [`PrefaceError::NotMagic`] at the first byte that differs from [`MAGIC`], however few bytes
    /// there are; [`PrefaceError::EmptyRange`] and [`PrefaceError::UnknownEncoding`] once the field
    /// is there.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, PrefaceError> {
        for (at, (&byte, &magic)) in bytes.iter().zip(&MAGIC).enumerate() {
            if byte != magic {
                return Err(PrefaceError::NotMagic { at, byte });
            }
        }
        let Some(preface) = bytes.first_chunk::<LEN>() else {
            return Ok(None);
        };
        let [.., min_version, max_version, encoding, _reserved] = *preface;
        if min_version > max_version {
            return Err(PrefaceError::EmptyRange {
                min: min_version,
                max: max_version,
            });
        }
        let Some(encoding) = Encoding::from_byte(encoding) else {
            return Err(PrefaceError::UnknownEncoding { encoding });
        };
        Ok(Some(Self {
            min_version,
            max_version,
            encoding,
        }))
    }

    /// The version to speak with a peer that sent `theirs`: the highest that both speak.
    ///
    /// Works for both sides: a listener applies it to the offer, a dialler to the answer.
    ///
    /// # Errors
    ///
    /// [`PrefaceError::NoCommonVersion`] where the ranges do not meet, and
    /// [`PrefaceError::EncodingMismatch`] where the encodings differ.
    pub fn negotiate(&self, theirs: &Self) -> Result<u8, PrefaceError> {
        let highest = self.max_version.min(theirs.max_version);
        let lowest = self.min_version.max(theirs.min_version);
        if highest < lowest {
            return Err(PrefaceError::NoCommonVersion {
                ours: (self.min_version, self.max_version),
                theirs: (theirs.min_version, theirs.max_version),
            });
        }
        if self.encoding != theirs.encoding {
            return Err(PrefaceError::EncodingMismatch {
                ours: self.encoding,
                theirs: theirs.encoding,
            });
        }
        Ok(highest)
    }
}

/// Why the opening bytes of a stream were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrefaceError {
    /// The stream does not begin with [`MAGIC`].
    NotMagic {
        /// Where it differs, 0 to 7.
        at: usize,
        /// The byte found there.
        byte: u8,
    },
    /// The lowest version is above the highest.
    EmptyRange {
        /// Lowest version named.
        min: u8,
        /// Highest version named.
        max: u8,
    },
    /// The encoding byte is not one that this version knows.
    UnknownEncoding {
        /// The byte found.
        encoding: u8,
    },
    /// The two version ranges do not meet.
    NoCommonVersion {
        /// Our lowest and highest version.
        ours: (u8, u8),
        /// The peer's lowest and highest version.
        theirs: (u8, u8),
    },
    /// The two sides name different encodings.
    EncodingMismatch {
        /// Our encoding.
        ours: Encoding,
        /// The peer's encoding.
        theirs: Encoding,
    },
}

impl fmt::Display for PrefaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotMagic { at, byte } => write!(
                f,
                "not a sig stream: byte {at} of the preface is {byte:#04x}, expected {:#04x}",
                MAGIC.get(at).copied().unwrap_or_default()
            ),
            Self::EmptyRange { min, max } => {
                write!(f, "the peer's version range is empty: lowest {min}, highest {max}")
            }
            Self::UnknownEncoding { encoding } => write!(
                f,
                "the peer asks for encoding {encoding}; 0 (sig1) and 1 (packed) are known"
            ),
            Self::NoCommonVersion { ours, theirs } => write!(
                f,
                "no common version: we speak sig/{} to sig/{}, the peer sig/{} to sig/{}; update the older side",
                ours.0, ours.1, theirs.0, theirs.1
            ),
            Self::EncodingMismatch { ours, theirs } => write!(
                f,
                "we use encoding {ours}, the peer {theirs}; set up both sides with the same codec"
            ),
        }
    }
}

impl core::error::Error for PrefaceError {}

#[cfg(test)]
mod tests;
