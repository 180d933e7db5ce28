//! Messages to bytes and back: what stands behind a carrier's `pack` and `unpack`.

mod documents;
mod json;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::{Bytes, BytesMut};

pub use documents::{DocumentError, Documents};
pub use json::Json;

use crate::error::CodecError;
use crate::message::Message;

/// Turns messages into bytes and back.
///
/// A codec never sees frame boundaries: `unpack` gets exactly the bytes that one `pack` wrote. Both peers of a link
/// must use the same codec; its name is compared in the hello. The default is [`Json`].
///
/// ```
/// use bytes::{Bytes, BytesMut};
/// use sig_core::{Call, Codec, CodecError, Json, Message, RawJson};
///
/// /// JSON, mirrored. (A real one would write MessagePack or CBOR.)
/// #[derive(Debug)]
/// struct Mirror;
///
/// impl Codec for Mirror {
///     fn name(&self) -> &'static str {
///         "mirror"
///     }
///     fn pack(&self, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
///         let start = out.len();
///         Json.pack(message, out)?;
///         out[start..].reverse();
///         Ok(())
///     }
///     fn unpack(&self, frame: Bytes) -> Result<Message, CodecError> {
///         Json.unpack(frame.iter().rev().copied().collect())
///     }
/// }
///
/// let call = Message::Call(Call::new(1, "get_version", RawJson::null()));
/// let mut bytes = BytesMut::new();
/// Mirror.pack(&call, &mut bytes)?;
/// assert_eq!(Mirror.unpack(bytes.freeze())?, call);
/// # Ok::<(), CodecError>(())
/// ```
pub trait Codec: fmt::Debug + Send + Sync + 'static {
    /// The name that peers compare, such as `json`.
    fn name(&self) -> &'static str;

    /// Appends the message to `out`. On an error `out` may hold a part of it; the caller drops that part.
    ///
    /// # Errors
    ///
    /// When the message cannot be written in this codec.
    fn pack(&self, message: &Message, out: &mut BytesMut) -> Result<(), CodecError>;

    /// Reads one message from all of `frame`.
    ///
    /// # Errors
    ///
    /// When the bytes are not one message. Must not panic, whatever the bytes.
    fn unpack(&self, frame: Bytes) -> Result<Message, CodecError>;
}
