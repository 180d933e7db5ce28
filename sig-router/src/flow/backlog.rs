//! Events that wait in order, each under its own policy.

mod entry;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use sig_core::SenderName;

pub(crate) use self::entry::{Arriving, Class, Entry, Pushed};
use crate::policy::Policy;

/// Droppable events never take more memory than this in one queue.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// While fewer changes of presence than this wait, every one is told.
const CROWDED: usize = 256;

const CONNECTS: Class = Class::Presence { connects: true };

/// So many places that are empty cost nothing worth tidying up.
const FEW: usize = 64;

/// Events that wait in order, each under its own policy.
///
/// `Block` and presence are for whoever feeds it to bound: they are taken always.
#[derive(Debug)]
pub(crate) struct Backlog<T> {
    /// In order; `None` where one was taken back.
    entries: VecDeque<Option<Entry<T>>>,
    /// The place of the first of them, counted from the beginning.
    first: u64,
    live: usize,
    /// Bytes of those that may be lost.
    droppable: usize,
    /// The places of what one listener keeps, oldest first.
    kept: HashMap<u64, VecDeque<u64>>,
    /// The place of the newest of each kind.
    newest: HashMap<u32, u64>,
    rated: HashMap<u32, Rated<T>>,
    /// When the next of those that are held back is due.
    next_due: Option<Instant>,
    /// The places of presence that waits, by sender, and how many those are.
    presence: HashMap<SenderName, Vec<u64>>,
    changes: usize,
}

/// An event under [`Policy::Rate`].
#[derive(Debug)]
struct Rated<T> {
    sender: SenderName,
    /// When the next may come.
    due: Instant,
    period: Duration,
    /// The newest, until then.
    held: Option<Entry<T>>,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            live: 0,
            droppable: 0,
            kept: HashMap::new(),
            newest: HashMap::new(),
            rated: HashMap::new(),
            next_due: None,
            presence: HashMap::new(),
            changes: 0,
        }
    }
}

impl<T> Backlog<T> {
    /// How many wait, those that are held back included.
    pub(crate) fn len(&self) -> usize {
        let held = if self.next_due.is_some() {
            self.rated.values().filter(|rated| rated.held.is_some()).count()
        } else {
            0
        };
        self.live + held
    }

    /// How many events wait. Takes longer where many do.
    pub(crate) fn events(&self) -> usize {
        let notices = self.entries.iter().flatten();
        let notices = notices.filter(|entry| matches!(entry.class, Class::Notice));
        self.len() - notices.count()
    }

    /// Whether nothing waits that could be taken now.
    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether an event of this alias is held back until its time has come.
    pub(crate) fn holds(&self, alias: u32) -> bool {
        self.next_due.is_some() && self.rated.get(&alias).is_some_and(|rated| rated.held.is_some())
    }

    /// When to look again for events that are held back.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.next_due
    }

    /// Takes an event in, or not. `make` is given how many were left out before it.
    ///
    /// # Errors
    ///
    /// That of `make`; nothing is lost then.
    pub(crate) fn push<E>(
        &mut self,
        event: &Arriving<'_>,
        now: Instant,
        make: impl FnOnce(u64) -> Result<T, E>,
    ) -> Result<Pushed, E> {
        let Class::Event { policy, listener } = event.class else {
            let entry = Entry::new(event, 0, make(event.skipped)?);
            return Ok(self.push_presence(entry, event.sender));
        };
        // What came under other terms stays in front of it.
        if policy != Policy::Latest {
            self.fix(event.alias);
        }
        if !matches!(policy, Policy::Rate(_)) {
            self.let_go_of(event.alias);
        }
        match policy {
            Policy::Block(_) => {
                let entry = Entry::new(event, 0, make(event.skipped)?);
                self.append(entry);
                Ok(Pushed::STORED)
            }
            Policy::DropOldest(most) => {
                let entry = Entry::new(event, 0, make(event.skipped)?);
                let mut dropped = Vec::new();
                while self.kept_by(listener) >= most || self.is_over(event.bytes) {
                    let Some(oldest) = self.drop_oldest_of(listener) else {
                        break;
                    };
                    dropped.push((oldest.alias, oldest.number));
                }
                self.keep(entry, listener);
                Ok(Pushed {
                    dropped,
                    ..Pushed::STORED
                })
            }
            Policy::DropNewest(most) => {
                if self.kept_by(listener) >= most || self.is_over(event.bytes) {
                    return Ok(Pushed::LOST);
                }
                let entry = Entry::new(event, 0, make(event.skipped)?);
                self.keep(entry, listener);
                Ok(Pushed::STORED)
            }
            Policy::Latest => self.push_latest(event, make),
            Policy::Rate(hz) => self.push_rated(event, Duration::from_secs_f64(1.0 / hz), now, make),
        }
    }

    fn push_latest<E>(&mut self, event: &Arriving<'_>, make: impl FnOnce(u64) -> Result<T, E>) -> Result<Pushed, E> {
        let place = self.newest.get(&event.alias).copied();
        let older = place.and_then(|place| self.entry(place)).map(|older| older.skipped + 1);
        if older.is_none() && self.is_over(event.bytes) {
            return Ok(Pushed::LOST);
        }
        let entry = Entry::new(event, older.unwrap_or(0), make(event.skipped + older.unwrap_or(0))?);
        if let Some(place) = place {
            self.take_back(place);
        }
        let place = self.append(entry);
        self.newest.insert(event.alias, place);
        Ok(Pushed {
            skipped: u64::from(older.is_some()),
            ..Pushed::STORED
        })
    }

    fn push_rated<E>(
        &mut self,
        event: &Arriving<'_>,
        period: Duration,
        now: Instant,
        make: impl FnOnce(u64) -> Result<T, E>,
    ) -> Result<Pushed, E> {
        if self.is_over(event.bytes) {
            return Ok(Pushed::LOST);
        }
        let rated = self.rated.get(&event.alias);
        let older = rated
            .and_then(|rated| rated.held.as_ref())
            .map(|older| older.skipped + 1);
        let due = rated.map_or(now, |rated| rated.due);
        let entry = Entry::new(event, older.unwrap_or(0), make(event.skipped + older.unwrap_or(0))?);
        let skipped = u64::from(older.is_some());
        if now >= due {
            let sender = event.sender.clone();
            let held = None;
            // On the beat, so that 20 a second are 20 and not 19; after a pause, from now on.
            let due = if now < due + period { due + period } else { now + period };
            let rated = Rated {
                sender,
                due,
                period,
                held,
            };
            if self.rated.len() >= FEW && self.rated.len() == self.rated.capacity() {
                // Before it grows: those that did not come for a while may come at once.
                self.rated.retain(|_, rated| rated.held.is_some() || now < rated.due);
            }
            let replaced = self.rated.insert(event.alias, rated).and_then(|rated| rated.held);
            self.droppable -= replaced.map_or(0, |replaced| replaced.bytes);
            self.append(entry);
        } else if let Some(rated) = self.rated.get_mut(&event.alias) {
            self.droppable += entry.bytes;
            let replaced = rated.held.replace(entry);
            self.droppable -= replaced.map_or(0, |replaced| replaced.bytes);
            rated.period = period;
            self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
        }
        Ok(Pushed {
            skipped,
            ..Pushed::STORED
        })
    }

    /// Puts something in that is never lost, and counted for nothing.
    pub(crate) fn push_notice(&mut self, item: T) {
        self.append(Entry {
            item,
            alias: 0,
            number: 0,
            skipped: 0,
            bytes: 0,
            class: Class::Notice,
            presence: None,
        });
    }

    /// Presence. Where much of it waits, all changes of a sender become one pair at most: the listener ends in the truth, and
    /// `#connect` and `#disconnect` alternate.
    fn push_presence(&mut self, mut entry: Entry<T>, sender: &SenderName) -> Pushed {
        let connects = entry.class == CONNECTS;
        self.let_go_of_all_of(sender);
        if self.changes >= CROWDED {
            let waiting = self.presence.get(sender).cloned().unwrap_or_default();
            if let [first, rest @ ..] = &waiting[..] {
                rest.iter().for_each(|place| drop(self.take_back(*place)));
                let first_connects = self.entry(*first).is_some_and(|entry| entry.class == CONNECTS);
                match (first_connects, connects) {
                    (true, true) => {
                        // It is the one that waits first, with what it says now.
                        if let Some(waiting) = self.entry_mut(*first) {
                            std::mem::swap(&mut waiting.item, &mut entry.item);
                        }
                        return Pushed::STORED;
                    }
                    (false, false) => drop(self.take_back(*first)),
                    (true, false) | (false, true) => {}
                }
            }
        }
        let place = self.append(entry);
        self.presence.entry(sender.clone()).or_default().push(place);
        self.changes += 1;
        Pushed::STORED
    }

    /// What waits of this event, waits to be taken and for nothing else: neither for its time nor for a newer one.
    pub(crate) fn settle(&mut self, alias: u32) {
        self.fix(alias);
        self.let_go_of(alias);
    }

    /// The newest of an event is not left out any more for a newer one.
    fn fix(&mut self, alias: u32) {
        if !self.newest.is_empty() {
            self.newest.remove(&alias);
        }
    }

    /// Lets go of what is held back of an event.
    fn let_go_of(&mut self, alias: u32) {
        if self.next_due.is_none() {
            return;
        }
        let held = self.rated.get_mut(&alias).and_then(|rated| rated.held.take());
        if let Some(entry) = held {
            self.droppable -= entry.bytes;
            self.append(entry);
            self.find_next_due();
        }
    }

    /// Lets go of what is held back of a sender: it comes before the sender leaves.
    fn let_go_of_all_of(&mut self, sender: &SenderName) {
        if self.next_due.is_none() {
            return;
        }
        let rated = self.rated.values_mut().filter(|rated| rated.sender == *sender);
        let held: Vec<_> = rated.filter_map(|rated| rated.held.take()).collect();
        for entry in held {
            self.droppable -= entry.bytes;
            self.append(entry);
        }
        self.find_next_due();
    }

    /// Lets go of all that is held back.
    pub(crate) fn let_all_go(&mut self) {
        let rated = std::mem::take(&mut self.rated);
        for entry in rated.into_values().filter_map(|rated| rated.held) {
            self.droppable -= entry.bytes;
            self.append(entry);
        }
        self.next_due = None;
    }

    /// Puts what was held back to the others, if its time has come.
    pub(crate) fn ripen(&mut self, now: Instant) {
        if self.next_due.is_none_or(|due| now < due) {
            return;
        }
        let mut ripe = Vec::new();
        for rated in self.rated.values_mut().filter(|rated| rated.due <= now) {
            if let Some(entry) = rated.held.take() {
                rated.due = if now < rated.due + rated.period { rated.due } else { now } + rated.period;
                ripe.push(entry);
            }
        }
        for entry in ripe {
            self.droppable -= entry.bytes;
            self.append(entry);
        }
        // What has been quiet for a while is forgotten.
        self.rated
            .retain(|_, rated| rated.held.is_some() || now < rated.due + rated.period);
        self.find_next_due();
    }

    fn find_next_due(&mut self) {
        let held = self.rated.values().filter(|rated| rated.held.is_some());
        self.next_due = held.map(|rated| rated.due).min();
    }

    /// Takes the first that waits.
    pub(crate) fn pop(&mut self) -> Option<Entry<T>> {
        loop {
            let place = self.first;
            let entry = self.entries.pop_front()?;
            self.first += 1;
            let Some(entry) = entry else { continue };
            self.forget(&entry, place);
            if self.entries.is_empty() && self.entries.capacity() > FEW {
                self.entries = VecDeque::new();
            }
            return Some(entry);
        }
    }

    /// The one that came last, if it still waits.
    pub(crate) fn last_mut(&mut self) -> Option<&mut Entry<T>> {
        self.entries.back_mut()?.as_mut()
    }

    /// Everything that waits, in order; nothing does any more.
    pub(crate) fn drain(&mut self) -> Vec<Entry<T>> {
        let mut drained: Vec<_> = std::iter::from_fn(|| self.pop()).collect();
        drained.extend(self.rated.drain().filter_map(|(_, rated)| rated.held));
        *self = Self {
            first: self.first,
            ..Self::default()
        };
        drained
    }

    fn append(&mut self, entry: Entry<T>) -> u64 {
        self.tidy_up();
        let place = self.first + self.entries.len() as u64;
        self.live += 1;
        if entry.is_droppable() {
            self.droppable += entry.bytes;
        }
        self.entries.push_back(Some(entry));
        place
    }

    fn keep(&mut self, entry: Entry<T>, listener: u64) {
        let place = self.append(entry);
        self.kept.entry(listener).or_default().push_back(place);
    }

    fn kept_by(&self, listener: u64) -> usize {
        self.kept.get(&listener).map_or(0, VecDeque::len)
    }

    fn is_over(&self, bytes: usize) -> bool {
        self.droppable > 0 && self.droppable + bytes > MOST_BYTES
    }

    fn drop_oldest_of(&mut self, listener: u64) -> Option<Entry<T>> {
        let place = *self.kept.get(&listener)?.front()?;
        self.take_back(place)
    }

    fn entry(&self, place: u64) -> Option<&Entry<T>> {
        let index = usize::try_from(place.checked_sub(self.first)?).ok()?;
        self.entries.get(index)?.as_ref()
    }

    fn entry_mut(&mut self, place: u64) -> Option<&mut Entry<T>> {
        let index = usize::try_from(place.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)?.as_mut()
    }

    fn take_back(&mut self, place: u64) -> Option<Entry<T>> {
        let index = usize::try_from(place.checked_sub(self.first)?).ok()?;
        let entry = self.entries.get_mut(index)?.take()?;
        self.forget(&entry, place);
        Some(entry)
    }

    /// An entry left its place.
    fn forget(&mut self, entry: &Entry<T>, place: u64) {
        self.live -= 1;
        if entry.is_droppable() {
            self.droppable -= entry.bytes;
        }
        match entry.class {
            Class::Event {
                policy: Policy::DropOldest(_) | Policy::DropNewest(_),
                listener,
            } => {
                if let Some(places) = self.kept.get_mut(&listener) {
                    places.pop_front();
                    if places.is_empty() {
                        self.kept.remove(&listener);
                    }
                }
            }
            Class::Event {
                policy: Policy::Latest, ..
            } => {
                if self.newest.get(&entry.alias) == Some(&place) {
                    self.newest.remove(&entry.alias);
                }
            }
            Class::Presence { .. } => {
                let Some(sender) = &entry.presence else { return };
                let Some(places) = self.presence.get_mut(sender) else {
                    return;
                };
                places.retain(|other| *other != place);
                self.changes -= 1;
                if places.is_empty() {
                    self.presence.remove(sender);
                }
            }
            Class::Event { .. } | Class::Notice => {}
        }
    }

    /// Closes the gaps when there are more of them than entries.
    fn tidy_up(&mut self) {
        if self.entries.len() < 2 * self.live + FEW {
            return;
        }
        let first = self.first;
        let mut moved = HashMap::with_capacity(self.live);
        let mut place = first;
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.is_some() {
                moved.insert(first + index as u64, place);
                place += 1;
            }
        }
        self.entries.retain(Option::is_some);
        let new = |place: &mut u64| *place = moved.get(place).copied().unwrap_or(*place);
        self.kept.values_mut().flatten().for_each(new);
        self.newest.values_mut().for_each(new);
        self.presence.values_mut().flatten().for_each(new);
    }
}

#[cfg(test)]
mod tests;
