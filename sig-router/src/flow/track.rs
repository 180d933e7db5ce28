//! What a listener got of one event, by number: what is missing is what was lost.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::clock;
use crate::event::EventId;
use crate::hub::EventRecord;

/// The series of events that nobody numbers, or not for this listener alone: nothing can be said of what was lost.
pub(crate) const UNNUMBERED: u64 = 0;

/// What a listener got of one event of one sender.
///
/// Numbers count within a *series*: as long as that is the same they go on, whatever happened to links and routers in
/// between. Here they are one long count over all series: *positions*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Track {
    series: u64,
    /// The number that the series began after, and its position.
    base: u64,
    offset: u64,
    /// The last position that is known of.
    seen: u64,
    /// The last one that the listener got, or was told to have lost.
    told: u64,
    /// Whether nothing at all was offered of it yet.
    is_new: bool,
}

impl Track {
    /// One that expects the number after `base`.
    pub(crate) fn new(series: u64, base: u64) -> Self {
        Self {
            series,
            base,
            offset: 0,
            seen: 0,
            told: 0,
            is_new: true,
        }
    }

    /// Whether nothing of it was offered yet.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new && self.seen == 0
    }

    /// An event comes: its position, unless it or a later one came already.
    pub(crate) fn offered(&mut self, series: u64, number: u64) -> Option<u64> {
        self.is_new = false;
        if series != self.series {
            self.begin(series, 0);
        }
        let position = if series == UNNUMBERED {
            self.seen + 1
        } else {
            self.position_of(number)?
        };
        self.seen = position;
        Some(position)
    }

    /// Events with numbers that follow each other come: the position of the first, if none of them came already.
    pub(crate) fn offered_all(&mut self, series: u64, first: u64, count: u64) -> Option<u64> {
        if series != self.series {
            self.begin(series, 0);
        }
        let position = if series == UNNUMBERED {
            self.seen + 1
        } else {
            self.position_of(first)?
        };
        self.is_new = false;
        self.seen = position + (count - 1);
        Some(position)
    }

    /// The series is at this number: what did not come so far is lost. Whether anything is.
    pub(crate) fn moved_to(&mut self, series: u64, number: u64) -> bool {
        if series != self.series {
            self.begin(series, number);
            return false;
        }
        if series == UNNUMBERED {
            return false;
        }
        let Some(position) = self.position_of(number) else {
            return false;
        };
        self.seen = position;
        true
    }

    fn begin(&mut self, series: u64, base: u64) {
        (self.series, self.base, self.offset) = (series, base, self.seen);
    }

    fn position_of(&self, number: u64) -> Option<u64> {
        let position = self.offset.saturating_add(number.checked_sub(self.base)?);
        (position > self.seen).then_some(position)
    }

    /// The listener takes the event at this position, and so many in all that follow each other: how many were lost right
    /// before, but for those that a policy left out.
    pub(crate) fn taken(&mut self, position: u64, count: u64, skipped: u64) -> u64 {
        let gap = position.saturating_sub(self.told.saturating_add(1));
        self.told = self.told.max(position + (count - 1));
        gap.saturating_sub(skipped)
    }

    /// Nothing of it waits any more: how many were lost behind the last one that was taken.
    pub(crate) fn rest(&mut self) -> u64 {
        let lost = self.seen - self.told;
        self.told = self.seen;
        lost
    }
}

/// The tracks of one listener, by the event's alias.
///
/// A router may forget an event and know it again under another alias: by its name the track goes on.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    by_alias: FxHashMap<u32, usize>,
    by_name: HashMap<Arc<EventId>, usize>,
    tracks: Vec<Entry>,
    /// The one that was used last.
    last: usize,
    /// When there are this many, those of events that are no more are thrown away.
    prune_at: usize,
}

#[derive(Debug)]
struct Entry {
    alias: u32,
    id: Arc<EventId>,
    event: Weak<EventRecord>,
    track: Track,
    absent: Absent,
}

/// Whether the event's sender was lost, but may come back.
#[derive(Debug, Clone, Copy)]
enum Absent {
    No,
    Lost,
    /// It was looked for at this time.
    Since(Instant),
}

impl Entry {
    /// Whether it is of use: the event is there or may come back, or the listener is still to be told something of it.
    fn is_live(&mut self, now: Instant, keeps_absent: bool) -> bool {
        if self.event.strong_count() > 0 || self.track.seen > self.track.told {
            return true;
        }
        let since = match self.absent {
            Absent::No => return false,
            Absent::Lost => now,
            Absent::Since(since) => since,
        };
        self.absent = Absent::Since(since);
        keeps_absent && now < since + KEPT
    }
}

/// So few tracks are never looked through.
const FEW: usize = 1024;

/// So long the track of an event is kept whose sender was lost: its link was cut, and it comes back when that is whole, or that of
/// this program was. Then the events are told of one after the other, and until it is its turn an event seems to be no more. But
/// its numbers go on.
const KEPT: Duration = Duration::from_secs(120);

/// With more tracks than this none is kept for that.
const MANY: usize = 16 * FEW;

impl Tracks {
    /// The track of this event, made if need be, and the alias that it had before if it is known by a new one now.
    pub(crate) fn of(&mut self, event: &Arc<EventRecord>, new: impl FnOnce() -> Track) -> (&mut Track, Option<u32>) {
        let (index, former) = match self.index(event.alias) {
            Some(index) => (index, None),
            None => self.add(event, new),
        };
        self.last = index;
        (&mut self.tracks[index].track, former)
    }

    /// The track of the event that has this alias, or had it when it came.
    pub(crate) fn get(&mut self, alias: u32, id: &EventId) -> Option<&mut Track> {
        let index = self.index(alias).or_else(|| self.by_name.get(id).copied())?;
        Some(&mut self.tracks[index].track)
    }

    /// The sender of this event is gone. If it may come back, its numbers go on.
    pub(crate) fn gone(&mut self, alias: u32, may_come_back: bool) {
        if let Some(index) = self.index(alias) {
            self.tracks[index].absent = if may_come_back { Absent::Lost } else { Absent::No };
        }
    }

    /// Every track, with the event's alias.
    pub(crate) fn each(&mut self) -> impl Iterator<Item = (u32, &Arc<EventId>, &mut Track)> {
        let tracks = self.tracks.iter_mut();
        tracks.map(|entry| (entry.alias, &entry.id, &mut entry.track))
    }

    fn index(&self, alias: u32) -> Option<usize> {
        if self.tracks.get(self.last).is_some_and(|entry| entry.alias == alias) {
            return Some(self.last);
        }
        self.by_alias.get(&alias).copied()
    }

    fn add(&mut self, event: &Arc<EventRecord>, new: impl FnOnce() -> Track) -> (usize, Option<u32>) {
        if let Some(index) = self.by_name.get(event.id()).copied() {
            let entry = &mut self.tracks[index];
            let former = std::mem::replace(&mut entry.alias, event.alias);
            (entry.event, entry.absent) = (Arc::downgrade(event), Absent::No);
            self.by_alias.remove(&former);
            self.by_alias.insert(event.alias, index);
            return (index, Some(former));
        }
        if self.tracks.len() >= self.prune_at.max(FEW) {
            self.prune();
        }
        let index = self.tracks.len();
        self.tracks.push(Entry {
            alias: event.alias,
            id: Arc::clone(event.id()),
            event: Arc::downgrade(event),
            track: new(),
            absent: Absent::No,
        });
        self.by_alias.insert(event.alias, index);
        self.by_name.insert(Arc::clone(event.id()), index);
        (index, None)
    }

    fn prune(&mut self) {
        let (now, keeps_absent) = (clock::now(), self.tracks.len() < MANY);
        self.tracks.retain_mut(|entry| entry.is_live(now, keeps_absent));
        let tracks = || self.tracks.iter().enumerate();
        self.by_alias = tracks().map(|(index, entry)| (entry.alias, index)).collect();
        self.by_name = tracks().map(|(index, entry)| (Arc::clone(&entry.id), index)).collect();
        self.prune_at = 2 * self.tracks.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_missing_between_two_is_lost() {
        let mut track = Track::new(7, 10);
        let first = track.offered(7, 11).unwrap();
        let later = track.offered(7, 15).unwrap();
        assert_eq!(
            (track.taken(first, 1, 0), track.taken(later, 1, 0), track.rest()),
            (0, 3, 0)
        );
    }

    #[test]
    fn what_a_policy_left_out_is_not_lost() {
        let mut track = Track::new(7, 0);
        let position = track.offered(7, 10).unwrap();
        assert_eq!(track.taken(position, 1, 9), 0);
        let position = track.offered(7, 20).unwrap();
        assert_eq!(track.taken(position, 1, 4), 5);
    }

    #[test]
    fn the_same_event_comes_once() {
        let mut track = Track::new(7, 0);
        assert!(track.offered(7, 3).is_some());
        assert_eq!((track.offered(7, 3), track.offered(7, 2)), (None, None));
    }

    #[test]
    fn a_loss_at_the_end_shows_when_the_number_is_told() {
        let mut track = Track::new(7, 0);
        let position = track.offered(7, 1).unwrap();
        assert!(!track.moved_to(7, 1));
        assert!(track.moved_to(7, 5));
        assert_eq!((track.taken(position, 1, 0), track.rest()), (0, 4));
        assert_eq!(track.rest(), 0);
    }

    #[test]
    fn a_new_series_begins_anew_and_forgets_no_loss_of_the_old_one() {
        let mut track = Track::new(7, 0);
        let first = track.offered(7, 1).unwrap();
        assert!(track.moved_to(7, 4));
        let second = track.offered(8, 1).unwrap();
        assert_eq!((track.taken(first, 1, 0), track.taken(second, 1, 0)), (0, 3));
        // One that was known elsewhere before begins where it is.
        assert!(!track.moved_to(9, 100));
        let third = track.offered(9, 101).unwrap();
        assert_eq!((track.taken(third, 1, 0), track.rest()), (0, 0));
    }

    proptest! {
        /// Whatever comes, is refused, skipped or only told of: all that was emitted is accounted for.
        #[test]
        fn promise_1_received_and_lost_are_what_was_emitted(
            steps in prop::collection::vec((0_u8..5, 1_u64..4), 1..200),
        ) {
            let (mut track, mut series, mut number) = (Track::new(1, 0), 1, 0);
            let (mut emitted, mut received, mut lost, mut skipped) = (0, 0, 0, 0);
            let mut pending_skips = 0;
            for (step, amount) in steps {
                match step {
                    // Some are lost on the way.
                    0 => (number, emitted) = (number + amount, emitted + amount),
                    // Some are left out.
                    1 => {
                        (number, emitted) = (number + amount, emitted + amount);
                        pending_skips += amount;
                    }
                    // The number is told. What was left out before then counts as lost.
                    2 => {
                        if track.moved_to(series, number) {
                            pending_skips = 0;
                        }
                        lost += track.rest();
                    }
                    // The sender begins anew, once all is told.
                    3 => {
                        track.moved_to(series, number);
                        lost += track.rest();
                        (series, number, pending_skips) = (series + 1, 0, 0);
                        track.moved_to(series, number);
                    }
                    _ => {
                        (number, emitted) = (number + 1, emitted + 1);
                        let position = track.offered(series, number).unwrap();
                        let skips = std::mem::take(&mut pending_skips);
                        lost += track.taken(position, 1, skips);
                        (received, skipped) = (received + 1, skipped + skips);
                    }
                }
            }
            track.moved_to(series, number);
            lost += track.rest();
            prop_assert_eq!(received + lost + skipped, emitted);
        }
    }
}
