//! What subscribers ask for.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use bytes::Bytes;
use omq_tokio::proto::Command;

use crate::Message;

/// The longest prefix, which bounds what one subscriber can make a message cost.
const LONGEST: usize = 1024;

/// How much the prefixes of one subscriber may take, each with what it costs to keep it.
const MOST: usize = 16 << 20;
const EACH: usize = 128;

/// Up to here it is faster to look at each prefix than to search for one.
const FEW: usize = 4;

/// A change of what a subscriber asks for.
pub(super) struct Change {
    pub(super) adds: bool,
    pub(super) prefix: Bytes,
}

impl Change {
    pub(super) fn of_command(command: &Command) -> Option<Self> {
        match command {
            Command::Subscribe(prefix) => Some(Self::new(true, prefix)),
            Command::Cancel(prefix) => Some(Self::new(false, prefix)),
            _ => None,
        }
    }

    /// What an XSUB sends as a message, of one frame, and whatever speaks the protocol before 3.1.
    pub(super) fn of_frame(frame: &[u8]) -> Option<Self> {
        match frame {
            [adds @ (0 | 1), prefix @ ..] => Some(Self::new(*adds == 1, prefix)),
            _ => None,
        }
    }

    /// Copied, so that it does not keep what else came with it.
    pub(super) fn new(adds: bool, prefix: &[u8]) -> Self {
        let prefix = Bytes::copy_from_slice(prefix);
        Self { adds, prefix }
    }

    pub(super) fn to_command(&self) -> Command {
        match self.adds {
            true => Command::Subscribe(self.prefix.clone()),
            false => Command::Cancel(self.prefix.clone()),
        }
    }

    /// As an XPUB receives it.
    pub(super) fn to_message(&self) -> Message {
        Message::from([&[u8::from(self.adds)], &self.prefix[..]].concat())
    }
}

/// The subscriptions of one subscriber.
#[derive(Default)]
pub(super) struct Topics {
    /// How often it asks for each.
    held: BTreeMap<Bytes, u64>,
    size: usize,
}

/// A subscriber asks for more than can be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Topics {
    /// A prefix comes before all that it begins, and what lies between them begins with it as well: so the last one that is not behind
    /// the topic is that prefix, or whatever both have in common begins with it, too.
    pub(super) fn matches(&self, mut topic: &[u8]) -> bool {
        if self.held.len() <= FEW {
            return self.held.keys().any(|prefix| topic.starts_with(prefix));
        }
        loop {
            let until = (Bound::Unbounded, Bound::Included(topic));
            let Some((last, _)) = self.held.range::<[u8], _>(until).next_back() else {
                return false;
            };
            let common = last.iter().zip(topic).take_while(|(a, b)| a == b).count();
            if common == last.len() {
                return true;
            }
            topic = &topic[..common];
        }
    }

    /// Whether it now asks for a prefix that it did not ask for before, or no more for one that it did.
    pub(super) fn apply(&mut self, change: &Change) -> Result<bool, TooMany> {
        let Change { adds, prefix } = change;
        let held = self.held.get(prefix).copied().unwrap_or_default();
        match (adds, held) {
            (true, 0) => {
                let size = self.size + EACH + prefix.len();
                if size > MOST || prefix.len() > LONGEST {
                    return Err(TooMany);
                }
                self.size = size;
                self.held.insert(prefix.clone(), 1);
                Ok(true)
            }
            (false, 1) => {
                self.size -= EACH + prefix.len();
                self.held.remove(prefix);
                Ok(true)
            }
            (false, 0) => Ok(false),
            (adds, held) => {
                let held = if *adds { held + 1 } else { held - 1 };
                self.held.insert(prefix.clone(), held);
                Ok(false)
            }
        }
    }

    /// All that it asks for, which it does no more.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        std::mem::take(self).held.into_keys().collect()
    }
}

/// What the subscribers ask for together: the first who asks for something is told, and the last who asks for it no more.
#[derive(Default)]
pub(super) struct Wanted(HashMap<Bytes, usize>);

impl Wanted {
    pub(super) fn prefixes(&self) -> impl Iterator<Item = &Bytes> {
        self.0.keys()
    }

    /// Whether the change of one subscriber is to be told.
    pub(super) fn apply(&mut self, change: &Change) -> bool {
        let wanted = self.0.entry(change.prefix.clone()).or_default();
        if change.adds {
            *wanted += 1;
            return *wanted == 1;
        }
        *wanted = wanted.saturating_sub(1);
        let last = *wanted == 0;
        if last {
            self.0.remove(&change.prefix);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(topics: &mut Topics, adds: bool, prefix: &str) -> Result<bool, TooMany> {
        topics.apply(&Change::new(adds, prefix.as_bytes()))
    }

    #[test]
    fn only_the_first_of_a_kind_and_the_last_one_change_anything() {
        let mut topics = Topics::default();
        assert_eq!(apply(&mut topics, false, "a"), Ok(false), "it was not asked for");
        assert_eq!(apply(&mut topics, true, "a"), Ok(true));
        assert_eq!(apply(&mut topics, true, "a"), Ok(false));
        assert_eq!(apply(&mut topics, false, "a"), Ok(false));
        assert!(topics.matches(b"ab") && topics.matches(b"a"));
        assert!(!topics.matches(b"b") && !topics.matches(b""));
        assert_eq!(apply(&mut topics, false, "a"), Ok(true));
        assert!(!topics.matches(b"ab"));
        assert_eq!(apply(&mut topics, true, ""), Ok(true));
        assert!(topics.matches(b"") && topics.matches(b"b"));
        assert_eq!(topics.take(), [""]);
        assert!(!topics.matches(b"b") && topics.size == 0);
    }

    #[test]
    fn few_prefixes_and_many_match_the_same_topics() {
        let words: Vec<_> = (1..=3_u32)
            .flat_map(|length| (0..3_u32.pow(length)).map(move |number| word(number, length)))
            .collect();
        // As many kinds of gaps between them as there are steps.
        for step in 1..words.len() {
            let prefixes: Vec<_> = words.iter().step_by(step).collect();
            let mut topics = Topics::default();
            for prefix in &prefixes {
                assert_eq!(apply(&mut topics, true, prefix), Ok(true));
            }
            for topic in words
                .iter()
                .flat_map(|word| [word.clone(), format!("{word}c"), format!("{word}a")])
            {
                let expected = prefixes.iter().any(|prefix| topic.starts_with(*prefix));
                assert_eq!(topics.matches(topic.as_bytes()), expected, "{topic} of {prefixes:?}");
            }
            assert!(!topics.matches(b""));
        }
    }

    /// A word of the letters a, b and c.
    fn word(number: u32, length: u32) -> String {
        let letter = |place| ['a', 'b', 'c'][(number / 3_u32.pow(place) % 3) as usize];
        (0..length).map(letter).collect()
    }

    #[test]
    fn what_one_subscriber_asks_for_is_bounded() {
        let mut topics = Topics::default();
        assert_eq!(apply(&mut topics, true, &"l".repeat(LONGEST + 1)), Err(TooMany));
        let long = "l".repeat(LONGEST - 5);
        let mut asked = 0;
        while apply(&mut topics, true, &format!("{asked:05}{long}")).is_ok() {
            asked += 1;
        }
        assert_eq!(asked, MOST / (EACH + LONGEST));
        assert_eq!(apply(&mut topics, false, &format!("00000{long}")), Ok(true));
        assert_eq!(apply(&mut topics, true, &long), Ok(true));
    }

    #[test]
    fn the_first_who_asks_is_told_and_the_last_who_no_more_does() {
        let mut wanted = Wanted::default();
        let told = [(true, true), (true, false), (false, false), (false, true), (true, true)];
        for (adds, tell) in told {
            assert_eq!(wanted.apply(&Change::new(adds, b"a")), tell);
        }
        assert_eq!(wanted.prefixes().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn messages_that_are_subscriptions_are_told_from_those_that_are_not() {
        let of = |frame: &[u8]| Change::of_frame(frame).map(|change| (change.adds, change.prefix));
        assert_eq!(of(b"\x01ab"), Some((true, "ab".into())));
        assert_eq!(of(b"\x00"), Some((false, "".into())));
        assert_eq!(of(b"\x02ab"), None);
        assert_eq!(of(b""), None);
        assert_eq!(Change::new(true, b"ab").to_message(), "\x01ab".into());
    }
}
