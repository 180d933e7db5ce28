use proptest::prelude::*;
use std::string::ToString;
use std::vec;

use super::*;
use crate::frame::{Split, split};
use crate::tlv::{Extension, KNOWN_MAX, TlvWriter};
use crate::{MAX_FRAME_BEFORE_HELLO, MAX_FRAME_DEFAULT};

/// Golden vectors of docs/WIRE.md.
const PLAIN: &[u8] = b"\x1E\x00\x00\x00\x02\x00\x07\x00\x00\x00\x2A\x00\x00\x00\x00\x00\x00\x00{\"celsius\":20.5}";
const EXTENDED: &[u8] = b"\x2A\x00\x00\x00\x02\x01\x07\x00\x00\x00\x2A\x00\x00\x00\x00\x00\x00\x00\
    \x0A\x00\x04\x08\x03\x00\x00\x00\x00\x00\x00\x00{\"celsius\":20.5}";
const HEADER: EventHeader = EventHeader { alias: 7, number: 42 };
const PAYLOAD: &[u8] = br#"{"celsius":20.5}"#;

fn only_frame(bytes: &[u8]) -> Frame<'_> {
    match split(bytes, MAX_FRAME_DEFAULT) {
        Ok(Split::Frame(frame)) if frame.size() == bytes.len() => frame,
        other => panic!("expected one frame, got {other:?}"),
    }
}

#[test]
fn golden() {
    let head = HEADER.encode_head(PAYLOAD.len(), MAX_FRAME_DEFAULT).unwrap();
    assert_eq!([&head, PAYLOAD].concat(), PLAIN);
    let event = EventFrame::parse(&only_frame(PLAIN)).unwrap();
    assert_eq!((event.header, event.payload), (HEADER, PAYLOAD));
    assert!(event.ext.is_empty());
}

#[test]
fn golden_with_extensions() {
    let mut buffer = [0; KNOWN_MAX];
    let mut writer = TlvWriter::new(&mut buffer);
    writer.push(&Extension::Lagged(3)).unwrap();
    let ext = writer.finish();
    let head = HEADER
        .encode_ext_head(ext.len(), PAYLOAD.len(), MAX_FRAME_DEFAULT)
        .unwrap();
    assert_eq!([&head, ext, PAYLOAD].concat(), EXTENDED);

    let event = EventFrame::parse(&only_frame(EXTENDED)).unwrap();
    assert_eq!((event.header, event.payload), (HEADER, PAYLOAD));
    let lagged = event.tlvs().find(crate::tlv::LAGGED).unwrap();
    assert_eq!(lagged.known(), Ok(Extension::Lagged(3)));
}

#[test]
fn every_cut_is_an_error_and_names_what_is_missing() {
    let whole = only_frame(EXTENDED);
    for len in 0..HEAD_LEN - HEADER_LEN + 2 {
        let frame = Frame {
            body: &whole.body[..len],
            ..whole
        };
        assert_eq!(EventFrame::parse(&frame), Err(EventError::TooShort { len }));
    }
    let frame = Frame {
        body: &whole.body[..20],
        ..whole
    };
    assert_eq!(
        EventFrame::parse(&frame).unwrap_err().to_string(),
        "an event claims 10 bytes of extensions and has 6 bytes left"
    );
}

#[test]
fn another_kind_is_not_an_event() {
    let frame = Frame {
        kind: Kind::Control,
        ..only_frame(PLAIN)
    };
    assert_eq!(
        EventFrame::parse(&frame).unwrap_err().to_string(),
        "expected an event frame (0x02), found Control"
    );
}

#[test]
fn reserved_flags_are_ignored() {
    let frame = Frame {
        flags: Flags::from_byte(0xFE),
        ..only_frame(PLAIN)
    };
    assert_eq!(EventFrame::parse(&frame).unwrap().payload, PAYLOAD);
}

#[test]
fn sizes_are_checked_before_anything_is_written() {
    let limit = MAX_FRAME_BEFORE_HELLO;
    let most = limit as usize - EVENT_HEADER_LEN - 2;
    assert!(HEADER.encode_head(most, limit).is_ok());
    assert_eq!(
        HEADER.encode_head(most + 1, limit),
        Err(EventError::Frame(FrameError::TooLarge {
            size: u64::from(limit) + 1,
            limit
        }))
    );
    assert!(HEADER.encode_head(usize::MAX, u32::MAX).is_err());
    assert!(HEADER.encode_ext_head(65_535, usize::MAX, u32::MAX).is_err());
    assert_eq!(
        HEADER.encode_ext_head(65_536, 0, u32::MAX),
        Err(EventError::ExtTooLong { len: 65_536 })
    );

    let event = EventFrame {
        header: HEADER,
        ext: &[],
        payload: PAYLOAD,
    };
    let mut small = [0xAA; 33];
    assert_eq!(
        event.encode_into(&mut small, MAX_FRAME_DEFAULT),
        Err(EventError::NoSpace {
            needed: 34,
            available: 33
        })
    );
    assert_eq!(small, [0xAA; 33]);
}

proptest! {
    #[test]
    fn round_trip(
        alias in any::<u32>(),
        number in any::<u64>(),
        ext in proptest::collection::vec(any::<u8>(), 0..64),
        payload in proptest::collection::vec(any::<u8>(), 0..256),
        spare in 0_usize..4,
    ) {
        let event = EventFrame {
            header: EventHeader { alias, number },
            ext: &ext,
            payload: &payload,
        };
        let mut out = vec![0; event.size().unwrap() + spare];
        let size = event.encode_into(&mut out, MAX_FRAME_DEFAULT).unwrap();
        prop_assert_eq!(size + spare, out.len());
        prop_assert_eq!(EventFrame::parse(&only_frame(&out[..size])), Ok(event));
    }

    #[test]
    fn any_body_is_answered(flags in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let frame = Frame { kind: Kind::Event, flags: Flags::from_byte(flags), body: &body };
        if let Ok(event) = EventFrame::parse(&frame) {
            let head = if frame.flags.contains(Flags::EXT) { 14 } else { 12 };
            prop_assert_eq!(head + event.ext.len() + event.payload.len(), body.len());
        }
    }
}
