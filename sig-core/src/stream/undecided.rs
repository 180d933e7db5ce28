//! Connections that have not said yet what they speak.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The connections that are undecided now, at most so many of them.
#[derive(Debug)]
pub(super) struct Undecided {
    limit: usize,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    last: u64,
    /// By order of arrival.
    waiting: BTreeMap<u64, CancellationToken>,
}

impl Undecided {
    /// An empty list for at most `limit` connections.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            list: Mutex::default(),
        })
    }

    /// A place in the list. Where it is full, the oldest connection loses its own.
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        let mut list = self.lock();
        if list.waiting.len() >= self.limit {
            if let Some((_, evicted)) = list.waiting.pop_first() {
                evicted.cancel();
            }
        }
        list.last += 1;
        let (number, evicted) = (list.last, CancellationToken::new());
        list.waiting.insert(number, evicted.clone());
        Place {
            undecided: Arc::clone(self),
            number,
            evicted,
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the list of undecided connections; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    undecided: Arc<Undecided>,
    number: u64,
    evicted: CancellationToken,
}

impl Place {
    /// Waits until a newer connection took this place.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.undecided.lock().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_loses_its_place() {
        let undecided = Undecided::new(2);
        let (first, second) = (undecided.enter(), undecided.enter());
        drop(first);
        let third = undecided.enter();
        assert!(!second.evicted.is_cancelled(), "a place that was given back is free");
        let _fourth = undecided.enter();
        assert!(second.evicted.is_cancelled() && !third.evicted.is_cancelled());
        drop(second);
        assert_eq!(undecided.lock().waiting.len(), 2);
    }
}
