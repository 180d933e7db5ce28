//! Several messages on their way to or from one client.

use std::collections::VecDeque;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use sig_wire::{Flags, Kind};

use crate::client::Encoding;
use crate::codec::{Codec as _, Json};
use crate::error::CodecError;
use crate::message::Message;

/// Several messages on their way to or from one client, in order.
///
/// Opaque, with three views of which a carrier uses the one that fits its medium:
///
/// - [`next_message`](Self::next_message): values, for a carrier inside one process;
/// - [`next_frame`](Self::next_frame): one message's bytes at a time, for a medium that keeps boundaries;
/// - [`bytes`](Self::bytes): one run of length-prefixed sig/1 frames, for a byte stream; [`pieces`](Self::pieces) gives the
///   same run, for a stream that writes from several pieces of memory at once.
///
/// Batch boundaries mean nothing: messages may arrive in other batches than they were sent in.
#[derive(Debug, Clone)]
pub struct Batch {
    items: Items,
}

#[derive(Debug, Clone)]
enum Items {
    Values(VecDeque<Message>),
    Stream(BytesMut),
    /// The same run, in several pieces of memory.
    Pieces(VecDeque<Bytes>),
    Frames {
        frames: VecDeque<Bytes>,
        encoding: Encoding,
    },
}

impl Batch {
    /// An empty batch for a peer of this encoding, as a router fills it.
    #[must_use]
    pub fn new(encoding: Encoding) -> Self {
        let items = match encoding {
            Encoding::Values => Items::Values(VecDeque::new()),
            Encoding::Sig1 => Items::Stream(BytesMut::new()),
            Encoding::Packed => Items::Frames {
                frames: VecDeque::new(),
                encoding,
            },
        };
        Self { items }
    }

    /// A batch of one run of whole, length-prefixed sig/1 frames, as read from a byte stream.
    #[must_use]
    pub fn from_stream(bytes: BytesMut) -> Self {
        Self {
            items: Items::Stream(bytes),
        }
    }

    /// An empty batch to which a carrier that keeps message boundaries adds frames with
    /// [`push_frame`](Self::push_frame): for [`Encoding::Sig1`] sig/1 frames without their length, for
    /// [`Encoding::Packed`] packed messages.
    #[must_use]
    pub fn of_frames(encoding: Encoding) -> Self {
        Self {
            items: Items::Frames {
                frames: VecDeque::new(),
                encoding,
            },
        }
    }

    /// A batch of one run of whole, length-prefixed sig/1 frames that lies in several pieces of memory.
    #[must_use]
    pub fn of_pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self {
            items: Items::Pieces(pieces.into_iter().filter(|piece| !piece.is_empty()).collect()),
        }
    }

    /// A batch of values.
    #[must_use]
    pub fn of_values(values: impl IntoIterator<Item = Message>) -> Self {
        Self {
            items: Items::Values(values.into_iter().collect()),
        }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.items {
            Items::Values(values) => values.is_empty(),
            Items::Stream(bytes) => bytes.is_empty(),
            Items::Pieces(pieces) => pieces.is_empty(),
            Items::Frames { frames, .. } => frames.is_empty(),
        }
    }

    /// How many bytes the packed messages have; values count as nothing.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match &self.items {
            Items::Values(_) => 0,
            Items::Stream(bytes) => bytes.len(),
            Items::Pieces(frames) | Items::Frames { frames, .. } => frames.iter().map(Bytes::len).sum(),
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        match &mut self.items {
            Items::Values(values) => values.clear(),
            Items::Stream(bytes) => bytes.clear(),
            Items::Pieces(frames) | Items::Frames { frames, .. } => frames.clear(),
        }
    }

    /// Adds one frame, without a length prefix. A batch of values reads it as JSON later.
    pub fn push_frame(&mut self, frame: Bytes) {
        match &mut self.items {
            Items::Frames { frames, .. } => frames.push_back(frame),
            Items::Stream(_) | Items::Pieces(_) => put_frame(self.bytes(), &[], &frame),
            Items::Values(_) => {
                let mut frames: VecDeque<Bytes> = self.drain_frames().collect();
                frames.push_back(frame);
                self.items = Items::Frames {
                    frames,
                    encoding: Encoding::Sig1,
                };
            }
        }
    }

    /// Adds one message as a value. A packed batch packs it as a sig/1 control frame with JSON.
    ///
    /// # Errors
    ///
    /// [`CodecError`] when the message cannot be packed.
    pub fn push_message(&mut self, message: Message) -> Result<(), CodecError> {
        if let Items::Values(values) = &mut self.items {
            values.push_back(message);
            return Ok(());
        }
        let frame = frame_of(&message)?;
        self.push_frame(frame);
        Ok(())
    }

    /// Takes the first message as a value; `None` when the batch is empty or is not one of values.
    pub fn next_message(&mut self) -> Option<Message> {
        match &mut self.items {
            Items::Values(values) => values.pop_front(),
            Items::Stream(_) | Items::Pieces(_) | Items::Frames { .. } => None,
        }
    }

    /// Takes the first message as the bytes of one frame, without a length prefix.
    ///
    /// For [`Encoding::Sig1`] and values these are `kind | flags | body`, for [`Encoding::Packed`] the packed message.
    /// A value that cannot be packed is skipped.
    pub fn next_frame(&mut self) -> Option<Bytes> {
        match &mut self.items {
            Items::Frames { frames, .. } => frames.pop_front(),
            Items::Stream(_) | Items::Pieces(_) => take_frame(self.bytes()),
            Items::Values(values) => loop {
                if let Ok(frame) = frame_of(&values.pop_front()?) {
                    return Some(frame);
                }
            },
        }
    }

    /// Everything as one run of length-prefixed sig/1 frames. Whoever writes them out leaves the buffer empty.
    pub fn bytes(&mut self) -> &mut BytesMut {
        if let Items::Pieces(pieces) = &self.items {
            let mut bytes = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
            pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
            self.items = Items::Stream(bytes);
        }
        if !matches!(self.items, Items::Stream(_)) {
            let packed = matches!(
                self.items,
                Items::Frames {
                    encoding: Encoding::Packed,
                    ..
                }
            );
            let mut bytes = BytesMut::new();
            for frame in self.drain_frames() {
                if packed {
                    put_frame(&mut bytes, &[Kind::Packed.to_byte(), Flags::NONE.to_byte()], &frame);
                } else {
                    put_frame(&mut bytes, &[], &frame);
                }
            }
            self.items = Items::Stream(bytes);
        }
        match &mut self.items {
            Items::Stream(bytes) => bytes,
            Items::Values(_) | Items::Pieces(_) | Items::Frames { .. } => unreachable!("made a stream just above"),
        }
    }

    /// The encoding that this batch has by itself: what [`Receiver`](crate::Receiver)s go by.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        match &self.items {
            Items::Values(_) => Encoding::Values,
            Items::Stream(_) | Items::Pieces(_) => Encoding::Sig1,
            Items::Frames { encoding, .. } => *encoding,
        }
    }

    /// The run of bytes, if the batch is one already. Routers parse it in place.
    #[must_use]
    pub fn stream(&mut self) -> Option<&mut BytesMut> {
        match &mut self.items {
            Items::Stream(bytes) => Some(bytes),
            Items::Values(_) | Items::Pieces(_) | Items::Frames { .. } => None,
        }
    }

    /// What [`bytes`](Self::bytes) gives, if it lies in several pieces of memory: large payloads are not copied to get out.
    /// Whoever writes them out takes them off the front.
    #[must_use]
    pub fn pieces(&mut self) -> Option<&mut VecDeque<Bytes>> {
        match &mut self.items {
            Items::Pieces(pieces) => Some(pieces),
            Items::Values(_) | Items::Stream(_) | Items::Frames { .. } => None,
        }
    }

    fn drain_frames(&mut self) -> impl Iterator<Item = Bytes> + '_ {
        std::iter::from_fn(|| self.next_frame())
    }
}

/// One value as a sig/1 frame without its length.
fn frame_of(message: &Message) -> Result<Bytes, CodecError> {
    let mut bytes = BytesMut::new();
    bytes.put_slice(&[Kind::Control.to_byte(), Flags::NONE.to_byte()]);
    Json.pack(message, &mut bytes)?;
    Ok(bytes.freeze())
}

/// Appends a frame made of these two parts, with its length in front.
fn put_frame(bytes: &mut BytesMut, head: &[u8], rest: &[u8]) {
    bytes.put_u32_le(u32::try_from(head.len() + rest.len()).unwrap_or(u32::MAX));
    bytes.put_slice(head);
    bytes.put_slice(rest);
}

/// Takes one length-prefixed frame off the front; what cannot be a frame is dropped with the rest.
fn take_frame(bytes: &mut BytesMut) -> Option<Bytes> {
    if bytes.len() < size_of::<u32>() {
        bytes.clear();
        return None;
    }
    let length = bytes.get_u32_le() as usize;
    if length > bytes.len() {
        bytes.clear();
        return None;
    }
    Some(bytes.split_to(length).freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, RawJson};

    fn calls(count: u64) -> Vec<Message> {
        (0..count)
            .map(|id| Call::new(id, "m", RawJson::null()).into())
            .collect()
    }

    #[test]
    fn the_three_views_hold_the_same_messages() {
        let frames: Vec<Bytes> = Batch::of_values(calls(3)).drain_frames().collect();
        assert_eq!(frames.len(), 3);

        let mut stream = Batch::from_stream(Batch::of_values(calls(3)).bytes().clone());
        assert_eq!(stream.drain_frames().collect::<Vec<_>>(), frames);

        let mut boundaries = Batch::of_frames(Encoding::Sig1);
        frames.iter().cloned().for_each(|frame| boundaries.push_frame(frame));
        assert_eq!(boundaries.bytes(), Batch::of_values(calls(3)).bytes());

        let mut values = Batch::of_values(calls(3));
        assert_eq!(
            std::iter::from_fn(|| values.next_message()).collect::<Vec<_>>(),
            calls(3)
        );
    }

    #[test]
    fn pieces_are_the_run_that_they_make() {
        let whole = Batch::of_values(calls(3)).bytes().clone().freeze();
        let pieces = || Batch::of_pieces([whole.slice(..5), Bytes::new(), whole.slice(5..40), whole.slice(40..)]);
        assert_eq!(pieces().pieces().unwrap().len(), 3);
        assert_eq!(
            (pieces().byte_len(), pieces().encoding()),
            (whole.len(), Encoding::Sig1)
        );
        assert_eq!(pieces().bytes(), &whole);
        let frames: Vec<Bytes> = Batch::of_values(calls(3)).drain_frames().collect();
        assert_eq!(pieces().drain_frames().collect::<Vec<_>>(), frames);
        let mut more = pieces();
        more.push_frame(Bytes::from_static(b"\x80\0"));
        assert_eq!(more.drain_frames().count(), 4);
    }

    #[test]
    fn packed_messages_become_packed_frames_on_a_stream() {
        let mut batch = Batch::of_frames(Encoding::Packed);
        batch.push_frame(Bytes::from_static(b"xyz"));
        assert_eq!(&batch.bytes()[..], [5, 0, 0, 0, 0x05, 0, b'x', b'y', b'z']);
    }
}
