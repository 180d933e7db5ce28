use proptest::prelude::*;
use sig_core::ContentType;
use sig_wire::{EventFrame, EventHeader, Split, split};

use super::*;

/// An event in its frame.
fn frame(alias: u32, number: u64, ext: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = EventHeader { alias, number };
    let event = EventFrame { header, ext, payload };
    let mut out = vec![0; event.size().unwrap()];
    event.encode_into(&mut out, u32::MAX).unwrap();
    out
}

fn read(bytes: &[u8]) -> Option<Burst<'_>> {
    let Ok(Split::Frame(frame)) = split(bytes, u32::MAX) else {
        panic!("no whole frame")
    };
    Burst::read(&EventFrame::parse(&frame).unwrap(), frame.size(), bytes)
}

const BYTES: &[u8] = &[tlv::CONTENT_TYPE, 1, ContentType::BYTES.0];

#[test]
fn a_burst_ends_where_the_kind_the_number_or_the_form_changes() {
    let three: Vec<u8> = (5..8).flat_map(|number| frame(1, number, &[], b"1")).collect();
    let followers = [
        Vec::new(),
        frame(2, 8, &[], b"1"),
        frame(1, 9, &[], b"1"),
        frame(1, 7, &[], b"1"),
        frame(1, 8, BYTES, b"1"),
        frame(1, 8, &[tlv::HOPS, 1, 1], b"1"),
        vec![2, 0, 0, 0, 3, 0],
        frame(1, 8, &[], b"1")[..10].to_vec(),
    ];
    for follower in followers {
        let bytes = [three.clone(), follower].concat();
        let burst = read(&bytes).unwrap();
        assert_eq!((burst.count, burst.first, burst.last()), (3, 5, 7));
        assert_eq!(burst.frames, three);
    }
}

#[test]
fn what_says_more_than_its_data_is_no_burst() {
    for ext in [&[tlv::HOPS, 1, 1][..], &[tlv::CONTENT_TYPE, 1, 1, tlv::HOPS, 1, 1]] {
        assert!(read(&frame(1, 1, ext, b"1")).is_none());
    }
    // It says that it has extensions, and has none.
    let mut odd = frame(1, 1, BYTES, b"");
    odd[18..20].copy_from_slice(&[0, 0]);
    assert!(read(&odd).is_none());
}

proptest! {
    /// All at once or one by one: it is the same.
    #[test]
    fn a_burst_is_its_items(
        lengths in prop::collection::vec(0_usize..300, 1..20),
        first in 1_u64..1000,
        is_json in any::<bool>(),
    ) {
        let ext = if is_json { &[][..] } else { BYTES };
        let frames: Vec<_> = (first..).zip(&lengths).map(|(number, length)| frame(3, number, ext, &vec![7; *length])).collect();
        let bytes = frames.concat();
        let burst = read(&bytes).unwrap().behind(first - 1);
        prop_assert_eq!(burst.count, lengths.len() as u64);
        prop_assert_eq!(burst.data_len(), lengths.iter().sum::<usize>());
        prop_assert!(burst.fits(burst.longest - 4) && !burst.fits(burst.longest - 5));
        let mut cost = 0;
        for (((item, frame), length), number) in burst.items().zip(&frames).zip(&lengths).zip(first..) {
            prop_assert_eq!(cost <= burst.cost_before_last(), true);
            cost += item.cost(0, sig_core::Encoding::Sig1) as u64;
            prop_assert_eq!((item.number, item.bytes().len(), item.frame(), item.ext), (number, *length, Some(&frame[..]), ext));
            prop_assert_eq!(item.before, number - 1);
        }
        prop_assert_eq!(cost, burst.cost());
        let last = burst.last_item();
        prop_assert_eq!((last.number, last.frame()), (burst.last(), frames.last().map(|frame| &frame[..])));
        prop_assert_eq!(cost - last.cost(0, sig_core::Encoding::Sig1) as u64, burst.cost_before_last());
    }

    /// Pieces are the whole burst in order, and no larger than they may be.
    #[test]
    fn pieces_are_the_burst(
        lengths in prop::collection::vec(0_usize..300, 1..40),
        most in 1_u64..10,
        bytes in 1_usize..1000,
    ) {
        let frames: Vec<_> = (1..).zip(&lengths).map(|(number, length)| frame(3, number, &[], &vec![7; *length])).collect();
        let all = frames.concat();
        let burst = read(&all).unwrap();
        let (mut number, mut at, mut data_len) = (1, 0, 0);
        for piece in burst.pieces(most, bytes) {
            prop_assert_eq!((piece.first, piece.frames), (number, &all[at..at + piece.frames.len()]));
            prop_assert!(piece.count >= 1 && piece.count <= most);
            prop_assert!(piece.count == 1 || piece.frames.len() <= bytes);
            (number, at, data_len) = (number + piece.count, at + piece.frames.len(), data_len + piece.data_len);
        }
        prop_assert_eq!((number, at, data_len), (burst.last() + 1, all.len(), burst.data_len()));
    }

    /// What is appended is read as a plain event.
    #[test]
    fn what_is_appended_is_a_plain_event(number in any::<u64>(), kind in any::<u8>(), length in 0_usize..100) {
        let (content_type, data) = (ContentType(kind), vec![1; length]);
        let mut bytes = BytesMut::new();
        let size = append(&mut bytes, EventHeader { alias: 9, number }, content_type, &data, u32::MAX).unwrap();
        prop_assert_eq!((size, size), (bytes.len(), head_len(content_type) + length));
        let burst = read(&bytes).unwrap();
        prop_assert_eq!((burst.first, burst.content_type, burst.data_len()), (number, content_type, length));
    }
}
