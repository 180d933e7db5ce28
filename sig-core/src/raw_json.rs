//! JSON text that is passed on without being taken apart.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::CodecError;

/// One valid JSON value as text: the parameters of a call, or a response, which a router only passes on.
///
/// ```
/// use sig_core::RawJson;
///
/// let json = RawJson::new(&("tic", 3))?;
/// assert_eq!(json.text(), r#"["tic",3]"#);
/// assert_eq!(json.parse::<(String, u32)>()?, ("tic".to_owned(), 3));
/// # Ok::<(), sig_core::CodecError>(())
/// ```
#[derive(Clone)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// A value as JSON.
    ///
    /// # Errors
    ///
    /// [`CodecError::Json`] when the value cannot be written as JSON.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, CodecError> {
        Ok(Self(serde_json::value::to_raw_value(value)?))
    }

    /// JSON `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// Text that must be one valid JSON value.
    ///
    /// # Errors
    ///
    /// [`CodecError::Json`] when it is not.
    pub fn from_text(text: impl Into<String>) -> Result<Self, CodecError> {
        Ok(Self(RawValue::from_string(text.into())?))
    }

    /// The JSON text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// Whether the value is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.text() == "null"
    }

    /// Reads the value.
    ///
    /// # Errors
    ///
    /// [`CodecError::Value`] when it does not fit `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        serde_json::from_str(self.text()).map_err(CodecError::value)
    }
}

impl Default for RawJson {
    fn default() -> Self {
        Self::null()
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for RawJson {}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}
