use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;

fn doc(text: &str) -> Item {
    Item::Document {
        text: Bytes::copy_from_slice(text.as_bytes()),
        framed: false,
    }
}

fn framed(text: &str) -> Item {
    Item::Document {
        text: Bytes::copy_from_slice(text.as_bytes()),
        framed: true,
    }
}

fn log(text: &str) -> Item {
    Item::Log(Bytes::copy_from_slice(text.as_bytes()))
}

fn segment(body: &[u8]) -> Item {
    Item::Segment(Bytes::copy_from_slice(body))
}

/// All items of some bytes that come in pieces of this size.
fn items_in(reader: &mut Reader, bytes: &[u8], size: usize) -> Vec<Item> {
    let mut items = Vec::new();
    for piece in bytes.chunks(size) {
        reader.push(piece);
        items.extend(std::iter::from_fn(|| reader.next_item()));
    }
    items
}

fn items(reader: &mut Reader, bytes: impl AsRef<[u8]>) -> Vec<Item> {
    items_in(reader, bytes.as_ref(), usize::MAX)
}

fn line(text: &str, check: Check) -> Vec<u8> {
    written(Dialect::Lines(check), text)
}

fn written(dialect: Dialect, text: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    Writer::new(dialect).document(text.as_bytes(), &mut out);
    out.to_vec()
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    Writer::segment(&[body], &mut out);
    out.to_vec()
}

fn reader() -> Reader {
    Reader::new(Settings::default())
}

#[test]
fn lines_of_a_plain_board_are_documents_and_text() {
    let mut reader = reader();
    let bytes =
        "\r\nets Jul 29 2019\r\n{\"temp\":21.5}\r\n21.5, 40\n7\nhello {}\n{broken}\n\n-1e3,0\n1,,2\n[\"a\"]\n{}\n";
    let wanted = [
        log("ets Jul 29 2019"),
        doc("{\"temp\":21.5}"),
        doc("21.5, 40"),
        doc("7"),
        log("hello {}"),
        log("{broken}"),
        doc("-1e3,0"),
        log("1,,2"),
        log("[\"a\"]"),
        doc("{}"),
    ];
    assert_eq!(items(&mut reader, bytes), wanted);
    assert_eq!(reader.dialect(), Some(Dialect::Lines(Check::None)));
    let counters = reader.counters();
    assert_eq!((counters.documents, counters.log_lines, counters.crc_errors), (5, 5, 0));
    assert_eq!(counters.bytes, bytes.len() as u64);
    for size in [1, 2, 3, 7] {
        assert_eq!(
            items_in(&mut Reader::new(Settings::default()), bytes.as_bytes(), size),
            wanted
        );
    }
}

#[test]
fn a_suffix_that_came_once_is_required() {
    let mut reader = reader();
    assert_eq!(items(&mut reader, line("{\"a\":0}", Check::None)), [doc("{\"a\":0}")]);
    assert_eq!(
        items(&mut reader, "{\"a\":1}*0000\n"),
        [log("{\"a\":1}*0000")],
        "none is required yet"
    );
    assert_eq!(items(&mut reader, line("{\"a\":1}", Check::Crc16)), [doc("{\"a\":1}")]);
    assert_eq!(items(&mut reader, line("{\"a\":2}", Check::None)), [log("{\"a\":2}")]);
    assert_eq!(items(&mut reader, "{\"a\":1}*0000\n"), []);
    assert_eq!(items(&mut reader, line("{\"a\":3}", Check::Crc32)), [doc("{\"a\":3}")]);
    let weaker = line("{\"a\":4}", Check::Crc16);
    assert_eq!(
        items(&mut reader, &weaker),
        [Item::Log(Bytes::copy_from_slice(weaker.trim_ascii()))]
    );
    assert_eq!(items(&mut reader, "just text\n"), [log("just text")]);
    assert_eq!(reader.dialect(), Some(Dialect::Lines(Check::Crc32)));
    let counters = reader.counters();
    assert_eq!((counters.unchecked, counters.crc_errors, counters.resyncs), (2, 1, 1));
    assert_eq!((counters.documents, counters.log_lines), (3, 4));
}

#[test]
fn a_check_can_be_required_from_the_first_line_on() {
    let mut reader = Reader::new(Settings {
        check: Check::Crc16,
        ..Settings::default()
    });
    assert_eq!(items(&mut reader, "{\"a\":1}\n"), [log("{\"a\":1}")]);
    assert_eq!(reader.dialect(), None);
    assert_eq!(items(&mut reader, "{\"a\":1}*11EE\n"), []);
    assert_eq!(items(&mut reader, line("{\"a\":1}", Check::Crc32)), [doc("{\"a\":1}")]);
    assert_eq!((reader.counters().unchecked, reader.counters().crc_errors), (1, 1));
}

#[test]
fn the_suffixes_are_those_that_other_languages_compute() {
    // CRC-16/X-25, and what binascii.crc32 says in Python.
    assert_eq!(suffix(b"123456789", Check::Crc16), "*906E");
    assert_eq!(suffix(b"123456789", Check::Crc32), "*CBF43926");
    assert_eq!(items(&mut reader(), "123456789*906e\r\n"), [doc("123456789")]);
    assert_eq!(items(&mut reader(), "123456789*cbf43926\n"), [doc("123456789")]);
}

#[test]
fn frames_carry_documents_and_segments_and_text_stands_between_them() {
    let mut reader = reader();
    let bytes = [
        b"boot\n".to_vec(),
        frame(b"{\"temp\":21.5}"),
        b"connecting..\r\nok\n".to_vec(),
        frame(&[OPENING, 0, 10, 0]),
        frame(b"\x01what"),
        frame(b"{no document}"),
        vec![0, 0, 0],
        frame(b"{}"),
    ]
    .concat();
    let wanted = [
        log("boot"),
        framed("{\"temp\":21.5}"),
        log("connecting.."),
        log("ok"),
        segment(&[OPENING, 0, 10, 0]),
        framed("{}"),
    ];
    for size in [1, 2, 5, usize::MAX] {
        reader.restart();
        assert_eq!(items_in(&mut reader, &bytes, size), wanted);
        assert_eq!(reader.dialect(), Some(Dialect::Frames));
    }
    let counters = reader.counters();
    assert_eq!((counters.unknown, counters.crc_errors, counters.log_lines), (8, 0, 12));
}

#[test]
fn the_golden_frames() {
    assert_eq!(
        frame(b"{\"a\":0}"),
        [
            0x00, 0x0c, b'{', b'"', b'a', b'"', b':', b'0', b'}', 0x1d, 0x4d, 0x55, 0xdc, 0x00
        ]
    );
}

#[test]
fn a_damaged_frame_costs_itself() {
    let mut reader = reader();
    let whole = frame(b"{\"n\":1}");
    assert_eq!(items(&mut reader, &whole), [framed("{\"n\":1}")]);
    let mut flipped = whole.clone();
    flipped[5] ^= 4;
    assert_eq!(items(&mut reader, &flipped), []);
    let merged: Vec<u8> = whole.iter().chain(&whole).copied().filter(|byte| *byte != 0).collect();
    assert_eq!(items(&mut reader, [&[0], &merged[..], &[0]].concat()), []);
    assert_eq!(items(&mut reader, &whole), [framed("{\"n\":1}")]);
    let counters = reader.counters();
    assert_eq!((counters.crc_errors, counters.resyncs, counters.log_lines), (2, 1, 0));
}

#[test]
fn a_frame_turns_over_what_a_line_without_a_check_sum_seemed_to_say() {
    let mut reader = reader();
    // The rest of a frame whose beginning was missed, with lines of JSON in it.
    let middle = b"\x17\x93\n{\"x\":1}\n{\"x\":2}\nabc\0";
    assert_eq!(items(&mut reader, middle)[1], doc("{\"x\":1}"));
    assert_eq!(items(&mut reader, frame(&[0x95, 1])), [segment(&[0x95, 1])]);
    assert_eq!(reader.dialect(), Some(Dialect::Frames));
    assert_eq!(items(&mut reader, "{\"x\":1}\n\0"), [log("{\"x\":1}")], "settled");

    let mut reader = Reader::new(Settings::default());
    let checked = line("{\"x\":1}", Check::Crc16);
    assert_eq!(items(&mut reader, checked), [doc("{\"x\":1}")]);
    assert_eq!(
        items(&mut reader, frame(&[0x95, 1])),
        [Item::Log(frame(&[0x95, 1])[1..8].to_vec().into())]
    );
    assert_eq!(
        reader.dialect(),
        Some(Dialect::Lines(Check::Crc16)),
        "a check sum settled it"
    );
}

#[test]
fn a_framing_that_is_set_takes_no_other() {
    let set = |codec| {
        Reader::new(Settings {
            codec,
            ..Settings::default()
        })
    };
    let frames = frame(b"{\"n\":1}");
    assert_eq!(items(&mut set(Codec::Frames), "{\"n\":1}\n\0"), [log("{\"n\":1}")]);
    assert_eq!(items(&mut set(Codec::Frames), &frames), [framed("{\"n\":1}")]);
    let mut lines = set(Codec::Lines);
    assert!(matches!(items(&mut lines, &frames)[..], [Item::Log(_)]));
    assert_eq!(items(&mut lines, "\0{\"n\":1}\n"), [doc("{\"n\":1}")]);
}

#[test]
fn promise_10_nothing_grows_beyond_the_limit() {
    let mut reader = Reader::new(Settings {
        max_frame: 64,
        ..Settings::default()
    });
    assert_eq!(items(&mut reader, frame(b"{\"n\":1}")), [framed("{\"n\":1}")]);
    for _ in 0..1000 {
        assert_eq!(items(&mut reader, [0xaa; 4096]), []);
        assert!(reader.held() <= 64 + 4096);
    }
    assert_eq!(items(&mut reader, frame(b"{\"n\":2}")), [framed("{\"n\":2}")]);
    assert_eq!(items(&mut reader, frame(&[0x95; 100])), []);
    let counters = reader.counters();
    assert_eq!((counters.oversize, counters.resyncs), (2, 1));

    reader.restart();
    assert_eq!(items(&mut reader, "{}\n"), [doc("{}")]);
    let long = "x".repeat(1000);
    assert_eq!(
        items(&mut reader, format!("{long}\n{{}}\n")),
        [log(&long[..64]), doc("{}")]
    );
    assert_eq!((reader.counters().oversize, reader.counters().resyncs), (3, 2));
}

#[test]
fn a_line_has_no_line_breaks_in_it() {
    let text = "{\n  \"a\": 1\r\n}";
    assert_eq!(items(&mut reader(), line(text, Check::Crc32)), [doc("{   \"a\": 1  }")]);
    assert_eq!(
        items(&mut reader(), written(Dialect::Frames, text)).last(),
        Some(&framed(text))
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 1..8), size in 1_usize..700) {
        let mut bytes = Vec::new();
        let mut wanted = Vec::new();
        for body in bodies {
            let body = [&[0x95][..], &body].concat();
            bytes.extend(frame(&body));
            prop_assert!(frame(&body).len() <= Writer::segment_size(body.len()));
            wanted.push(segment(&body));
        }
        let mut items = items_in(&mut reader(), &bytes, size);
        // Until the first frame is whole, it may be lines.
        let settled = items.iter().position(|item| matches!(item, Item::Segment(_))).unwrap();
        prop_assert_eq!(items.split_off(settled), wanted);
    }

    #[test]
    fn the_pieces_in_which_bytes_come_do_not_matter(bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(b'\n'), Just(b'1'), any::<u8>()], 0..400), size in 1_usize..50) {
        let (mut whole, mut pieces) = (reader(), reader());
        prop_assert_eq!(items_in(&mut pieces, &bytes, size), items(&mut whole, &bytes));
        prop_assert_eq!(whole.counters(), pieces.counters());
    }
}
