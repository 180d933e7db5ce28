//! The numbers of one event.

use std::sync::atomic::{AtomicU64, Ordering};

/// Who counts holds the sender's lane.
const LANE: u64 = 1 << 63;

/// How many of an event there were.
///
/// Where queues hear it, an event's number and its place in them are one thing: who counts holds the sender's lane.
/// Where functions alone hear it there are no places to keep, and nothing is locked ([`next_if`](Self::next_if)). Which
/// of the two holds stands in the number itself, so that nobody counts without the lane who saw it before that changed.
#[derive(Debug)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(LANE))
    }

    /// The last number, for those who only look.
    pub(super) fn last(&self) -> u64 {
        self.0.load(Ordering::Relaxed) & !LANE
    }

    /// The last number; it stays so for as long as the caller holds the lane.
    pub(super) fn pin(&self) -> u64 {
        let count = self.0.load(Ordering::Acquire);
        if count & LANE != 0 {
            return count & !LANE;
        }
        self.0.fetch_or(LANE, Ordering::AcqRel) & !LANE
    }

    /// The next number; the caller holds the lane, and so will whoever counts next.
    pub(super) fn next(&self) -> u64 {
        let number = self.pin() + 1;
        self.0.store(number | LANE, Ordering::Release);
        number
    }

    /// Goes on after this number; the caller holds the lane, or is the only one who counts. Gives the last number.
    pub(super) fn set(&self, number: u64) -> u64 {
        let before = self.pin();
        // The lane is the lock; the number is atomic for those who only look.
        self.0.store(number | LANE, Ordering::Release);
        before
    }

    /// The next number; the caller holds the lane, and functions alone hear the event: whoever counts next need not.
    pub(super) fn next_and_let_go(&self) -> u64 {
        let count = self.0.load(Ordering::Acquire);
        if count & LANE == 0 {
            return self.0.fetch_add(1, Ordering::AcqRel) + 1;
        }
        let number = (count & !LANE) + 1;
        self.0.store(number, Ordering::Release);
        number
    }

    /// The next number without the lane; `None` if only who holds that may count, or `holds` says no.
    ///
    /// What was seen of the listeners by who took the number before is seen in `holds`.
    #[inline]
    pub(super) fn next_if(&self, holds: impl Fn() -> bool) -> Option<u64> {
        let mut count = self.0.load(Ordering::Acquire);
        loop {
            if count & LANE != 0 || !holds() {
                return None;
            }
            match self
                .0
                .compare_exchange_weak(count, count + 1, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Some(count + 1),
                Err(now) => count = now,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_from_one_way_to_count_to_the_other() {
        let count = Count::new();
        assert_eq!(count.next_if(|| true), None, "nobody has looked who listens yet");
        assert_eq!((count.next(), count.next_and_let_go()), (1, 2));
        assert_eq!((count.next_if(|| true), count.next_if(|| false)), (Some(3), None));
        assert_eq!((count.next_and_let_go(), count.last()), (4, 4));
        assert_eq!((count.next(), count.next_if(|| true)), (5, None));
        assert_eq!((count.set(9), count.next_and_let_go()), (5, 10));
        assert_eq!((count.pin(), count.next_if(|| true), count.last()), (10, None, 10));
    }

    #[test]
    fn nobody_counts_without_the_lane_who_looked_before_it_was_needed() {
        let count = Count::new();
        count.next_and_let_go();
        let looked = std::cell::Cell::new(0);
        let number = count.next_if(|| {
            looked.set(looked.get() + 1);
            count.next();
            true
        });
        assert_eq!((number, looked.get(), count.last()), (None, 1, 2));
    }
}
