//! Frames that go to a peer one behind the other: small ones together, large ones in pieces.

use std::collections::VecDeque;

use bytes::Bytes;
use sig_core::{Batch, Encoding};
use sig_wire::Flags;

use super::lanes::Load;
use crate::chunks::Cut;

/// Frames that go to a peer one behind the other.
pub(super) struct Bulk {
    lane: Flags,
    /// What waits in front of the rest, since something large is among it.
    front: VecDeque<(Waiting, Load)>,
    in_front: Load,
    rest: Batch,
    in_rest: Load,
    /// Small frames go together up to so many bytes.
    portion: usize,
}

enum Waiting {
    Small(Batch),
    Large(Cut),
}

impl Bulk {
    /// Whose large frames go in chunks of this lane, and whose small ones go up to so many bytes together.
    pub(super) fn new(encoding: Encoding, lane: Flags, portion: usize) -> Self {
        Self {
            lane,
            front: VecDeque::new(),
            in_front: Load::default(),
            rest: Batch::new(encoding),
            in_rest: Load::default(),
            portion,
        }
    }

    pub(super) fn portion(&self) -> usize {
        self.portion
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.front.is_empty()
    }

    /// Whether something large waits, or what is behind it.
    pub(super) fn has_large(&self) -> bool {
        !self.front.is_empty()
    }

    /// All that waits.
    pub(super) fn load(&self) -> Load {
        self.in_front + self.in_rest
    }

    /// Where small frames are appended, each of which is to be [counted](Self::count).
    pub(super) fn rest(&mut self) -> &mut Batch {
        &mut self.rest
    }

    /// What was just appended to the [rest](Self::rest) counts so.
    #[inline]
    pub(super) fn count(&mut self, load: Load) {
        self.in_rest += load;
        if self.in_rest.bytes > self.portion {
            self.set_apart(load.bytes, load);
        }
    }

    /// So many bytes were just appended to the [rest](Self::rest) that do not count.
    pub(super) fn appended(&mut self, bytes: usize) {
        if self.portion < usize::MAX && self.rest.byte_len() > self.portion {
            self.set_apart(bytes, Load::default());
        }
    }

    /// With its last frame, which has so many bytes, the rest is more than a portion: that begins the next one.
    #[cold]
    fn set_apart(&mut self, size: usize, load: Load) {
        if self.rest.byte_len() <= size {
            return;
        }
        let last = split_last(&mut self.rest, size);
        let mut next = Batch::new(Encoding::Sig1);
        next.bytes().extend_from_slice(&last);
        let mut in_full = std::mem::replace(&mut self.in_rest, load);
        in_full -= load;
        let full = std::mem::replace(&mut self.rest, next);
        self.front.push_back((Waiting::Small(full), in_full));
        self.in_front += in_full;
    }

    /// The last so many bytes of the [rest](Self::rest), which were not counted yet, are a large frame.
    pub(super) fn cut_off(&mut self, size: usize, load: Load) {
        let frame = split_last(&mut self.rest, size);
        self.push_large([frame], load);
    }

    /// Puts in a large frame whose bytes lie in these pieces of memory.
    pub(super) fn push_large(&mut self, frame: impl IntoIterator<Item = Bytes>, load: Load) {
        if !self.rest.is_empty() {
            let rest = std::mem::replace(&mut self.rest, Batch::new(Encoding::Sig1));
            let in_rest = std::mem::take(&mut self.in_rest);
            self.front.push_back((Waiting::Small(rest), in_rest));
            self.in_front += in_rest;
        }
        self.front.push_back((Waiting::Large(Cut::new(frame, self.lane)), load));
        self.in_front += load;
    }

    /// Moves what is first into `batch`, which is empty: small frames together, or so many bytes of a large one. Gives what
    /// has gone with it, where something large counts when all of it has.
    pub(super) fn take(&mut self, chunk: usize, batch: &mut Batch) -> Option<Load> {
        let Some((waiting, load)) = self.front.front_mut() else {
            if self.rest.is_empty() {
                return None;
            }
            std::mem::swap(&mut self.rest, batch);
            return Some(std::mem::take(&mut self.in_rest));
        };
        match waiting {
            Waiting::Small(frames) => std::mem::swap(frames, batch),
            Waiting::Large(cut) => {
                *batch = cut.next(chunk);
                if cut.left() > 0 {
                    return Some(Load::default());
                }
            }
        }
        let load = *load;
        self.front.pop_front();
        self.in_front -= load;
        Some(load)
    }

    /// Lets go of buffers in which nothing is.
    pub(super) fn shrink(&mut self, encoding: Encoding) {
        if self.rest.is_empty() {
            self.rest = Batch::new(encoding);
        }
        if self.front.is_empty() {
            self.front = VecDeque::new();
        }
    }
}

/// Takes the last so many bytes off a batch, which are one frame.
pub(super) fn split_last(batch: &mut Batch, size: usize) -> Bytes {
    let bytes = batch.bytes();
    bytes.split_off(bytes.len().saturating_sub(size)).freeze()
}
