//! What can be a frame.

use bytes::Bytes;

/// What can be a frame of a [`Message`](crate::Message): text and bytes. Borrowed ones are copied, owned ones are taken over.
pub trait Frame {
    /// The bytes of it.
    fn into_bytes(self) -> Bytes;
}

impl Frame for Bytes {
    fn into_bytes(self) -> Bytes {
        self
    }
}

impl Frame for Vec<u8> {
    fn into_bytes(self) -> Bytes {
        self.into()
    }
}

impl Frame for String {
    fn into_bytes(self) -> Bytes {
        self.into()
    }
}

impl Frame for &str {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self.as_bytes())
    }
}

impl Frame for &[u8] {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}

impl<const N: usize> Frame for &[u8; N] {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}

impl Frame for &String {
    fn into_bytes(self) -> Bytes {
        self.as_str().into_bytes()
    }
}

impl Frame for &Bytes {
    fn into_bytes(self) -> Bytes {
        self.clone()
    }
}
