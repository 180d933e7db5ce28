//! Messages as they are on the wire, by which they go on as they came.

use std::ops::Range;

use bytes::Bytes;
use omq_tokio::Error;

use crate::Message;

/// From here on a message is shared by the links that it goes to, instead of copied for each.
pub(super) const LARGE: usize = 16 << 10;

/// The header of a frame of ZMTP 3 (RFC 23).
pub(super) struct Header {
    /// Another frame of the same message follows.
    pub(super) is_more: bool,
    pub(super) is_command: bool,
    /// How long it is itself, and what follows it.
    pub(super) length: usize,
    pub(super) body: usize,
}

impl Header {
    const MORE: u8 = 1;
    const LONG: u8 = 2;
    const COMMAND: u8 = 4;

    /// The one that these bytes begin with, once all of it is there.
    pub(super) fn of(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let Some((flags, size)) = bytes.split_first() else {
            return Ok(None);
        };
        let has = |flag| flags & flag != 0;
        if flags & !(Self::MORE | Self::LONG | Self::COMMAND) != 0 || (has(Self::COMMAND) && has(Self::MORE)) {
            return Err(Error::Protocol(format!(
                "there are no frames with the flags {flags:#04x}"
            )));
        }
        let (length, body) = match has(Self::LONG) {
            true => (9, size.first_chunk().copied().map(u64::from_be_bytes)),
            false => (2, size.first().copied().map(u64::from)),
        };
        Ok(body.map(|body| Self {
            is_more: has(Self::MORE),
            is_command: has(Self::COMMAND),
            length,
            body: usize::try_from(body).unwrap_or(usize::MAX),
        }))
    }

    /// How long the whole frame is.
    pub(super) const fn frame(&self) -> usize {
        self.length.saturating_add(self.body)
    }
}

/// Bytes of whole frames.
pub(super) enum Frames<'a> {
    Small(&'a [u8]),
    Large(Bytes),
}

impl Frames<'_> {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large(bytes) => bytes,
        }
    }

    /// A part of them, to be kept.
    fn share(&self, part: &[u8]) -> Bytes {
        match self {
            Self::Small(_) => Bytes::copy_from_slice(part),
            Self::Large(bytes) => bytes.slice_ref(part),
        }
    }

    fn cut(&self, begin: usize) -> Frames<'_> {
        match self {
            Self::Small(bytes) => Frames::Small(&bytes[begin..]),
            Self::Large(bytes) => Frames::Large(bytes.slice(begin..)),
        }
    }
}

/// A message of one frame at least.
pub(super) struct Wired<'a> {
    /// A frame that was put before the others, or nothing.
    pub(super) front: &'a [u8],
    pub(super) frames: Frames<'a>,
    /// Where the body of the first of them is.
    pub(super) first: Range<usize>,
    /// How long the bodies are together.
    pub(super) bytes: usize,
}

impl<'a> Wired<'a> {
    /// The body of its first frame.
    pub(super) fn first(&self) -> &[u8] {
        &self.frames.as_slice()[self.first.clone()]
    }

    /// Whether there is no other frame.
    pub(super) fn is_one_frame(&self) -> bool {
        self.first.end == self.frames.as_slice().len()
    }

    /// With a frame before the others, header and all, and a body of that length.
    pub(super) fn with_front(self, front: &'a [u8], bytes: usize) -> Self {
        let bytes = self.bytes + bytes;
        Self { front, bytes, ..self }
    }

    /// What follows the first frame.
    pub(super) fn rest(&self) -> Frames<'_> {
        self.frames.cut(self.first.end)
    }

    /// For whoever looks at it frame by frame.
    pub(super) fn to_message(&self) -> Message {
        let front = bodies(self.front).map(Bytes::copy_from_slice);
        let others = bodies(self.frames.as_slice()).map(|body| self.frames.share(body));
        Message::frames(front.chain(others))
    }
}

/// The bodies of whole frames.
fn bodies(mut frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let header = Header::of(frames).ok().flatten()?;
        let (frame, rest) = frames.split_at_checked(header.frame())?;
        frames = rest;
        Some(&frame[header.length..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_large_message_is_no_copy() {
        let bytes = [&[2, 0, 0, 0, 0, 0, 0, 0x40, 0][..], &[7; LARGE]].concat();
        let frames = Frames::Large(bytes.into());
        let body = bodies(frames.as_slice()).next().unwrap();
        assert_eq!(frames.share(body).as_ptr(), body.as_ptr());
        assert_eq!(frames.share(body), vec![7; LARGE]);
    }
}
