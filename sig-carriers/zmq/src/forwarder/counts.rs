//! What has passed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::Direction;

/// Longer ones are counted together, so that names cannot fill the memory.
const LONGEST_TOPIC: usize = 255;

/// Messages, and how long they were together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Count {
    /// How many.
    pub messages: u64,
    /// Their frames, without what the wire adds.
    pub bytes: u64,
}

/// What has passed a forwarder so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// From the front to the back.
    pub there: Count,
    /// From the back to the front.
    pub back: Count,
    /// Messages to peers that had left, and those given up at the end. What slow subscribers miss is not among them: ZeroMQ does not tell.
    pub dropped: u64,
    /// Copies that the capture socket had no room for.
    pub not_captured: u64,
    /// How often the observer panicked.
    pub observer_panics: u64,
    /// By topic, in the patterns that have topics.
    pub topics: Topics,
}

/// Counts by topic, which is the first frame of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Topics {
    /// Each topic with its count; the first so many that came by.
    pub counted: Vec<(Bytes, Count)>,
    /// All other topics, and those of more than 255 bytes, together.
    pub others: Count,
}

impl Topics {
    /// The count of one topic, given as it is in the messages.
    #[must_use]
    pub fn get(&self, topic: &[u8]) -> Option<Count> {
        let found = self.counted.iter().find(|(name, _)| name == topic);
        found.map(|(_, count)| *count)
    }
}

impl Count {
    fn add(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes += bytes;
    }
}

#[derive(Debug, Default)]
struct Atomic {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Atomic {
    fn taken(&self) -> Count {
        Count {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// The counters behind [`Statistics`].
#[derive(Debug, Default)]
pub(super) struct Counts {
    there: Atomic,
    back: Atomic,
    dropped: AtomicU64,
    not_captured: AtomicU64,
    observer_panics: AtomicU64,
    /// How many topics are told apart.
    limit: usize,
    /// Hashed fast and not safely: there are few, whoever names them.
    topics: Mutex<(FxHashMap<Bytes, Count>, Count)>,
}

impl Counts {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    pub(super) fn passed(&self, direction: Direction, topic: &[u8], bytes: usize) {
        let bytes = bytes as u64;
        let count = match direction {
            Direction::There => &self.there,
            Direction::Back => &self.back,
        };
        count.messages.fetch_add(1, Ordering::Relaxed);
        count.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.limit > 0 && direction == Direction::There {
            self.topic(topic, bytes);
        }
    }

    fn topic(&self, topic: &[u8], bytes: u64) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let (counted, others) = &mut *topics;
        if let Some(count) = counted.get_mut(topic) {
            count.add(bytes);
        } else if counted.len() < self.limit && topic.len() <= LONGEST_TOPIC {
            counted.entry(Bytes::copy_from_slice(topic)).or_default().add(bytes);
        } else {
            others.add(bytes);
        }
    }

    pub(super) fn dropped(&self, _: Direction) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn not_captured(&self) {
        self.not_captured.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it was the first time.
    pub(super) fn observer_panicked(&self) -> bool {
        self.observer_panics.fetch_add(1, Ordering::Relaxed) == 0
    }

    pub(super) fn taken(&self) -> Statistics {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counted: Vec<_> = topics.0.iter().map(|(name, count)| (name.clone(), *count)).collect();
        let others = topics.1;
        drop(topics);
        counted.sort_by(|(a, _), (b, _)| a.cmp(b));
        Statistics {
            there: self.there.taken(),
            back: self.back.taken(),
            dropped: self.dropped.load(Ordering::Relaxed),
            not_captured: self.not_captured.load(Ordering::Relaxed),
            observer_panics: self.observer_panics.load(Ordering::Relaxed),
            topics: Topics { counted, others },
        }
    }
}
