//! Large frames in pieces, so that nothing waits long behind them.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use sig_core::{Batch, CodecError};
use sig_wire::frame::LEN_FIELD;
use sig_wire::{Flags, Frame, Kind, encode_header};

/// Most memory that a frame gets before it has come.
const AT_ONCE: usize = 1024 * 1024;

/// A large frame on its way out.
#[derive(Debug)]
pub(crate) struct Cut {
    /// [`Flags::AHEAD`] or none.
    lane: Flags,
    /// What has not gone yet.
    rest: VecDeque<Bytes>,
    left: usize,
}

impl Cut {
    /// A frame whose bytes lie in these pieces of memory, on the way of this lane.
    pub(crate) fn new(frame: impl IntoIterator<Item = Bytes>, lane: Flags) -> Self {
        let rest: VecDeque<Bytes> = frame.into_iter().filter(|piece| !piece.is_empty()).collect();
        let left = rest.iter().map(Bytes::len).sum();
        Self { lane, rest, left }
    }

    /// How many of its bytes have not gone yet.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// The next so many bytes of it at most, as a chunk. Nothing is copied but the header.
    pub(crate) fn next(&mut self, most: usize) -> Batch {
        let size = most.clamp(1, self.left.max(1)).min(self.left);
        self.left -= size;
        let flags = if self.left > 0 {
            self.lane | Flags::MORE
        } else {
            self.lane
        };
        // Cannot fail: the frame that it is of had a length.
        let header = encode_header(Kind::Chunk, flags, size, u32::MAX).unwrap_or_default();
        let mut wanted = size;
        let rest = &mut self.rest;
        let pieces = std::iter::from_fn(|| {
            let front = rest.front_mut().filter(|_| wanted > 0)?;
            let piece = front.split_to(wanted.min(front.len()));
            wanted -= piece.len();
            if front.is_empty() {
                rest.pop_front();
            }
            Some(piece)
        });
        Batch::of_pieces([Bytes::copy_from_slice(&header)].into_iter().chain(pieces))
    }
}

/// The pieces that came of large frames: one of each lane at a time.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    events: BytesMut,
    ahead: BytesMut,
}

impl Assembly {
    /// Takes a chunk; gives the whole frame, with its length, if it was the last of one.
    ///
    /// # Errors
    ///
    /// When it is no piece of a frame within this limit.
    pub(crate) fn take(&mut self, chunk: &Frame<'_>, max_frame: usize) -> Result<Option<Bytes>, CodecError> {
        let so_far = match chunk.flags.contains(Flags::AHEAD) {
            true => &mut self.ahead,
            false => &mut self.events,
        };
        if chunk.body.is_empty() {
            return Err(CodecError::Frame("a chunk without anything in it".to_owned()));
        }
        if so_far.is_empty() {
            let claimed = chunk
                .body
                .first_chunk()
                .map_or(0, |len| u32::from_le_bytes(*len) as usize);
            so_far.reserve(LEN_FIELD.saturating_add(claimed).min(AT_ONCE));
        }
        so_far.extend_from_slice(chunk.body);
        let size = so_far.len() - LEN_FIELD.min(so_far.len());
        let claimed = so_far.first_chunk().map(|len| u32::from_le_bytes(*len) as usize);
        let largest = size.max(claimed.unwrap_or(0));
        if largest > max_frame {
            return Err(CodecError::TooLarge {
                size: largest,
                limit: max_frame,
            });
        }
        let more = chunk.flags.contains(Flags::MORE);
        match claimed {
            Some(claimed) if !more && claimed == size => Ok(Some(std::mem::take(so_far).freeze())),
            Some(claimed) if more && claimed > size => Ok(None),
            None if more => Ok(None),
            _ => Err(CodecError::Frame(format!(
                "chunks of {size} bytes, of a frame of {}",
                claimed.unwrap_or(0)
            ))),
        }
    }
}
