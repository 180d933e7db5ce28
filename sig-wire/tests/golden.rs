//! The golden vectors of docs/WIRE.md are what this crate writes, and it reads them.

use sig_wire::{
    ContentType, Encoding, EventFrame, EventHeader, Extension, Flags, FrameError, Kind, MAX_FRAME_DEFAULT, Preface,
    Split, TlvWriter, Tlvs, encode_header, split, tlv,
};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/WIRE.md"));

/// The block behind the first line of section 7 that begins with `title`, as lines of bytes.
fn lines(title: &str) -> Vec<Vec<u8>> {
    let (_, section) = PAGE.split_once("## 7. Golden vectors").expect("section 7");
    let (_, rest) = section.split_once(&format!("\n{title}")).expect(title);
    let (_, rest) = rest.split_once("```text\n").expect("a block");
    let (block, _) = rest.split_once("```").expect("the end of the block");
    let byte = |text| u8::from_str_radix(text, 16).expect("hexadecimal");
    block
        .lines()
        .map(|line| line.split_whitespace().map(byte).collect())
        .collect()
}

fn bytes(title: &str) -> Vec<u8> {
    lines(title).concat()
}

fn only_event(bytes: &[u8]) -> EventFrame<'_> {
    match split(bytes, MAX_FRAME_DEFAULT) {
        Ok(Split::Frame(frame)) if frame.size() == bytes.len() => EventFrame::parse(&frame).expect("an event"),
        other => panic!("expected one frame, got {other:?}"),
    }
}

const HEADER: EventHeader = EventHeader { alias: 7, number: 42 };
const PAYLOAD: &[u8] = br#"{"celsius":20.5}"#;

#[test]
fn preface() {
    let golden = bytes("A dialler that speaks");
    let preface = Preface::new(Encoding::Sig1);
    assert_eq!(preface.encode(), golden.as_slice());
    assert_eq!(Preface::decode(&golden), Ok(Some(preface)));
}

#[test]
fn heartbeat_and_call() {
    let heartbeat = encode_header(Kind::Heartbeat, Flags::NONE, 0, MAX_FRAME_DEFAULT).unwrap();
    assert_eq!(heartbeat, bytes("A heartbeat").as_slice());

    let call = br#"{"id":1,"method":"list_senders"}"#;
    let header = encode_header(Kind::Control, Flags::NONE, call.len(), MAX_FRAME_DEFAULT).unwrap();
    assert_eq!([&header, &call[..]].concat(), bytes("The call"));
}

#[test]
fn event() {
    let golden = bytes("Event 42");
    let head = HEADER.encode_head(PAYLOAD.len(), MAX_FRAME_DEFAULT).unwrap();
    assert_eq!([&head, PAYLOAD].concat(), golden);
    let event = only_event(&golden);
    assert_eq!((event.header, event.ext, event.payload), (HEADER, &[][..], PAYLOAD));
}

#[test]
fn event_with_an_extension() {
    let golden = bytes("The same, after three");
    let mut buffer = [0; tlv::KNOWN_MAX];
    let mut writer = TlvWriter::new(&mut buffer);
    writer.push(&Extension::Lagged(3)).unwrap();
    let ext = writer.finish();
    let head = HEADER
        .encode_ext_head(ext.len(), PAYLOAD.len(), MAX_FRAME_DEFAULT)
        .unwrap();
    assert_eq!([&head, ext, PAYLOAD].concat(), golden);
    let event = only_event(&golden);
    assert_eq!((event.header, event.ext, event.payload), (HEADER, ext, PAYLOAD));
}

#[test]
fn chunks() {
    let bytes = bytes("Event 42 in two chunks");
    let mut pieces = Vec::new();
    let (mut rest, mut flags) = (&bytes[..], Vec::new());
    while let Ok(Split::Frame(chunk)) = split(rest, MAX_FRAME_DEFAULT) {
        assert_eq!(chunk.kind, Kind::Chunk);
        flags.push(chunk.flags);
        pieces.extend_from_slice(chunk.body);
        rest = &rest[chunk.size()..];
    }
    assert_eq!((flags, rest), (vec![Flags::MORE, Flags::NONE], &[][..]));
    assert_eq!(pieces, self::bytes("Event 42 of alias 7"));
}

#[test]
fn extensions() {
    let mut buffer = [0; tlv::KNOWN_MAX];
    let mut writer = TlvWriter::new(&mut buffer);
    for extension in [
        Extension::SenderTime(0x0102_0304_0506_0708),
        Extension::Hops(2),
        Extension::ContentType(ContentType::TEXT),
    ] {
        writer.push(&extension).unwrap();
    }
    assert_eq!(writer.finish(), bytes("The extensions"));
}

#[test]
fn confirm() {
    let golden = bytes("The extension \"confirm\"");
    let confirm = Extension::Confirm {
        id: 12,
        wait: tlv::CONFIRM_DELIVERED,
        timeout_ms: 9750,
    };
    let mut buffer = [0; tlv::KNOWN_MAX];
    let mut writer = TlvWriter::new(&mut buffer);
    writer.push(&confirm).unwrap();
    assert_eq!(writer.finish(), golden);
    let read: Vec<_> = Tlvs::new(&golden).map(|tlv| tlv.and_then(|tlv| tlv.known())).collect();
    assert_eq!(read, [Ok(confirm)]);
}

#[test]
fn frames_to_skip_and_to_refuse() {
    let found: Vec<_> = lines("A frame to skip")
        .iter()
        .map(|line| split(line, MAX_FRAME_DEFAULT).map(|_| ()))
        .collect();
    let limit = MAX_FRAME_DEFAULT;
    let size = u64::from(u32::MAX);
    assert_eq!(
        found,
        [
            Ok(()),
            Err(FrameError::TooLarge { size, limit }),
            Err(FrameError::TooShort { len: 1 }),
            Err(FrameError::UnknownKind { kind: 0x7F }),
        ]
    );
}
