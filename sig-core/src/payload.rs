//! Event data: bytes with a content type.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::{SeqDeserializer, StrDeserializer};

use sig_wire::ContentType;

use crate::error::CodecError;

/// Event data as it travels: a content type and bytes that nobody changes on the way.
///
/// A router forwards a payload without looking into it. Cloning shares the bytes.
///
/// ```
/// use sig_core::Payload;
///
/// let payload = Payload::json(&[1, 2, 3])?;
/// assert_eq!(payload.decode::<Vec<u32>>()?, [1, 2, 3]);
/// assert_eq!(Payload::from_bytes(vec![0xff]).json_text()?, r#"{"$bytes":"/w=="}"#);
/// # Ok::<(), sig_core::CodecError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    content_type: ContentType,
    bytes: Bytes,
}

impl Payload {
    /// Bytes of the given type, taken as they are.
    #[must_use]
    pub fn new(content_type: ContentType, bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type,
            bytes: bytes.into(),
        }
    }

    /// JSON `null`: no data.
    #[must_use]
    pub fn null() -> Self {
        Self {
            content_type: ContentType::JSON,
            bytes: Bytes::from_static(b"null"),
        }
    }

    /// A value as JSON.
    ///
    /// # Errors
    ///
    /// [`CodecError::Json`] when the value cannot be written as JSON (a map with keys that are not text, say).
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, CodecError> {
        Ok(Self {
            content_type: ContentType::JSON,
            bytes: serde_json::to_vec(value)?.into(),
        })
    }

    /// Raw bytes.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: ContentType::BYTES,
            bytes: bytes.into(),
        }
    }

    /// Data that a JSON peer sent: JSON text, or raw bytes when it is exactly `{"$bytes": base64}`.
    #[must_use]
    pub fn from_json_text(text: impl Into<Bytes>) -> Self {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wrapped<'a> {
            #[serde(rename = "$bytes", borrow)]
            bytes: Cow<'a, str>,
        }
        let text = text.into();
        let looks_wrapped = text.first() == Some(&b'{') && text.windows(8).take(8).any(|w| w == b"\"$bytes\"");
        let unwrapped = looks_wrapped
            .then(|| serde_json::from_slice::<Wrapped<'_>>(&text).ok())
            .flatten()
            .and_then(|wrapped| BASE64.decode(wrapped.bytes.as_bytes()).ok());
        match unwrapped {
            Some(bytes) => Self::from_bytes(bytes),
            None => Self {
                content_type: ContentType::JSON,
                bytes: text,
            },
        }
    }

    /// What the bytes are.
    #[must_use]
    pub fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Reads the payload as a value: JSON and text by serde, raw bytes as a sequence (`Vec<u8>`).
    ///
    /// # Errors
    ///
    /// [`CodecError::Value`] when it does not fit `T`, [`CodecError::ContentType`] for a type that is not known here.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        let decoded = match self.content_type {
            ContentType::JSON => serde_json::from_slice(&self.bytes),
            ContentType::TEXT => T::deserialize(StrDeserializer::<serde_json::Error>::new(self.text()?)),
            ContentType::BYTES => T::deserialize(SeqDeserializer::new(self.bytes.iter().copied())),
            found => {
                let wanted = std::any::type_name::<T>();
                return Err(CodecError::ContentType { found, wanted });
            }
        };
        decoded.map_err(CodecError::value)
    }

    /// The payload as JSON text, as JSON peers see it: bytes and unknown types become `{"$bytes": base64}`.
    ///
    /// # Errors
    ///
    /// [`CodecError::Json`] when JSON or text bytes are not valid UTF-8.
    pub fn json_text(&self) -> Result<Cow<'_, str>, CodecError> {
        match self.content_type {
            ContentType::JSON => self.text().map(Cow::Borrowed),
            ContentType::TEXT => Ok(Cow::Owned(serde_json::to_string(self.text()?)?)),
            _ => Ok(Cow::Owned(format!("{{\"$bytes\":\"{}\"}}", BASE64.encode(&self.bytes)))),
        }
    }

    fn text(&self) -> Result<&str, CodecError> {
        std::str::from_utf8(&self.bytes)
            .map_err(|error| CodecError::Shape(format!("{} payload is not UTF-8: {error}", self.content_type)))
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::null()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        let head = &self.bytes[..self.bytes.len().min(SHOWN)];
        let more = if self.bytes.len() > SHOWN { ".." } else { "" };
        // Quotes need no escaping here, and JSON is full of them.
        let head = head.escape_ascii().to_string().replace("\\\"", "\"");
        write!(f, "{}({} bytes: {head}{more})", self.content_type, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_through_json_peers_and_come_back() {
        let payload = Payload::from_bytes(vec![0, 1, 254, 255]);
        let text = payload.json_text().unwrap().into_owned();
        assert_eq!(Payload::from_json_text(text), payload);
        for not_wrapped in [
            r#"{"$bytes":1}"#,
            r#"{"$bytes":"*"}"#,
            r#"{"$bytes":"AA==","x":1}"#,
            r#"["$bytes"]"#,
        ] {
            assert_eq!(
                Payload::from_json_text(not_wrapped).content_type(),
                ContentType::JSON,
                "{not_wrapped}"
            );
        }
    }

    #[test]
    fn every_known_type_decodes() {
        assert_eq!(Payload::json(&"x").unwrap().decode::<String>().unwrap(), "x");
        assert_eq!(Payload::new(ContentType::TEXT, "x").decode::<String>().unwrap(), "x");
        assert_eq!(Payload::from_bytes(vec![1, 2]).decode::<Vec<u8>>().unwrap(), [1, 2]);
        assert_eq!(Payload::null().decode::<Option<u8>>().unwrap(), None);
        let error = Payload::new(ContentType::CBOR, vec![0xf6]).decode::<u8>().unwrap_err();
        assert_eq!(error.to_string(), "a payload of type cbor cannot be read as u8");
    }
}
