//! Events that were triggered while there was no link.

use std::collections::{BTreeMap, HashMap};

use crate::client::Offline;

/// Most bytes of data that are kept for one sender; one event may have more.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What a queue counts an event for beside its data, so that many small ones do not fill the memory.
const EVENT_BYTES: usize = 64;

/// Events that were triggered while there was no link, in the order of their triggers.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    policy: Offline,
    /// By the order of their triggers.
    kept: BTreeMap<u64, Kept<T>>,
    /// Which is the newest of each event; only for [`Offline::Latest`].
    newest: HashMap<u32, u64>,
    last: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Kept<T> {
    event: u32,
    bytes: usize,
    item: T,
}

impl<T> Backlog<T> {
    pub(super) fn new(policy: Offline) -> Self {
        Self {
            policy,
            kept: BTreeMap::new(),
            newest: HashMap::new(),
            last: 0,
            bytes: 0,
        }
    }

    pub(super) fn policy(&self) -> Offline {
        self.policy
    }

    /// Whether it keeps anything at all.
    pub(super) fn keeps(&self) -> bool {
        self.policy != Offline::Wait
    }

    /// Keeps an event whose data has so many bytes, if that is the policy. Gives how many events were lost by that: it,
    /// or those that had to make room for it.
    #[must_use]
    pub(super) fn push(&mut self, event: u32, bytes: usize, item: T) -> u64 {
        let (most, mut lost) = match self.policy {
            Offline::Wait | Offline::Buffer(0) => return 1,
            Offline::Buffer(most) => (most, 0),
            Offline::Latest => {
                let former = self.newest.get(&event).copied();
                (usize::MAX, u64::from(former.is_some_and(|former| self.remove(former))))
            }
        };
        self.last += 1;
        if self.policy == Offline::Latest {
            self.newest.insert(event, self.last);
        }
        let bytes = bytes.saturating_add(EVENT_BYTES);
        self.bytes = self.bytes.saturating_add(bytes);
        self.kept.insert(self.last, Kept { event, bytes, item });
        while self.kept.len() > most || (self.bytes > MAX_BYTES && self.kept.len() > 1) {
            self.pop();
            lost += 1;
        }
        lost
    }

    /// The oldest one.
    pub(super) fn front(&self) -> Option<&T> {
        self.kept.first_key_value().map(|(_, kept)| &kept.item)
    }

    /// Takes the oldest one out.
    pub(super) fn pop(&mut self) {
        if let Some((&oldest, _)) = self.kept.first_key_value() {
            self.remove(oldest);
        }
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.kept.values().map(|kept| &kept.item)
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn remove(&mut self, place: u64) -> bool {
        let Some(kept) = self.kept.remove(&place) else {
            return false;
        };
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        if self.newest.get(&kept.event) == Some(&place) {
            self.newest.remove(&kept.event);
        }
        true
    }
}
