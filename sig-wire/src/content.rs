//! What the bytes of a payload are.

use core::fmt;

/// Content type of a payload: one byte, an open set.
///
/// A router forwards a content type that it does not know, so this is a number with names and not
/// an enum.
///
/// ```
/// use sig_wire::ContentType;
///
/// assert_eq!(ContentType::JSON.to_string(), "json");
/// assert_eq!(ContentType(200).to_string(), "content type 200");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentType(pub u8);

impl ContentType {
    /// JSON text, the default.
    pub const JSON: Self = Self(0);
    /// Bytes without a known structure.
    pub const BYTES: Self = Self(1);
    /// UTF-8 text.
    pub const TEXT: Self = Self(2);
    /// MessagePack.
    pub const MESSAGE_PACK: Self = Self(3);
    /// CBOR.
    pub const CBOR: Self = Self(4);
    /// Postcard.
    pub const POSTCARD: Self = Self(5);

    /// The name of a content type that this version knows.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::JSON => Some("json"),
            Self::BYTES => Some("bytes"),
            Self::TEXT => Some("text"),
            Self::MESSAGE_PACK => Some("msgpack"),
            Self::CBOR => Some("cbor"),
            Self::POSTCARD => Some("postcard"),
            _ => None,
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "content type {}", self.0),
        }
    }
}

impl From<u8> for ContentType {
    fn from(byte: u8) -> Self {
        Self(byte)
    }
}

impl From<ContentType> for u8 {
    fn from(content: ContentType) -> Self {
        content.0
    }
}
