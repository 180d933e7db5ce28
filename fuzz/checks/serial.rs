//! What must hold for any bytes on a serial line, and for any segments of a link.
#![allow(dead_code, reason = "each target uses one of them")]

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sig_carrier_serial::Options;
use sig_carrier_serial::framing::{Item, Reader, Settings, Writer, is_document};
use sig_carrier_serial::link::{Engine, Pace};

/// The first byte chooses in which pieces the rest comes, and whether a frame was there before.
pub(crate) fn line(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    let settings = Settings {
        max_frame: 64 + usize::from(how),
        ..Settings::default()
    };
    let mut frame = BytesMut::new();
    Writer::segment(&[&[0x95, 0, 1, 2, 3]], &mut frame);
    let before: &[u8] = if how & 1 == 1 { &frame } else { &[] };

    let mut whole = Reader::new(settings);
    let items = read(&mut whole, [before, data].into_iter());
    let mut pieces = Reader::new(settings);
    let size = usize::from(how >> 1).max(1);
    assert_eq!(read(&mut pieces, [before].into_iter().chain(data.chunks(size))), items);
    assert_eq!(whole.counters(), pieces.counters());
    assert_eq!(whole.dialect(), pieces.dialect());

    for item in &items {
        match item {
            Item::Document { text, framed } => {
                assert!(is_document(text));
                assert!(text.len() <= settings.max_frame);
                // What came in a line stood there; in frames some bytes are others.
                assert!(*framed || data.windows(text.len()).any(|window| window == text));
                assert!(*framed || how & 1 == 0, "frames are settled");
            }
            Item::Segment(body) => assert!(!body.is_empty() && body.len() <= settings.max_frame),
            Item::Log(text) => assert!(text.len() <= settings.max_frame),
        }
    }
    if how & 1 == 1 {
        // Whatever came: between two delimiters the next frame is found.
        let found = read(&mut whole, [&frame[..]].into_iter());
        assert!(matches!(found.last(), Some(Item::Segment(body)) if body[..] == [0x95, 0, 1, 2, 3]));
    }
}

fn read<'a>(reader: &mut Reader, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Item> {
    let mut items = Vec::new();
    for piece in pieces {
        reader.push(piece);
        items.extend(std::iter::from_fn(|| reader.next_item()));
    }
    items
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
