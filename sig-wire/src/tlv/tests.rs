use proptest::prelude::*;
use std::string::ToString;
use std::vec::Vec;
use std::{format, vec};

use super::*;

const ALL: [Extension<'_>; 9] = [
    Extension::SenderTime(1),
    Extension::Retained { age_ms: 2 },
    Extension::Skipped(3),
    Extension::Lagged(4),
    Extension::Origin([5; 16]),
    Extension::Hops(6),
    Extension::Trace([7; 25]),
    Extension::ContentType(ContentType::BYTES),
    Extension::Confirm {
        id: 8,
        wait: CONFIRM_DELIVERED,
        timeout_ms: 9,
    },
];

#[test]
fn golden() {
    let mut buffer = [0; 64];
    let mut writer = TlvWriter::new(&mut buffer);
    for extension in [
        Extension::SenderTime(0x0102_0304_0506_0708),
        Extension::Hops(2),
        Extension::ContentType(ContentType::TEXT),
    ] {
        writer.push(&extension).unwrap();
    }
    assert_eq!(writer.finish(), [1, 8, 8, 7, 6, 5, 4, 3, 2, 1, 6, 1, 2, 8, 1, 2]);
}

#[test]
fn golden_confirm() {
    let mut buffer = [0; 15];
    let mut writer = TlvWriter::new(&mut buffer);
    let confirm = Extension::Confirm {
        id: 12,
        wait: CONFIRM_DELIVERED,
        timeout_ms: 9750,
    };
    writer.push(&confirm).unwrap();
    assert_eq!(writer.finish(), [9, 13, 12, 0, 0, 0, 0, 0, 0, 0, 1, 0x16, 0x26, 0, 0]);
}

#[test]
fn one_of_each_known_extension_fits() {
    let mut buffer = [0; KNOWN_MAX];
    let mut writer = TlvWriter::new(&mut buffer);
    for extension in &ALL {
        writer.push(extension).unwrap();
    }
    let ext = writer.finish();
    assert_eq!(ext.len(), KNOWN_MAX);
    let found: Vec<_> = Tlvs::new(ext)
        .map(|tlv| tlv.and_then(|tlv| tlv.known()).unwrap())
        .collect();
    assert_eq!(found, ALL);
    assert_eq!(Tlvs::new(ext).validate(), Ok(()));
}

#[test]
fn a_known_type_of_a_wrong_size_is_an_error() {
    for kind in SENDER_TIME..=CONFIRM {
        let tlv = Tlv { kind, value: &[0; 3] };
        let error = tlv.known().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("extension {kind} has a value of 3 bytes, expected ")),
            "{error}"
        );
        assert_eq!(Tlvs::new(&[kind, 3, 0, 0, 0]).validate(), Err(error));
    }
}

#[test]
fn a_cut_extension_ends_the_iteration() {
    let mut tlvs = Tlvs::new(&[200, 1, 9, 201, 4, 1]);
    assert_eq!(tlvs.next(), Some(Ok(Tlv { kind: 200, value: &[9] })));
    assert_eq!(tlvs.next(), Some(Err(TlvError::Truncated { missing: 3 })));
    assert_eq!(tlvs.next(), None);
    assert_eq!(Tlvs::new(&[200]).next(), Some(Err(TlvError::Truncated { missing: 1 })));
}

#[test]
fn the_first_of_a_repeated_type_counts() {
    let ext = [HOPS, 1, 3, HOPS, 1, 4];
    assert_eq!(Tlvs::new(&ext).find(HOPS).unwrap().value, [3]);
    assert_eq!(Tlvs::new(&ext).find(TRACE), None);
}

#[test]
fn the_writer_refuses_what_does_not_fit_and_goes_on() {
    let mut buffer = [0; 4];
    let mut writer = TlvWriter::new(&mut buffer);
    assert_eq!(
        writer.push(&Extension::Lagged(1)),
        Err(TlvError::Full {
            needed: 10,
            available: 4
        })
    );
    assert_eq!(
        writer.push_raw(99, &[0; 256]),
        Err(TlvError::TooLong { kind: 99, len: 256 })
    );
    writer.push(&Extension::Hops(1)).unwrap();
    assert_eq!(writer.finish(), [HOPS, 1, 1]);
}

proptest! {
    #[test]
    fn round_trip(
        tlvs in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..=255)), 0..6),
    ) {
        let mut buffer = vec![0; 6 * 257];
        let mut writer = TlvWriter::new(&mut buffer);
        for (kind, value) in &tlvs {
            writer.push_raw(*kind, value).unwrap();
        }
        let ext = writer.finish();
        let found: Vec<_> = Tlvs::new(ext).map(Result::unwrap).collect();
        let wrote: Vec<_> = tlvs.iter().map(|(kind, value)| Tlv { kind: *kind, value }).collect();
        prop_assert_eq!(found, wrote);
    }

    #[test]
    fn what_is_read_can_be_written_again(ext in proptest::collection::vec(any::<u8>(), 0..64)) {
        // A forwarder that takes extensions apart and puts them together changes no byte.
        if Tlvs::new(&ext).validate().is_ok() {
            let mut buffer = [0; 64];
            let mut writer = TlvWriter::new(&mut buffer);
            for tlv in Tlvs::new(&ext) {
                writer.push(&tlv.unwrap().known().unwrap()).unwrap();
            }
            prop_assert_eq!(writer.finish(), ext.as_slice());
        }
    }
}
