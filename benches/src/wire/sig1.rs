//! sig/1 from `docs/WIRE.md`: preface, hello, one listener.

use std::ops::Range;
use std::time::Duration;

use serde_json::{Value, json};

use super::conversation::{Conversation, Said};
use crate::error::Failure;

const PREFACE: [u8; 12] = [0x93, b'S', b'I', b'G', b'\r', b'\n', 0x1a, b'\n', 1, 1, 0, 0];
const HEARTBEAT_MS: u64 = 15_000;
/// After so much silence a sign of life is due.
pub(super) const SILENCE: Duration = Duration::from_millis(HEARTBEAT_MS);
/// The sign of life.
pub(super) const HEARTBEAT: &[u8] = &[2, 0, 0, 0, 3, 0];

const CONTROL: u8 = 1;
const EVENT: u8 = 2;
const WITH_EXTENSIONS: u8 = 1;

/// Opens a session and listens to `SENDER/EVENT`.
pub(super) async fn subscribe(with: &mut Conversation, topic: &str) -> Result<(), Failure> {
    let (sender, event) = topic
        .split_once('/')
        .ok_or_else(|| Failure::new(format!("`{topic}` is not SENDER/EVENT")))?;
    with.say(&PREFACE).await?;
    if with.take(PREFACE.len()).await? != PREFACE {
        return Err(Failure::new("the router does not answer with sig/1"));
    }
    let instance = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let hello = json!({"method": "hello", "params": {
        "versions": [1, 1], "instance": instance, "heartbeat_ms": HEARTBEAT_MS,
    }});
    with.say(&control(&hello)).await?;
    expect(with, |message| message["method"] == "welcome").await?;
    let params = json!({"listener_id": 1, "sender": sender, "event": event});
    let call = json!({"id": 1, "method": "add_listener", "params": params});
    with.say(&control(&call)).await?;
    expect(with, |message| message["id"] == 1 && message["status"] == 0).await
}

async fn expect(with: &mut Conversation, is_it: impl Fn(&Value) -> bool) -> Result<(), Failure> {
    loop {
        let message: Value = serde_json::from_slice(&with.control().await?)?;
        if is_it(&message) {
            return Ok(());
        }
        let failed = message["status"].as_i64().is_some_and(|status| status != 0);
        if failed || message["method"] == "refuse" {
            return Err(Failure::new(format!("the router says {message}")));
        }
    }
}

fn control(message: &Value) -> Vec<u8> {
    let text = message.to_string();
    let length = u32::try_from(text.len() + 2).unwrap_or(u32::MAX);
    let mut frame = length.to_le_bytes().to_vec();
    frame.extend_from_slice(&[CONTROL, 0]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// The first frame, if it is whole, and how many bytes it takes.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(usize, Said)>, Failure> {
    let Some(&[a, b, c, d, kind, flags]) = bytes.get(..6).and_then(|head| <&[u8; 6]>::try_from(head).ok()) else {
        return Ok(None);
    };
    let end = 4 + u32::from_le_bytes([a, b, c, d]) as usize;
    if bytes.len() < end {
        return Ok(None);
    }
    let said = match kind {
        CONTROL => Said::Control(6..end),
        EVENT => Said::Event(payload(bytes, flags, end)?),
        _ => Said::Nothing,
    };
    Ok(Some((end, said)))
}

fn payload(bytes: &[u8], flags: u8, end: usize) -> Result<Range<usize>, Failure> {
    let mut begin = 6 + 12;
    if flags & WITH_EXTENSIONS != 0 {
        let length = bytes.get(begin..begin + 2).and_then(|two| two.try_into().ok());
        begin += 2 + usize::from(length.map_or(0, u16::from_le_bytes));
    }
    if begin > end {
        return Err(Failure::new("an event that is too short"));
    }
    Ok(begin..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_vectors_are_understood() {
        let event = [
            &[0x1e, 0, 0, 0, 2, 0, 7, 0, 0, 0, 42][..],
            &[0; 7],
            br#"{"celsius":20.5}"#,
        ]
        .concat();
        assert_eq!(parse(&event).unwrap(), Some((34, Said::Event(18..34))));
        assert_eq!(parse(&event[..33]).unwrap(), None);
        let extended = [
            &[0x2a, 0, 0, 0, 2, 1, 7, 0, 0, 0, 42][..],
            &[0; 7],
            &[0x0a, 0, 4, 8, 3, 0, 0, 0, 0, 0, 0, 0],
            br#"{"celsius":20.5}"#,
        ]
        .concat();
        assert_eq!(parse(&extended).unwrap(), Some((46, Said::Event(30..46))));
        assert_eq!(parse(HEARTBEAT).unwrap(), Some((6, Said::Nothing)));
        assert_eq!(
            parse(&[5, 0, 0, 0, 0x90, 0, b'a', b'b', b'c']).unwrap(),
            Some((9, Said::Nothing))
        );
        let call = control(&json!({"id": 1}));
        assert_eq!(parse(&call).unwrap(), Some((call.len(), Said::Control(6..call.len()))));
    }
}
