use proptest::prelude::*;
use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::MAX_FRAME_DEFAULT;

/// Golden vectors of docs/WIRE.md.
const HEARTBEAT: [u8; 6] = [0x02, 0x00, 0x00, 0x00, 0x03, 0x00];
const CONTROL: &[u8] = b"\x22\x00\x00\x00\x01\x00{\"id\":1,\"method\":\"list_senders\"}";

fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
    let header = encode_header(kind, Flags::NONE, body.len(), MAX_FRAME_DEFAULT).unwrap();
    [&header, body].concat()
}

#[test]
fn golden() {
    assert_eq!(frame(Kind::Heartbeat, b""), HEARTBEAT);
    let message = br#"{"id":1,"method":"list_senders"}"#;
    assert_eq!(frame(Kind::Control, message), CONTROL);
    assert_eq!(
        split(CONTROL, MAX_FRAME_DEFAULT),
        Ok(Split::Frame(Frame {
            kind: Kind::Control,
            flags: Flags::NONE,
            body: message
        }))
    );
}

#[test]
fn kinds_are_their_bytes() {
    for byte in 0..=u8::MAX {
        match Kind::from_byte(byte) {
            Ok(kind) => assert_eq!(kind.to_byte(), byte),
            Err(error) => {
                assert_eq!(error, FrameError::UnknownKind { kind: byte });
                assert!(byte == 0 || (0x06..0x80).contains(&byte), "{byte:#04x}");
            }
        }
    }
}

#[test]
fn an_unknown_kind_is_skipped_by_its_high_bit() {
    let mut stream = frame(Kind::Ignorable(0x90), b"from the future");
    stream.extend(HEARTBEAT);
    let Ok(Split::Frame(first)) = split(&stream, MAX_FRAME_DEFAULT) else {
        panic!("expected a frame");
    };
    assert_eq!(first.kind, Kind::Ignorable(0x90));
    let second = split(&stream[first.size()..], MAX_FRAME_DEFAULT);
    assert!(matches!(second, Ok(Split::Frame(frame)) if frame.kind == Kind::Heartbeat));
}

#[test]
fn a_frame_that_claims_4_gib_is_refused_by_its_length() {
    let error = split(&u32::MAX.to_le_bytes(), MAX_FRAME_DEFAULT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a frame of 4294967295 bytes exceeds the limit of 16777216 bytes"
    );
}

#[test]
fn a_short_length_and_an_unknown_kind_are_refused_before_the_body() {
    for len in 0..MIN_LEN {
        assert_eq!(
            split(&len.to_le_bytes(), MAX_FRAME_DEFAULT),
            Err(FrameError::TooShort { len })
        );
    }
    let error = split(&[9, 0, 0, 0, 0x7F], MAX_FRAME_DEFAULT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown frame kind 0x7f; kinds 0x01 to 0x05 are known and 0x80 and up may be skipped"
    );
}

#[test]
fn the_limit_is_inclusive() {
    let bytes = frame(Kind::Packed, &[0; 8]);
    assert!(matches!(split(&bytes, 10), Ok(Split::Frame(_))));
    assert_eq!(split(&bytes, 9), Err(FrameError::TooLarge { size: 10, limit: 9 }));
    assert!(encode_header(Kind::Packed, Flags::NONE, 8, 10).is_ok());
    assert_eq!(
        encode_header(Kind::Packed, Flags::NONE, 8, 9),
        Err(FrameError::TooLarge { size: 10, limit: 9 })
    );
    assert_eq!(
        encode_header(Kind::Packed, Flags::NONE, usize::MAX, u32::MAX),
        Err(FrameError::TooLarge {
            size: u64::MAX,
            limit: u32::MAX
        })
    );
}

fn kind() -> impl Strategy<Value = Kind> {
    any::<u8>().prop_filter_map("known or ignorable", |byte| Kind::from_byte(byte).ok())
}

proptest! {
    #[test]
    fn frames_come_out_as_they_went_in(
        frames in proptest::collection::vec(
            (kind(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..64)), 0..8),
    ) {
        let mut stream = Vec::new();
        for (kind, flags, body) in &frames {
            let flags = Flags::from_byte(*flags);
            stream.extend(encode_header(*kind, flags, body.len(), MAX_FRAME_DEFAULT).unwrap());
            stream.extend(body);
        }
        let mut rest = stream.as_slice();
        for (kind, flags, body) in &frames {
            let Ok(Split::Frame(found)) = split(rest, MAX_FRAME_DEFAULT) else {
                panic!("expected a frame");
            };
            prop_assert_eq!(found.kind, *kind);
            prop_assert_eq!(found.flags.to_byte(), *flags);
            prop_assert_eq!(found.body, body.as_slice());
            rest = &rest[found.size()..];
        }
        prop_assert_eq!(split(rest, MAX_FRAME_DEFAULT), Ok(Split::Need(HEADER_LEN)));
    }

    #[test]
    fn feeding_what_is_needed_ends_in_a_frame(
        kind in kind(),
        body in proptest::collection::vec(any::<u8>(), 0..300),
        start in 0_usize..8,
    ) {
        let bytes = frame(kind, &body);
        let mut have = start.min(bytes.len());
        let mut rounds = 0;
        while let Split::Need(missing) = split(&bytes[..have], MAX_FRAME_DEFAULT).unwrap() {
            prop_assert!(missing > 0);
            have += missing;
            prop_assert!(have <= bytes.len(), "asked beyond the end of the frame");
            rounds += 1;
        }
        prop_assert_eq!(have, bytes.len());
        prop_assert!(rounds <= 2);
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..64), max in any::<u32>()) {
        match split(&bytes, max) {
            Ok(Split::Frame(frame)) => {
                prop_assert!(frame.size() <= bytes.len());
                prop_assert!(frame.size() - LEN_FIELD <= max as usize);
            }
            Ok(Split::Need(missing)) => prop_assert!(missing > 0),
            Err(_) => {}
        }
    }
}
