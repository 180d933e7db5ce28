//! As much of NATS as a subscriber needs.

use super::conversation::{Conversation, Said};
use crate::error::Failure;

/// What comes back when the subscription is there.
const CONNECT: &str =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"raw\",\"version\":\"1\",\"protocol\":1}\r\n";
/// No subject is longer.
const LONGEST_LINE: usize = 4096;

/// Connects and subscribes to the last part of `SENDER/EVENT`, or all of it.
pub(super) async fn subscribe(with: &mut Conversation, topic: &str) -> Result<(), Failure> {
    let subject = topic.strip_prefix("pub0/").unwrap_or(topic).replace('/', ".");
    with.say(format!("{CONNECT}SUB {subject} 1\r\nPING\r\n").as_bytes())
        .await?;
    loop {
        let line = with.control().await?;
        if line.starts_with(b"PONG") {
            return Ok(());
        }
        if line.starts_with(b"-ERR") {
            return Err(Failure::new(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}

/// The first line and what belongs to it, if it is whole, and how many bytes it takes.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(usize, Said)>, Failure> {
    // INFO alone is long.
    let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else {
        return if bytes.len() > LONGEST_LINE && !bytes.starts_with(b"INFO") {
            Err(Failure::new("a line that does not end"))
        } else {
            Ok(None)
        };
    };
    let line = &bytes[..end];
    if line.starts_with(b"MSG ") {
        let size = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        let size: usize = std::str::from_utf8(size)?.parse()?;
        let (begin, after) = (end + 2, end + 2 + size + 2);
        return Ok((bytes.len() >= after).then_some((after, Said::Event(begin..begin + size))));
    }
    let said = if line == b"PING" {
        Said::Question(b"PONG\r\n")
    } else {
        Said::Control(0..end)
    };
    Ok(Some((end + 2, said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_messages_are_understood() {
        assert_eq!(parse(b"+OK\r\nrest").unwrap(), Some((5, Said::Control(0..3))));
        assert_eq!(parse(b"PING\r\n").unwrap(), Some((6, Said::Question(b"PONG\r\n"))));
        assert_eq!(
            parse(b"MSG tick 1 2\r\nhi\r\n").unwrap(),
            Some((18, Said::Event(14..16)))
        );
        assert_eq!(parse(b"MSG tick 1 2\r\nhi\r").unwrap(), None);
        assert_eq!(parse(b"MSG ti").unwrap(), None);
    }
}
