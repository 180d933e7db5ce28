//! What came in by one link and was not passed on yet.

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
use omq_tokio::Error;

use super::wired::{Frames, Header, LARGE, Wired};

/// The longest command. One that subscribes has at most 1 KiB, and the others are shorter.
const COMMAND: usize = 64 << 10;

/// What the headers of a message may take beyond the longest message, so that a thousand frames are no reason to refuse that one.
const HEADERS: usize = 9 << 10;

/// How much room is kept by a link that has nothing to pass on.
const KEPT: usize = 512;

/// What is next.
pub(super) enum Part<'a> {
    Message(Wired<'a>),
    /// The whole frame.
    Command(Bytes),
}

/// Bytes in their order, and how far they were looked at.
pub(super) struct Inbox {
    /// The longest message, without its headers.
    longest: usize,
    bytes: BytesMut,
    /// What is before it was passed on.
    begin: usize,
    message: Looked,
}

/// How much of a message was looked at: whole frames of it.
#[derive(Default)]
struct Looked {
    wire: usize,
    first: Range<usize>,
    bytes: usize,
}

impl Inbox {
    pub(super) fn new(longest: usize) -> Self {
        Self {
            longest,
            bytes: BytesMut::new(),
            begin: 0,
            message: Looked::default(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.forget();
        self.bytes.extend_from_slice(bytes);
    }

    /// Gives back the room, where it is much and there is nothing in it.
    pub(super) fn shrink(&mut self) {
        self.forget();
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = BytesMut::new();
        }
    }

    /// At most so many bytes, as they are.
    pub(super) fn take(&mut self, most: usize) -> Option<Bytes> {
        self.forget();
        let most = most.min(self.bytes.len());
        (most > 0).then(|| self.bytes.split_to(most).freeze())
    }

    /// The next frame, whatever it is, of a handshake.
    pub(super) fn frame(&mut self) -> Result<Option<Bytes>, Error> {
        let left = &self.bytes[self.begin..];
        match Header::of(left)? {
            Some(header) if header.body > COMMAND => Err(too_large(header.body, COMMAND)),
            Some(header) if header.frame() <= left.len() => Ok(self.take(header.frame())),
            _ => Ok(None),
        }
    }

    /// The next message or command, once all of it is there. An error as soon as it is known to be one.
    pub(super) fn next(&mut self) -> Result<Option<Part<'_>>, Error> {
        loop {
            let at = self.begin + self.message.wire;
            let left = &self.bytes[at..];
            let Some(header) = Header::of(left)? else {
                return Ok(None);
            };
            self.check(&header)?;
            if header.frame() > left.len() {
                return Ok(None);
            }
            if header.is_command {
                return Ok(Some(Part::Command(self.cut(at, header.frame()))));
            }
            let looked = &mut self.message;
            if looked.wire == 0 {
                looked.first = header.length..header.frame();
            }
            looked.wire += header.frame();
            looked.bytes += header.body;
            if !header.is_more {
                return Ok(Some(Part::Message(self.message())));
            }
        }
    }

    fn check(&self, header: &Header) -> Result<(), Error> {
        let (most, bytes, wire) = match header.is_command {
            true => (COMMAND, header.body, 0),
            false => (
                self.longest,
                header.body.saturating_add(self.message.bytes),
                header.frame().saturating_add(self.message.wire),
            ),
        };
        match bytes > most || wire > most.saturating_add(HEADERS) {
            true => Err(too_large(bytes.max(wire), most)),
            false => Ok(()),
        }
    }

    /// The message that was looked at as a whole.
    fn message(&mut self) -> Wired<'_> {
        let looked = std::mem::take(&mut self.message);
        let frames = match looked.wire {
            LARGE.. => {
                self.forget();
                Frames::Large(self.bytes.split_to(looked.wire).freeze())
            }
            length => {
                let begin = self.begin;
                self.begin += length;
                Frames::Small(&self.bytes[begin..self.begin])
            }
        };
        Wired {
            front: &[],
            frames,
            first: looked.first,
            bytes: looked.bytes,
        }
    }

    /// Takes a command out. libzmq sends them between the frames of a message, too.
    fn cut(&mut self, at: usize, length: usize) -> Bytes {
        let command = Bytes::copy_from_slice(&self.bytes[at..at + length]);
        if at == self.begin {
            self.begin += length;
        } else {
            self.bytes.copy_within(at + length.., at);
            self.bytes.truncate(self.bytes.len() - length);
        }
        command
    }

    fn forget(&mut self) {
        match std::mem::take(&mut self.begin) {
            0 => {}
            all if all == self.bytes.len() => self.bytes.clear(),
            some => self.bytes.advance(some),
        }
    }
}

fn too_large(size: usize, max: usize) -> Error {
    Error::MessageTooLarge { size, max }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    /// All that is there, messages and commands.
    fn all(inbox: &mut Inbox) -> Result<Vec<(Message, Option<Bytes>)>, Error> {
        let mut parts = Vec::new();
        while let Some(part) = inbox.next()? {
            parts.push(match part {
                Part::Message(wired) => {
                    let message = wired.to_message();
                    assert_eq!(wired.bytes, message.byte_len());
                    assert_eq!(Some(wired.first()), message.frame(0));
                    assert_eq!(wired.is_one_frame(), message.len() == 1);
                    (message, None)
                }
                Part::Command(command) => (Message::new(), Some(command)),
            });
        }
        inbox.shrink();
        Ok(parts)
    }

    #[test]
    fn messages_and_commands_are_found_however_their_bytes_come() {
        let long = vec![7; 300];
        let large = vec![8; LARGE];
        let mut wire = b"\x01\x01a\x00\x01b\x04\x05\x04PONG\x00\x00\x01\x01c".to_vec();
        wire.extend_from_slice(b"\x04\x02\x01x"); // between two frames
        wire.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 1, 44]);
        wire.extend_from_slice(&long);
        wire.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0x40, 0]);
        wire.extend_from_slice(&large);
        wire.extend_from_slice(b"\x00\x01d");
        let expected = [
            (["a", "b"].into(), None),
            (Message::new(), Some(Bytes::from_static(b"\x04\x05\x04PONG"))),
            ("".into(), None),
            (Message::new(), Some(Bytes::from_static(b"\x04\x02\x01x"))),
            ([&b"c"[..], &long].map(Bytes::copy_from_slice).into(), None),
            (large.into(), None),
            ("d".into(), None),
        ];
        for piece in [1, 2, 3, 7, 64, 301, 4096, wire.len()] {
            let mut inbox = Inbox::new(LARGE);
            let mut parts = Vec::new();
            for bytes in wire.chunks(piece) {
                inbox.push(bytes);
                parts.extend(all(&mut inbox).unwrap());
            }
            assert_eq!(parts, expected, "in pieces of {piece}");
            assert!(inbox.bytes.capacity() <= KEPT, "not much is held");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_before_it_is_there() {
        let refused = |wire: &[u8]| {
            let mut inbox = Inbox::new(100);
            inbox.push(wire);
            all(&mut inbox).is_err()
        };
        assert!(refused(b"\x00\x65"), "one byte too many");
        assert!(!refused(b"\x00\x64"));
        assert!(refused(b"\x01\x02ab\x00\x63"), "together");
        assert!(!refused(b"\x01\x02ab\x00\x62"));
        assert!(refused(b"\x02\xff\xff\xff\xff\xff\xff\xff\xff"));
        assert!(refused(b"\x08") && refused(b"\x05\x00"), "flags");
        assert!(
            refused(b"\x06\x00\x00\x00\x00\x00\x01\x00\x01"),
            "a command of 64 KiB and a byte"
        );
        assert!(!refused(&b"\x01\x00".repeat(HEADERS / 2)));
        assert!(refused(&b"\x01\x00".repeat(HEADERS / 2 + 51)), "frames without an end");
    }

    #[test]
    fn a_handshake_is_taken_out_to_the_byte() {
        let mut inbox = Inbox::new(100);
        inbox.push(b"greeting\x04\x02ok\x00\x01a");
        assert_eq!(inbox.take(5).unwrap(), "greet");
        assert_eq!(inbox.take(3).unwrap(), "ing");
        assert_eq!(inbox.frame().unwrap().unwrap(), "\x04\x02ok");
        assert_eq!(all(&mut inbox).unwrap(), [("a".into(), None)]);
        inbox.push(b"\x04\x02o");
        assert_eq!(inbox.frame().unwrap(), None);
        assert_eq!(Inbox::new(100).take(1), None);
        inbox.push(b"k\x06\x00\x00\x00\x00\x00\x01\x00\x01");
        assert_eq!(inbox.frame().unwrap().unwrap(), "\x04\x02ok");
        assert!(inbox.frame().is_err());
    }
}
