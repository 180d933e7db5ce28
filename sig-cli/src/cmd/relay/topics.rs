//! What a message is about, and what its content is.

use std::collections::BTreeSet;

use sig_carrier_zmq::Message;
use sig_core::bytes::{BufMut as _, Bytes, BytesMut};
use sig_core::{EventName, NameError, Payload};

/// What may stand behind a topic in the same frame; one-liner puts a zero byte there.
const ENDS: &[u8] = b"./ \0";

/// The topics that were asked for, each with its event.
#[derive(Debug)]
pub(super) struct Topics(Vec<(String, EventName)>);

impl Topics {
    /// Reads `TOPIC` and `TOPIC=EVENT`.
    pub(super) fn parse(texts: &[String]) -> Result<Self, NameError> {
        let parse = |text: &String| {
            let (topic, event) = match text.rsplit_once('=') {
                Some((topic, event)) => (topic, event),
                None => (text.as_str(), text.trim_end_matches(['.', '/'])),
            };
            Ok((topic.to_owned(), EventName::new(event)?))
        };
        texts.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// What to subscribe to.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(topic, _)| topic.as_str())
    }

    /// The events, each once.
    pub(super) fn events(&self) -> BTreeSet<&EventName> {
        self.0.iter().map(|(_, event)| event).collect()
    }

    /// The event of a message with this first frame, if it was asked for: a subscription alone takes `ab` for `a` as well.
    pub(super) fn event_of(&self, frame: &[u8]) -> Option<&EventName> {
        let asked = self.0.iter().filter(|(topic, _)| covers(topic.as_bytes(), frame));
        asked.max_by_key(|(topic, _)| topic.len()).map(|(_, event)| event)
    }
}

/// Whether the frame is the topic, or goes on behind it as something else.
fn covers(topic: &[u8], frame: &[u8]) -> bool {
    let Some(rest) = frame.strip_prefix(topic) else {
        // One that was asked for with its last dot, and comes without.
        return topic.strip_suffix(b".") == Some(frame);
    };
    let ends = |byte: Option<&u8>| byte.is_none_or(|byte| ENDS.contains(byte));
    ends(rest.first()) || topic.is_empty() || topic.last().is_some_and(|last| ENDS.contains(last))
}

/// The content of a message, as data of an event.
pub(super) fn data_of(message: &Message) -> Payload {
    let content = match message.len() {
        0 | 1 => message.frame_bytes(0).unwrap_or_default(),
        2 => message.frame_bytes(1).unwrap_or_default(),
        frames => packed((1..frames).filter_map(|at| message.frame(at))),
    };
    // A reader of JSON is to see JSON; not a byte changes for that.
    match serde_json::from_slice::<serde::de::IgnoredAny>(&content) {
        Ok(_) => Payload::from_json_text(content),
        Err(_) => Payload::from_bytes(content),
    }
}

fn packed<'a>(frames: impl Iterator<Item = &'a [u8]>) -> Bytes {
    let mut bytes = BytesMut::new();
    for frame in frames {
        bytes.put_u32(u32::try_from(frame.len()).unwrap_or(u32::MAX));
        bytes.put_slice(frame);
    }
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_event_of_the_longest_topic_that_covers_it() {
        let texts = ["a", "a.b=inner", "c.", "k=v=other"].map(str::to_owned);
        let topics = Topics::parse(&texts).unwrap();
        for (frame, event) in [
            ("a", Some("a")),
            ("a.", Some("a")),
            ("a.c", Some("a")),
            ("a 21.5", Some("a")),
            ("a\0\u{5}", Some("a")),
            ("a.b", Some("inner")),
            ("a.b/x", Some("inner")),
            ("a.bb", Some("a")),
            ("ab", None),
            ("c", Some("c")),
            ("c.d", Some("c")),
            ("cd", None),
            ("k=v", Some("other")),
        ] {
            assert_eq!(
                topics.event_of(frame.as_bytes()).map(EventName::as_str),
                event,
                "{frame}"
            );
        }
        assert_eq!(topics.prefixes().collect::<Vec<_>>(), ["a", "a.b", "c.", "k=v"]);
        assert!(Topics::parse(&["".to_owned()]).is_err(), "everything needs a name");
        assert!(
            Topics::parse(&["=all".to_owned()])
                .unwrap()
                .event_of(b"anything")
                .is_some()
        );
    }

    #[test]
    fn content_is_untouched() {
        let data = |message: Message| data_of(&message).bytes().to_vec();
        assert_eq!(data(Message::from(["t", " {\"a\": 1.50} "])), b" {\"a\": 1.50} ");
        assert_eq!(data(Message::from(["t", "\u{0}raw"])), b"\0raw");
        assert_eq!(data(Message::from("t 21.5")), b"t 21.5");
        assert_eq!(data(Message::from(["t", "ab", ""])), b"\0\0\0\x02ab\0\0\0\0");
    }
}
