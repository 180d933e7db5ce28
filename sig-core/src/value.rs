//! What can be triggered.

use std::any::Any;
use std::io;

use serde::Serialize;
use sig_wire::ContentType;

use crate::error::CodecError;
use crate::payload::Payload;

/// Data that an event can carry: anything that serde can write, or a ready [`Payload`].
///
/// Triggering takes it by reference. Listeners called on the spot see that very value; it is packed only when a stream
/// or a remote listener needs it, once for all of them.
///
/// Types get it from their [`Serialize`] implementation; it is not implemented by hand.
pub trait Value: Send + Sync {
    /// The value as it travels: JSON, or the payload itself.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON.
    fn pack(&self) -> Result<Payload, CodecError>;

    /// Writes the value's bytes as they travel, and says what they are.
    ///
    /// # Errors
    ///
    /// As [`pack`](Self::pack), and those of `out`.
    fn write_to(&self, out: &mut dyn io::Write) -> Result<ContentType, CodecError>;

    /// The payload, if the value is one already.
    fn as_payload(&self) -> Option<&Payload> {
        None
    }

    /// The value itself, for listeners in the same call.
    fn as_any(&self) -> &dyn Any;
}

impl<T: Serialize + Send + Sync + 'static> Value for T {
    fn pack(&self) -> Result<Payload, CodecError> {
        Payload::json(self)
    }

    fn write_to(&self, out: &mut dyn io::Write) -> Result<ContentType, CodecError> {
        serde_json::to_writer(out, self)?;
        Ok(ContentType::JSON)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Value for Payload {
    fn pack(&self) -> Result<Payload, CodecError> {
        Ok(self.clone())
    }

    fn write_to(&self, out: &mut dyn io::Write) -> Result<ContentType, CodecError> {
        out.write_all(self.bytes()).map_err(serde_json::Error::io)?;
        Ok(self.content_type())
    }

    fn as_payload(&self) -> Option<&Payload> {
        Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
