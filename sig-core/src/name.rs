//! Names of senders and events.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::NameError;

/// Longest name, in bytes of UTF-8.
pub const MAX_NAME: usize = 255;

/// The presence event that a sender emits when it appears (pysig behaviour P22).
pub const CONNECT: &str = "#connect";

/// The presence event that a sender emits when it leaves (pysig behaviour P23).
pub const DISCONNECT: &str = "#disconnect";

/// Checks what all names have in common: not empty, at most [`MAX_NAME`] bytes, no control characters.
fn check(kind: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { kind });
    }
    if text.len() > MAX_NAME {
        return Err(NameError::TooLong {
            kind,
            length: text.len(),
        });
    }
    if let Some(position) = text.find(char::is_control) {
        return Err(NameError::ControlCharacter {
            kind,
            name: text.escape_debug().to_string(),
            position,
        });
    }
    Ok(())
}

/// The name of a sender.
///
/// Any text of 1 to [`MAX_NAME`] bytes without control characters. Names that begin with `#` belong to the router
/// itself: they can be listened to, not added. Cloning is cheap.
///
/// ```
/// use sig_core::SenderName;
///
/// let name = SenderName::new("timer")?;
/// assert_eq!(name.as_str(), "timer");
/// assert!(SenderName::new("").is_err());
/// # Ok::<(), sig_core::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SenderName(Arc<str>);

impl SenderName {
    /// Checks `name` and takes it.
    ///
    /// # Errors
    ///
    /// [`NameError`] when the name is empty, longer than [`MAX_NAME`] bytes, or holds a control character.
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        check("sender", name.as_ref())?;
        Ok(Self(name.as_ref().into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name belongs to the router itself (begins with `#`).
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('#')
    }
}

/// The name of an event.
///
/// Any text of 1 to [`MAX_NAME`] bytes without control characters. A name that begins with `#` is a **channel**: it
/// can be heard from all senders at once (P6). `#connect` and `#disconnect` are the presence channels; they are emitted
/// by the router and never by a sender. Cloning is cheap.
///
/// ```
/// use sig_core::EventName;
///
/// assert!(EventName::new("#alarm")?.is_channel());
/// assert!(!EventName::new("tic")?.is_channel());
/// assert!(EventName::new("#connect")?.is_presence());
/// # Ok::<(), sig_core::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventName(Arc<str>);

impl EventName {
    /// Checks `name` and takes it.
    ///
    /// # Errors
    ///
    /// [`NameError`] when the name is empty, longer than [`MAX_NAME`] bytes, or holds a control character.
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        check("event", name.as_ref())?;
        Ok(Self(name.as_ref().into()))
    }

    /// The `#connect` presence event.
    #[must_use]
    pub fn connect() -> Self {
        Self(CONNECT.into())
    }

    /// The `#disconnect` presence event.
    #[must_use]
    pub fn disconnect() -> Self {
        Self(DISCONNECT.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a channel: the name begins with `#`.
    #[must_use]
    pub fn is_channel(&self) -> bool {
        self.0.starts_with('#')
    }

    /// Whether this is `#connect` or `#disconnect`.
    #[must_use]
    pub fn is_presence(&self) -> bool {
        &*self.0 == CONNECT || &*self.0 == DISCONNECT
    }
}

impl fmt::Display for SenderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SenderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for SenderName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for EventName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for SenderName {
    type Error = NameError;

    fn try_from(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl TryFrom<&str> for EventName {
    type Error = NameError;

    fn try_from(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl std::borrow::Borrow<str> for SenderName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for EventName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for SenderName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Serialize for EventName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SenderName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for EventName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_printable() {
        assert!(matches!(SenderName::new(""), Err(NameError::Empty { .. })));
        assert!(SenderName::new("a".repeat(MAX_NAME)).is_ok());
        assert!(matches!(
            EventName::new("a".repeat(MAX_NAME + 1)),
            Err(NameError::TooLong { length: 256, .. })
        ));
        assert!(matches!(
            EventName::new("a\nb"),
            Err(NameError::ControlCharacter { position: 1, .. })
        ));
        assert!(EventName::new("température 7/x").is_ok());
    }

    #[test]
    fn the_hash_sign_marks_channels_and_reserved_senders() {
        let event = |text: &str| EventName::new(text).unwrap();
        assert!(event("#alarm").is_channel());
        assert!(!event("#alarm").is_presence());
        assert!(event("#connect").is_presence() && event("#disconnect").is_presence());
        assert!(!event("a#b").is_channel());
        assert!(SenderName::new("#router").unwrap().is_reserved());
        assert!(!SenderName::new("router").unwrap().is_reserved());
    }

    #[test]
    fn deserializing_checks_the_name() {
        assert!(serde_json::from_str::<SenderName>("\"ok\"").is_ok());
        assert!(serde_json::from_str::<SenderName>("\"\"").is_err());
    }
}
