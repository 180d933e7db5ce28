//! Calls that wait for their replies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// The calls of one link that wait for a reply, each with a deadline: at most a given number of them.
///
/// Ids count 1, 2, 3 and so on as pysig's do (P39), and none is used twice. A reply that comes late, twice or for an id
/// that was never given finds nothing (P45).
#[derive(Debug)]
pub(crate) struct Replies<T> {
    max: usize,
    last_id: u64,
    waiting: BTreeMap<u64, (Instant, T)>,
    deadlines: BTreeSet<(Instant, u64)>,
}

impl<T> Replies<T> {
    /// An empty table for `max` calls.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            last_id: 0,
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Keeps `value` until its reply comes, and gives the id for the call.
    ///
    /// # Errors
    ///
    /// Gives `value` back when the table is full.
    pub(crate) fn insert(&mut self, value: T, deadline: Instant) -> Result<u64, T> {
        if self.waiting.len() >= self.max {
            return Err(value);
        }
        self.last_id += 1;
        self.waiting.insert(self.last_id, (deadline, value));
        self.deadlines.insert((deadline, self.last_id));
        Ok(self.last_id)
    }

    /// The value behind a reply; `None` for an id that is not waited for (any more).
    pub(crate) fn take(&mut self, id: u64) -> Option<T> {
        let (deadline, value) = self.waiting.remove(&id)?;
        self.deadlines.remove(&(deadline, id));
        Some(value)
    }

    /// Whether a call had this id: if nothing is taken for it, its reply comes too late.
    pub(crate) fn was_given(&self, id: u64) -> bool {
        (1..=self.last_id).contains(&id)
    }

    /// The value behind a reply that did not come yet.
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        self.waiting.get_mut(&id).map(|(_, value)| value)
    }

    /// Takes out what is due at `now`, the earliest deadline first.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(u64, T)> {
        let mut expired = Vec::new();
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            expired.extend(self.waiting.remove(&id).map(|(_, value)| (id, value)));
        }
        expired
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// Takes out everything, in the order of the calls: the link is gone.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.deadlines.clear();
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().map(|(_, value)| value).collect()
    }

    /// As [`drain`](Self::drain), and from here on nothing is taken.
    pub(crate) fn close(&mut self) -> Vec<T> {
        self.max = 0;
        self.drain()
    }

    /// Takes out the calls that this says yes to.
    pub(crate) fn take_those(&mut self, is_meant: impl Fn(&T) -> bool) -> Vec<(u64, T)> {
        let meant = self.waiting.iter().filter(|(_, (_, value))| is_meant(value));
        let ids: Vec<_> = meant.map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| Some((id, self.take(id)?))).collect()
    }

    /// Whether this reply is still waited for.
    pub(crate) fn is_waited_for(&self, id: u64) -> bool {
        self.waiting.contains_key(&id)
    }

    /// How many calls wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn p39_ids_count_from_one_and_p45_unknown_ones_find_nothing() {
        let now = Instant::now();
        let mut replies = Replies::new(2);
        assert_eq!(replies.insert("a", now), Ok(1));
        assert_eq!(replies.insert("b", now), Ok(2));
        assert_eq!(replies.insert("c", now), Err("c"), "full");
        assert_eq!([0, 1, 2, 3].map(|id| replies.was_given(id)), [false, true, true, false]);
        *replies.get_mut(2).unwrap() = "B";
        assert_eq!(replies.take(1), Some("a"));
        assert_eq!(replies.take(1), None, "twice");
        assert_eq!(replies.take(0), None);
        assert_eq!(replies.insert("c", now), Ok(3), "an id is never used again");
        assert_eq!(replies.get_mut(1), None);
        assert_eq!(replies.drain(), ["B", "c"]);
        assert_eq!((replies.len(), replies.next_deadline()), (0, None));
    }

    #[test]
    fn the_earliest_deadline_comes_first() {
        let now = Instant::now();
        let at = |millis| now + Duration::from_millis(millis);
        let mut replies = Replies::new(8);
        for (value, millis) in [("late", 30), ("early", 10), ("middle", 20)] {
            replies.insert(value, at(millis)).unwrap();
        }
        assert_eq!(replies.next_deadline(), Some(at(10)));
        assert_eq!(replies.expire(at(9)), []);
        assert_eq!(replies.expire(at(20)), [(2, "early"), (3, "middle")]);
        assert_eq!(replies.take(2), None, "a reply after the deadline");
        assert_eq!(replies.next_deadline(), Some(at(30)));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u64),
        Take(u64),
        Expire(u64),
        Drain,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (0u64..100).prop_map(Step::Insert),
            4 => (0u64..40).prop_map(Step::Take),
            2 => (0u64..100).prop_map(Step::Expire),
            1 => Just(Step::Drain),
        ];
        prop::collection::vec(step, 0..120)
    }

    proptest! {
        /// Against a plain list of (id, deadline).
        #[test]
        fn behaves_like_a_list(steps in steps(), max in 0usize..12) {
            let start = Instant::now();
            let at = |millis| start + Duration::from_millis(millis);
            let mut replies = Replies::new(max);
            let (mut list, mut last) = (Vec::<(u64, u64)>::new(), 0);
            for step in steps {
                match step {
                    Step::Insert(deadline) => {
                        let id = replies.insert(last + 1, at(deadline));
                        if list.len() < max {
                            last += 1;
                            list.push((last, deadline));
                            prop_assert_eq!(id, Ok(last));
                        } else {
                            prop_assert_eq!(id, Err(last + 1));
                        }
                    }
                    Step::Take(id) => {
                        let known = list.iter().any(|entry| entry.0 == id);
                        list.retain(|entry| entry.0 != id);
                        prop_assert_eq!(replies.take(id), known.then_some(id));
                    }
                    Step::Expire(now) => {
                        let (mut due, later): (Vec<_>, Vec<_>) = list.into_iter().partition(|entry| entry.1 <= now);
                        list = later;
                        due.sort_by_key(|&(id, deadline)| (deadline, id));
                        let expected: Vec<_> = due.into_iter().map(|(id, _)| (id, id)).collect();
                        prop_assert_eq!(replies.expire(at(now)), expected);
                    }
                    Step::Drain => {
                        let expected: Vec<_> = list.drain(..).map(|(id, _)| id).collect();
                        prop_assert_eq!(replies.drain(), expected);
                    }
                }
                prop_assert_eq!(replies.len(), list.len());
                let next = list.iter().map(|entry| at(entry.1)).min();
                prop_assert_eq!(replies.next_deadline(), next);
            }
        }
    }
}
