//! Messages.

use std::fmt;

use bytes::Bytes;

use crate::Frame;

/// A message: frames that travel together, all or none.
///
/// A small frame lies within the message, a large one is shared, so that a clone copies no large one.
///
/// ```
/// use sig_carrier_zmq::Message;
///
/// let mut message = Message::frames(["sensor.1", "21.5"]);
/// assert_eq!(message.frame(0), Some(&b"sensor.1"[..]));
/// assert_eq!(message.pop_front().as_deref(), Some(&b"sensor.1"[..]));
/// assert_eq!(message, Message::from("21.5"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message(pub(crate) omq_tokio::Message);

impl Message {
    /// Without a frame. To be sent it needs one at least.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of these frames. Empty ones count.
    pub fn frames<F: Frame>(frames: impl IntoIterator<Item = F>) -> Self {
        Self(omq_tokio::Message::multipart(frames.into_iter().map(Frame::into_bytes)))
    }

    /// How many frames there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no frame at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How long the frames are together.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.0.byte_len()
    }

    /// The frame at this place.
    #[must_use]
    pub fn frame(&self, index: usize) -> Option<&[u8]> {
        self.0.get(index)
    }

    /// The frame at this place, shared with the message.
    #[must_use]
    pub fn frame_bytes(&self, index: usize) -> Option<Bytes> {
        self.0.part_bytes(index)
    }

    /// The frames in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.0.get(index).unwrap_or_default())
    }

    /// All frames.
    #[must_use]
    pub fn into_frames(mut self) -> Vec<Bytes> {
        let mut frames = Vec::with_capacity(self.len());
        while let Some(frame) = self.pop_front() {
            frames.push(frame);
        }
        frames
    }

    /// Takes the first frame out.
    pub fn pop_front(&mut self) -> Option<Bytes> {
        self.0.pop_front()
    }

    /// Puts a frame before all others, such as the identity that a ROUTER sends to.
    #[must_use]
    pub fn with_front(self, frame: impl Frame) -> Self {
        Self(omq_tokio::Message::with_prefix(frame.into_bytes(), self.0))
    }

    /// The number of the client that sent it, on a SERVER socket.
    #[must_use]
    pub fn routing_id(&self) -> Option<u32> {
        self.0.routing_id()
    }

    /// Names the client that a SERVER socket shall send it to.
    #[must_use]
    pub fn with_routing_id(self, id: u32) -> Self {
        Self(self.0.with_routing_id(id))
    }
}

impl fmt::Debug for Message {
    /// Each frame as text where it is ASCII, and at most 64 bytes of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for frame in self.iter() {
            let shown = &frame[..frame.len().min(64)];
            let more = if shown.len() < frame.len() { ".." } else { "" };
            list.entry(&format_args!("b\"{}\"{more}", shown.escape_ascii()));
        }
        list.finish()
    }
}

impl From<Bytes> for Message {
    fn from(frame: Bytes) -> Self {
        Self(frame.into())
    }
}

impl From<Vec<u8>> for Message {
    fn from(frame: Vec<u8>) -> Self {
        Self(frame.into())
    }
}

impl From<String> for Message {
    fn from(frame: String) -> Self {
        Self(frame.into())
    }
}

impl From<&str> for Message {
    fn from(frame: &str) -> Self {
        Self(omq_tokio::Message::from_slice(frame.as_bytes()))
    }
}

impl From<&[u8]> for Message {
    fn from(frame: &[u8]) -> Self {
        Self(omq_tokio::Message::from_slice(frame))
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(frame: &[u8; N]) -> Self {
        Self(omq_tokio::Message::from_slice(frame))
    }
}

impl<F: Frame, const N: usize> From<[F; N]> for Message {
    fn from(frames: [F; N]) -> Self {
        Self::frames(frames)
    }
}

impl From<Vec<Bytes>> for Message {
    fn from(frames: Vec<Bytes>) -> Self {
        Self::frames(frames)
    }
}
