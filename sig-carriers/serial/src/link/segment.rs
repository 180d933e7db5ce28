//! The segments of a link, as the bodies of frames. docs/WIRE.md says what they mean.

use sig_wire::preface::MAGIC;

/// The version of links that is spoken here.
pub(super) const VERSION: u8 = 1;

/// Bytes in front of the payload of a data segment.
pub(super) const DATA_HEAD: usize = 5;

/// How many segments the map of an acknowledgement covers, and the largest window.
pub(super) const MOST: u8 = 16;

const ACCEPT: u8 = 0x94;
const DATA: u8 = 0x95;
const ACK: u8 = 0x96;
const RESET: u8 = 0x97;

/// The receiver is asked for an answer; on a half-duplex line it may speak now.
const TURN: u8 = 1;
/// Nothing follows in this direction.
const END: u8 = 2;
/// The line is half duplex.
const HALF: u8 = 1;

/// What two sides tell each other when a link opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) version: u8,
    /// One side speaks at a time.
    pub(super) half: bool,
    /// How many segments it keeps that were not taken yet.
    pub(super) window: u8,
    /// The largest segment that it takes.
    pub(super) largest: u16,
    /// Names the link.
    pub(super) nonce: u32,
}

/// What was received: `next` is the first segment that is missing, and `room` more are taken from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Received {
    pub(super) next: u8,
    pub(super) room: u8,
}

/// Why there is no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The link is not known here.
    Unknown,
    /// It was ended.
    Ended,
    /// The version is not spoken here.
    Version,
}

/// One segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    /// Opens a link, from the side that dials.
    Open(Terms),
    /// Accepts it.
    Accept(Terms),
    /// A piece of the stream.
    Data {
        turn: bool,
        end: bool,
        number: u8,
        received: Received,
        payload: &'a [u8],
    },
    /// What was received; `later` has a bit for each segment behind the first that is missing.
    Ack { turn: bool, received: Received, later: u16 },
    /// There is no link.
    Reset(Why),
}

impl<'a> Segment<'a> {
    /// Reads a segment; `None` if it is none that is known here.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        match body {
            [ACCEPT, terms @ ..] => Some(Self::Accept(Terms::parse(terms)?)),
            [DATA, flags, number, next, room, payload @ ..] => Some(Self::Data {
                turn: flags & TURN != 0,
                end: flags & END != 0,
                number: *number,
                received: Received {
                    next: *next,
                    room: *room,
                },
                payload,
            }),
            [ACK, flags, next, room, low, high, ..] => Some(Self::Ack {
                turn: flags & TURN != 0,
                received: Received {
                    next: *next,
                    room: *room,
                },
                later: u16::from_le_bytes([*low, *high]),
            }),
            [RESET, why, ..] => Some(Self::Reset(match why {
                1 => Why::Ended,
                2 => Why::Version,
                _ => Why::Unknown,
            })),
            _ => Some(Self::Open(Terms::parse(body.strip_prefix(&MAGIC)?)?)),
        }
    }

    /// Appends it: the head, to which the payload of a data segment belongs.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Open(terms) => {
                out.extend(MAGIC);
                terms.write(out);
            }
            Self::Accept(terms) => {
                out.push(ACCEPT);
                terms.write(out);
            }
            Self::Data {
                turn,
                end,
                number,
                received,
                payload,
            } => {
                let flags = if *turn { TURN } else { 0 } | if *end { END } else { 0 };
                out.extend([DATA, flags, *number, received.next, received.room]);
                out.extend_from_slice(payload);
            }
            Self::Ack { turn, received, later } => {
                let [low, high] = later.to_le_bytes();
                out.extend([ACK, u8::from(*turn), received.next, received.room, low, high]);
            }
            Self::Reset(why) => out.extend([
                RESET,
                match why {
                    Why::Unknown => 0,
                    Why::Ended => 1,
                    Why::Version => 2,
                },
            ]),
        }
    }
}

impl Terms {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let [version, flags, window, _, rest @ ..] = bytes else {
            return None;
        };
        let (largest, rest) = rest.split_first_chunk()?;
        Some(Self {
            version: *version,
            half: flags & HALF != 0,
            window: *window,
            largest: u16::from_le_bytes(*largest),
            nonce: u32::from_le_bytes(*rest.first_chunk()?),
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend([self.version, u8::from(self.half), self.window, 0]);
        out.extend(self.largest.to_le_bytes());
        out.extend(self.nonce.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(segment: &Segment<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        segment.write(&mut out);
        out
    }

    /// The bytes of docs/WIRE.md.
    #[test]
    fn the_golden_segments() {
        let terms = Terms {
            version: 1,
            half: false,
            window: 16,
            largest: 4080,
            nonce: 0x0102_0304,
        };
        let received = Received { next: 7, room: 14 };
        let data = Segment::Data {
            turn: false,
            end: false,
            number: 42,
            received,
            payload: b"\x02\0\0\0\x03\0",
        };
        let ack = Segment::Ack {
            turn: true,
            received,
            later: 0b101,
        };
        let golden: [(Segment<'_>, &[u8]); 5] = [
            (
                Segment::Open(terms),
                b"\x93SIG\r\n\x1a\n\x01\x00\x10\x00\xf0\x0f\x04\x03\x02\x01",
            ),
            (Segment::Accept(terms), b"\x94\x01\x00\x10\x00\xf0\x0f\x04\x03\x02\x01"),
            (data, b"\x95\x00\x2a\x07\x0e\x02\0\0\0\x03\0"),
            (ack, b"\x96\x01\x07\x0e\x05\x00"),
            (Segment::Reset(Why::Unknown), b"\x97\x00"),
        ];
        for (segment, bytes) in golden {
            assert_eq!(written(&segment), bytes);
            assert_eq!(Segment::parse(bytes), Some(segment));
            for cut in 0..bytes.len().min(DATA_HEAD) {
                assert_ne!(Segment::parse(&bytes[..cut]), Some(segment));
            }
        }
        assert_eq!(Segment::parse(b"\x98later"), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_segment_or_none(bytes: Vec<u8>) {
            if let Some(segment) = Segment::parse(&bytes) {
                let again = written(&segment);
                prop_assert_eq!(Segment::parse(&again), Some(segment));
            }
        }
    }
}
