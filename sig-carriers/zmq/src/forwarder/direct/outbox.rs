//! What is still to be written to one link.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};

use super::wired::Frames;

/// How much room is kept by a link that has nothing to write.
const KEPT: usize = 256 << 10;

/// Bytes in their order, and where each message among them ends.
#[derive(Default)]
pub(super) struct Outbox {
    /// Before the tail.
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    pushed: u64,
    written: u64,
    ends: VecDeque<u64>,
}

impl Outbox {
    /// How many messages wait, one that is written in part among them.
    pub(super) fn messages(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.pushed - self.written
    }

    /// A message: a frame, or nothing, and other frames behind it.
    pub(super) fn push(&mut self, front: &[u8], frames: &Frames<'_>) {
        self.push_command(front);
        match frames {
            Frames::Small(bytes) => self.push_command(bytes),
            Frames::Large(bytes) => {
                if !self.tail.is_empty() {
                    self.pieces.push_back(self.tail.split().freeze());
                }
                self.pushed += bytes.len() as u64;
                self.pieces.push_back(bytes.clone());
            }
        }
        self.ends.push_back(self.pushed);
    }

    /// Something that is no message, and no part of one.
    pub(super) fn push_command(&mut self, bytes: &[u8]) {
        self.pushed += bytes.len() as u64;
        self.tail.extend_from_slice(bytes);
    }

    /// What is to be written next; nothing when all is written.
    pub(super) fn next(&self) -> &[u8] {
        match self.pieces.front() {
            Some(piece) => piece,
            None => &self.tail,
        }
    }

    /// That much of [`next`](Self::next) is written.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.written += bytes as u64;
        match self.pieces.front_mut() {
            Some(piece) => {
                piece.advance(bytes);
                if piece.is_empty() {
                    self.pieces.pop_front();
                }
            }
            None if bytes < self.tail.len() => self.tail.advance(bytes),
            None if self.tail.capacity() > KEPT => self.tail = BytesMut::new(),
            None => self.tail.clear(),
        }
        while self.ends.front().is_some_and(|end| *end <= self.written) {
            self.ends.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_their_order_and_messages_are_counted_until_their_last_one() {
        let mut outbox = Outbox::default();
        let large = [&[2, 0, 0, 0, 0, 0, 0, 0x40, 0][..], &[7; 0x4000]].concat();
        outbox.push(b"\x01\x01a", &Frames::Small(b"\x00\x01b"));
        outbox.push(b"", &Frames::Large(large.clone().into()));
        outbox.push(b"", &Frames::Small(b"\x00\x01c"));
        outbox.push_command(b"!");
        let wire = [&b"\x01\x01a\x00\x01b"[..], &large, b"\x00\x01c!"].concat();
        assert_eq!((outbox.messages(), outbox.bytes()), (3, wire.len() as u64));

        let mut seen = Vec::new();
        for (bytes, left) in [(5, 3), (1, 2), (100, 2), (large.len() - 100, 1), (2, 1), (1, 0), (1, 0)] {
            seen.extend_from_slice(&outbox.next()[..bytes]);
            outbox.advance(bytes);
            assert_eq!(outbox.messages(), left);
        }
        assert_eq!(seen, wire);
        assert!(outbox.next().is_empty() && outbox.bytes() == 0);
    }
}
