//! What subscribers have asked a publisher for.

use std::collections::HashSet;

use bytes::Bytes;

use crate::Message;

/// More prefixes than this are not told apart: somebody wants everything then.
const MOST: usize = 64 * 1024;

/// The prefixes that are wanted at the moment.
#[derive(Debug, Default)]
pub(super) struct Interest {
    prefixes: HashSet<Bytes>,
    longest: usize,
    too_many: bool,
}

impl Interest {
    /// What an XPUB socket received. Whether it changed anything.
    pub(super) fn apply(&mut self, message: &Message) -> bool {
        let Some(frame) = message.frame_bytes(0) else {
            return false;
        };
        match frame.first() {
            Some(1) if self.prefixes.len() >= MOST => {
                self.too_many = true;
                true
            }
            Some(1) => {
                self.longest = self.longest.max(frame.len() - 1);
                self.prefixes.insert(frame.slice(1..))
            }
            Some(0) => self.prefixes.remove(&frame[1..]),
            _ => false,
        }
    }

    /// Whether somebody wants messages of this topic.
    pub(super) fn wants(&self, topic: &[u8]) -> bool {
        let longest = self.longest.min(topic.len());
        self.too_many || (0..=longest).any(|end| self.prefixes.contains(&topic[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_and_go() {
        let mut interest = Interest::default();
        assert!(!interest.wants(b"a.b."));
        assert!(interest.apply(&"\x01a.".into()));
        assert!(!interest.apply(&"\x01a.".into()));
        assert!(interest.wants(b"a.b.") && interest.wants(b"a.") && !interest.wants(b"ab."));
        assert!(interest.apply(&"\x01".into()) && interest.wants(b"ab."));
        assert!(interest.apply(&"\x00".into()) && !interest.wants(b"ab."));
        assert!(!interest.apply(&"chatter".into()) && !interest.apply(&Message::new()));
        assert!(interest.apply(&"\x00a.".into()) && !interest.wants(b"a.b."));
    }

    #[test]
    fn it_is_bounded() {
        let mut interest = Interest::default();
        for number in 0..MOST as u32 + 10 {
            interest.apply(&[&[1][..], &number.to_be_bytes()].concat().into());
        }
        assert_eq!(interest.prefixes.len(), MOST);
        assert!(interest.wants(b"anything"));
    }
}
