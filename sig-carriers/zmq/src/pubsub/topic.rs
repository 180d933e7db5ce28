//! Topics as they are on the wire.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::Error;

/// The longest topic, with its dot.
const LONGEST: usize = 1024;

/// Of a topic of dotted segments: the same with a dot at the end, so that a byte prefix is a prefix of whole segments. The empty topic,
/// which is all of them, stays empty.
pub(super) fn wire(topic: &str) -> Result<Bytes, Error> {
    let wrong = |reason: &str| {
        Err(Error::Topic {
            topic: topic.to_owned(),
            reason: reason.to_owned(),
        })
    };
    if topic.is_empty() {
        return Ok(Bytes::new());
    }
    if topic.len() >= LONGEST {
        return wrong("it is longer than 1023 bytes");
    }
    if topic.split('.').any(str::is_empty) {
        return wrong("it has an empty segment: write names with single dots between them, such as \"lab.room1.door\"");
    }
    let mut wire = BytesMut::with_capacity(topic.len() + 1);
    wire.put_slice(topic.as_bytes());
    wire.put_u8(b'.');
    Ok(wire.freeze())
}

/// As [`wire`], for a message, which must have a topic.
pub(super) fn of_message(topic: &str) -> Result<Bytes, Error> {
    let wire = wire(topic)?;
    if wire.is_empty() {
        let reason = "a message needs one; only a subscription may be to all".to_owned();
        return Err(Error::Topic {
            topic: String::new(),
            reason,
        });
    }
    Ok(wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j9_a_dot_ends_it_and_empty_segments_are_errors() {
        assert_eq!(wire("Name").unwrap(), "Name.");
        assert_eq!(wire("Name.topic.x").unwrap(), "Name.topic.x.");
        assert_eq!(wire("").unwrap(), "");
        for wrong in [".", "a.", ".a", "a..b", &"x".repeat(1024)] {
            let error = wire(wrong).unwrap_err();
            assert!(matches!(error, Error::Topic { .. }), "{wrong}: {error}");
        }
        assert!(of_message("").unwrap_err().to_string().contains("needs one"));
    }
}
