use proptest::prelude::*;
use std::string::ToString;

use super::*;

/// The first golden vector of docs/WIRE.md.
const GOLDEN: [u8; LEN] = [0x93, 0x53, 0x49, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x01, 0x01, 0x00, 0x00];

#[test]
fn golden() {
    assert_eq!(Preface::new(Encoding::Sig1).encode(), GOLDEN);
    assert_eq!(
        Preface::decode(&GOLDEN),
        Ok(Some(Preface {
            min_version: 1,
            max_version: 1,
            encoding: Encoding::Sig1
        }))
    );
}

#[test]
fn every_proper_prefix_may_still_become_a_preface() {
    for len in 0..LEN {
        assert_eq!(Preface::decode(&GOLDEN[..len]), Ok(None), "{len} bytes");
    }
}

#[test]
fn the_first_wrong_byte_is_named() {
    for at in 0..MAGIC.len() {
        let mut bytes = GOLDEN;
        bytes[at] ^= 0x80;
        let byte = bytes[at];
        assert_eq!(Preface::decode(&bytes[..=at]), Err(PrefaceError::NotMagic { at, byte }));
    }
    let error = Preface::decode(b"GET / HTTP/1.1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "not a sig stream: byte 0 of the preface is 0x47, expected 0x93"
    );
}

#[test]
fn the_magic_collides_with_no_neighbour() {
    // ASCII, ZeroMQ's greeting, TLS and the padding that some peers send.
    assert!(!MAGIC[0].is_ascii());
    assert!(![0x00, 0x16, 0xFF].contains(&MAGIC[0]));
    // A UTF-8 continuation byte: no text begins with it.
    assert_eq!(MAGIC[0] & 0xC0, 0x80);
}

#[test]
fn an_unknown_encoding_and_an_empty_range_are_errors() {
    let mut bytes = GOLDEN;
    bytes[10] = 2;
    assert_eq!(
        Preface::decode(&bytes),
        Err(PrefaceError::UnknownEncoding { encoding: 2 })
    );
    bytes[8] = 3;
    assert_eq!(
        Preface::decode(&bytes),
        Err(PrefaceError::EmptyRange { min: 3, max: 1 })
    );
}

#[test]
fn the_reserved_byte_is_ignored() {
    let mut bytes = GOLDEN;
    bytes[11] = 0xFF;
    assert_eq!(Preface::decode(&bytes), Ok(Some(Preface::new(Encoding::Sig1))));
}

#[test]
fn different_encodings_do_not_talk() {
    let (ours, theirs) = (Preface::new(Encoding::Sig1), Preface::new(Encoding::Packed));
    let error = ours.negotiate(&theirs).unwrap_err();
    assert_eq!(
        error.to_string(),
        "we use encoding sig1, the peer packed; set up both sides with the same codec"
    );
}

fn range() -> impl Strategy<Value = Preface> {
    (any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(a, b, packed)| Preface {
        min_version: a.min(b),
        max_version: a.max(b),
        encoding: if packed { Encoding::Packed } else { Encoding::Sig1 },
    })
}

proptest! {
    #[test]
    fn round_trip(preface in range(), tail in proptest::collection::vec(any::<u8>(), 0..8)) {
        let mut bytes = preface.encode().to_vec();
        bytes.extend(tail);
        prop_assert_eq!(Preface::decode(&bytes), Ok(Some(preface)));
    }

    #[test]
    fn both_sides_agree(listener in range(), dialler in range()) {
        let listener = Preface { encoding: dialler.encoding, ..listener };
        match listener.negotiate(&dialler) {
            Ok(version) => {
                let answer = Preface::chosen(version, dialler.encoding);
                prop_assert_eq!(dialler.negotiate(&answer), Ok(version));
                prop_assert!((listener.min_version..=listener.max_version).contains(&version));
            }
            Err(_) => {
                // The listener answers with its own range; the dialler sees the same failure.
                let is_no_common_version =
                    matches!(dialler.negotiate(&listener), Err(PrefaceError::NoCommonVersion { .. }));
                prop_assert!(is_no_common_version);
            }
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
        // Never a preface unless it begins with the magic.
        if let Ok(Some(_)) = Preface::decode(&bytes) {
            prop_assert!(bytes.starts_with(&MAGIC));
        }
    }
}
