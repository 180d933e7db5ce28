//! What must hold for any bytes on a serial line, and for any segments of a link.
#![allow(dead_code, reason = "each target uses one of them")]

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sig_carrier_serial::framing::{Dialect, Item, Reader, Settings, Writer, is_document};
use sig_carrier_serial::link::{Engine, Pace};
use sig_carrier_serial::{Check, Codec, Options};

/// Lines. The first byte chooses what is required of them and in which pieces they come, the others are a [script](Wire).
pub(crate) fn line(data: &[u8]) {
    let Some((&how, script)) = data.split_first() else {
        return;
    };
    let settings = Settings {
        codec: if how & 1 == 1 { Codec::Lines } else { Codec::Auto },
        check: [Check::None, Check::Crc16, Check::Crc32, Check::Crc32][usize::from(how >> 1 & 3)],
        max_frame: 64 + usize::from(how),
    };
    let wire = Wire::of(script);
    let (items, _) = read_in_any_pieces(settings, &[], &wire.0, usize::from(how >> 3) + 1);
    if settings.codec == Codec::Lines && settings.check == Check::Crc32 {
        let wanted = checked_lines(&wire.0, settings.max_frame);
        assert_eq!(documents(&items), wanted);
    }
}

/// Frames, settled by an option or by a first frame. The first byte chooses that, and in which pieces they come.
pub(crate) fn frame(data: &[u8]) {
    let Some((&how, script)) = data.split_first() else {
        return;
    };
    let by_option = how & 1 == 1;
    let settings = Settings {
        codec: if by_option { Codec::Frames } else { Codec::Auto },
        max_frame: 64 + usize::from(how),
        ..Settings::default()
    };
    let mut first = BytesMut::new();
    Writer::segment(&[&[0x95, 0, 1, 2, 3]], &mut first);
    let before: &[u8] = if by_option { &[] } else { &first };
    let wire = Wire::of(script);
    let (items, mut reader) = read_in_any_pieces(settings, before, &wire.0, usize::from(how >> 1) + 1);
    let found: Vec<_> = items.iter().filter(|item| !matches!(item, Item::Log(_))).collect();
    let wanted = whole_frames(&[before, &wire.0].concat(), settings.max_frame);
    assert_eq!(found, wanted.iter().collect::<Vec<_>>());
    // Whatever came: between two delimiters the next frame is found.
    let found = read(&mut reader, [&first[..]].into_iter());
    assert!(matches!(found.last(), Some(Item::Segment(body)) if body[..] == [0x95, 0, 1, 2, 3]));
}

/// What stands on a line: what peers write, damage to that, and anything else.
struct Wire(BytesMut);

impl Wire {
    /// Each step is a byte that says what and how much, and the bytes that it takes.
    fn of(script: &[u8]) -> Self {
        let mut wire = Self(BytesMut::new());
        let mut rest = script;
        while let Some((&op, after)) = rest.split_first() {
            let many = usize::from(op >> 3);
            let size = if op & 7 < 2 { many } else { many * 8 };
            let (bytes, after) = after.split_at(size.min(after.len()));
            let text = if bytes.is_empty() {
                b"{\"n\":7,\"temp\":21.5}"
            } else {
                bytes
            };
            let dialect = match op & 7 {
                2 => Some(Dialect::Lines(Check::None)),
                3 => Some(Dialect::Lines(Check::Crc16)),
                4 => Some(Dialect::Lines(Check::Crc32)),
                5 => Some(Dialect::Frames),
                _ => None,
            };
            rest = after;
            match (dialect, op & 7) {
                (Some(dialect), _) => Writer::new(dialect).document(text, &mut wire.0),
                (None, 6) => Writer::segment(&[&[0x95], bytes], &mut wire.0),
                (None, 7) => {
                    // Damage among the last bytes.
                    if let Some(at) = wire.0.len().checked_sub(many + 1) {
                        wire.0[at] ^= bytes.first().copied().unwrap_or(1);
                    }
                }
                (None, _) => wire.0.extend_from_slice(bytes),
            }
        }
        wire
    }
}

/// Reads it in one piece and in many: that is the same, and each item is what it may be.
fn read_in_any_pieces(settings: Settings, before: &[u8], wire: &[u8], size: usize) -> (Vec<Item>, Reader) {
    let mut whole = Reader::new(settings);
    let items = read(&mut whole, [before, wire].into_iter());
    let mut pieces = Reader::new(settings);
    assert_eq!(read(&mut pieces, [before].into_iter().chain(wire.chunks(size))), items);
    assert_eq!(whole.counters(), pieces.counters());
    assert_eq!(whole.dialect(), pieces.dialect());
    for item in &items {
        match item {
            Item::Document { text, framed } => {
                assert!(is_document(text));
                assert!(text.len() <= settings.max_frame);
                // What came in a line stood there; in frames some bytes are others.
                assert!(*framed || wire.windows(text.len()).any(|window| window == text));
                assert!(!framed || settings.codec != Codec::Lines);
                assert!(*framed || settings.codec != Codec::Frames && before.is_empty());
            }
            Item::Segment(body) => assert!(!body.is_empty() && body.len() <= settings.max_frame),
            Item::Log(text) => assert!(text.len() <= settings.max_frame),
        }
    }
    let documents = items
        .iter()
        .filter(|item| matches!(item, Item::Document { .. }))
        .count();
    assert_eq!(whole.counters().documents, documents as u64);
    (items, whole)
}

fn read<'a>(reader: &mut Reader, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Item> {
    let mut items = Vec::new();
    for piece in pieces {
        reader.push(piece);
        items.extend(std::iter::from_fn(|| reader.next_item()));
    }
    items
}

fn documents(items: &[Item]) -> Vec<Bytes> {
    let text = |item: &Item| match item {
        Item::Document { text, .. } => Some(text.clone()),
        _ => None,
    };
    items.iter().filter_map(text).collect()
}

/// What lines with a CRC-32 say, in a simple way.
fn checked_lines(wire: &[u8], most: usize) -> Vec<Bytes> {
    let ends = wire.iter().enumerate().filter(|(_, byte)| matches!(byte, b'\n' | 0));
    let mut begin = 0;
    let mut found = Vec::new();
    for (end, byte) in ends {
        let line = &wire[begin..end];
        begin = end + 1;
        if *byte == 0 || line.len() > most {
            continue;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some((content, [b'*', digits @ ..])) = line.len().checked_sub(9).map(|at| line.split_at(at)) else {
            continue;
        };
        let wanted = format!("{:08x}", sum(0xedb8_8320, content));
        if digits.eq_ignore_ascii_case(wanted.as_bytes()) && is_document(content) {
            found.push(Bytes::copy_from_slice(content));
        }
    }
    found
}

/// What frames say, in a simple way.
fn whole_frames(wire: &[u8], most: usize) -> Vec<Item> {
    let mut found = Vec::new();
    let Some(end) = wire.iter().rposition(|byte| *byte == 0) else {
        return found;
    };
    for frame in wire[..end].split(|byte| *byte == 0).filter(|frame| frame.len() <= most) {
        let Some(body) = unstuffed(frame) else { continue };
        let Some((body, stated)) = body.split_last_chunk::<4>() else {
            continue;
        };
        if sum(0x82f6_3b78, body) != u32::from_le_bytes(*stated) {
            continue;
        }
        let bytes = Bytes::copy_from_slice(body);
        match body.first() {
            Some(b'{') if is_document(body) => found.push(Item::Document {
                text: bytes,
                framed: true,
            }),
            Some(0x90..=0x9f) => found.push(Item::Segment(bytes)),
            _ => {}
        }
    }
    found
}

/// COBS, undone.
fn unstuffed(mut frame: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some((&code, rest)) = frame.split_first() {
        let (run, rest) = rest.split_at_checked(usize::from(code) - 1)?;
        body.extend_from_slice(run);
        if code < 0xff && !rest.is_empty() {
            body.push(0);
        }
        frame = rest;
    }
    Some(body)
}

/// A CRC of 32 bits, bit by bit.
fn sum(polynomial: u32, bytes: &[u8]) -> u32 {
    let step = |state: u32| (state >> 1) ^ (polynomial & (state & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |state, byte| {
        (0..8).fold(state ^ u32::from(*byte), |state, _| step(state))
    })
}

/// Two ends of a link, and a line between them that loses what the bytes say; or segments that no end ever sent.
pub(crate) fn link(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    let pace = Pace {
        half: how & 1 == 1,
        ..Pace::from(&Options::new())
    };
    let forged = how & 2 == 2;
    let mut now = Duration::ZERO;
    let mut dialler = Engine::dial(pace, 7, now);
    let opening = dialler.next_segment(now).expect("it dials");
    let Some(listener) = Engine::accept(pace, &opening, now) else {
        panic!("an opening")
    };
    let mut ends = [dialler, listener];
    let mut ways = [VecDeque::<Bytes>::new(), VecDeque::new()];
    let (mut sent, mut got) = ([0_u8; 2], [0_u8; 2]);
    let mut rest = data;
    while let Some((&op, after)) = rest.split_first() {
        rest = after;
        let end = usize::from(op & 1);
        match op >> 1 & 7 {
            0 => {
                let count = usize::from(op >> 4) + 1;
                let bytes: Vec<u8> = (0..count).map(|at| sent[end].wrapping_add(at as u8)).collect();
                let written = ends[end].write(&bytes);
                sent[end] = sent[end].wrapping_add(written as u8);
            }
            1 => ends[end].flush(),
            2 => drop(ways[end].pop_front()),
            3 if forged => {
                let size = usize::from(op >> 4).min(rest.len());
                let (segment, after) = rest.split_at(size);
                rest = after;
                ends[end].take(&Bytes::copy_from_slice(segment), now);
            }
            4 if op >> 4 == 15 => {
                let _ = ends[end].finish();
            }
            5 => now += Duration::from_millis(1_u64 << (op >> 4)),
            _ => {
                if let Some(segment) = ways[end].pop_front() {
                    ends[1 - end].hears(now);
                    ends[1 - end].take(&segment, now);
                }
            }
        }
        for end in 0..2 {
            if ways[end].len() < 40
                && let Some(segment) = ends[end].next_segment(now)
            {
                ways[end].push_back(segment.into());
            }
            while let Some(bytes) = ends[end].read(usize::MAX) {
                for byte in bytes {
                    // In the order in which they were written, and none of them twice.
                    assert!(forged || byte == got[1 - end]);
                    got[1 - end] = byte.wrapping_add(1);
                }
            }
            assert!(ends[end].room() <= pace.chunk());
            let _ = (ends[end].deadline(), ends[end].is_at_end());
        }
        now += Duration::from_micros(100);
    }
}
