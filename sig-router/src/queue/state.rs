//! What is in a listener's queue, behind its lock.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use sig_core::ContentType;

use super::chunk::Chunk;
use super::filling::Lending;
use super::{CATCH_UP, CHUNK_BYTES, ListenerStats};
use crate::confirm::Receipt;
use crate::event::{Event, EventId, Lagged};
use crate::flow::{Arriving, Backlog, Class, Track, Tracks};
use crate::hub::{CatchUp, EventRecord};
use crate::pressure::{Gate, Pressure};

pub(super) struct State {
    pub(super) backlog: Backlog<Waiting>,
    /// How many events wait beyond one for each entry of the backlog.
    pub(super) extra: u64,
    /// Taken out already, but what was lost before it was told first.
    pub(super) next: Option<Taken>,
    /// How many events the reader was given so far, and how many of them it was seen to have taken.
    pub(super) given: u64,
    pub(super) seen_taken: u64,
    pub(super) tracks: Tracks,
    /// Whether something was lost that the next event of its kind may not be there to tell.
    pub(super) has_rest: bool,
    /// What it is still to be given of what was there before it.
    pub(super) catch_ups: VecDeque<CatchUp>,
    pub(super) pressure: Pressure,
    pub(super) lending: Lending,
    pub(super) stats: ListenerStats,
    pub(super) closed: bool,
}

pub(super) struct Waiting {
    pub(super) what: Taken,
    /// The place in the track, of the first if there are several; none for presence, which is never lost.
    pub(super) position: Option<u64>,
}

/// What a reader is given.
pub(super) enum Taken {
    /// With what is to be kept until it is dealt with.
    One(Event<'static>, Option<Receipt>),
    Several(Chunk),
}

impl Taken {
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::One(..) => 1,
            Self::Several(chunk) => chunk.count(),
        }
    }
}

/// What is there for a reader that looks.
pub(super) enum Look {
    Taken(Taken),
    Lagged(Lagged),
    /// Nothing; an event is held back until then.
    Empty(Option<Instant>),
    Closed,
}

impl State {
    pub(super) fn has_room(&self, taken: u64) -> bool {
        !self.closed && self.waiting(taken) < CATCH_UP
    }

    /// The track of an event, which may have become known anew since it was last heard.
    pub(super) fn track(&mut self, event: &Arc<EventRecord>, new: impl FnOnce() -> Track) -> &mut Track {
        let (track, former) = self.tracks.of(event, new);
        if let Some(former) = former {
            self.backlog.settle(former);
        }
        track
    }

    /// How many events wait, those in the reader's hand among them.
    pub(super) fn waiting(&self, taken: u64) -> usize {
        let next = self.next.as_ref().map_or(0, Taken::count);
        let beside = self.extra + next + self.given.saturating_sub(taken);
        self.backlog.len() + usize::try_from(beside).unwrap_or(usize::MAX)
    }

    pub(super) fn give(&mut self, taken: Taken) -> Look {
        self.given += taken.count();
        Look::Taken(taken)
    }

    pub(super) fn look(&mut self, now: Instant, released: &mut Vec<Arc<Gate>>) -> Look {
        if let Some(taken) = self.next.take() {
            return self.give(taken);
        }
        self.backlog.ripen(now);
        let Some(entry) = self.backlog.pop() else {
            return match self.lost_at_the_end() {
                Some(lagged) => Look::Lagged(lagged),
                None if self.closed => Look::Closed,
                None => Look::Empty(self.backlog.next_due()),
            };
        };
        let Waiting { what, position } = entry.item;
        let count = what.count();
        self.extra -= count - 1;
        if matches!(entry.class, Class::Event { policy, .. } if policy.blocks()) {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            *released = self.pressure.took(count, entry.bytes, now);
        }
        let id = match &what {
            Taken::One(event, _) => event.shared_id(),
            Taken::Several(chunk) => Arc::clone(chunk.id()),
        };
        let track = position.and_then(|position| Some((position, self.tracks.get(entry.alias, &id)?)));
        let lost = track.map_or(0, |(position, track)| track.taken(position, count, entry.skipped));
        self.stats.skipped += entry.skipped;
        let what = match what {
            Taken::One(event, receipt) => Taken::One(event.with_skipped(entry.skipped), receipt),
            several @ Taken::Several(_) => several,
        };
        if lost > 0 {
            self.stats.lost += lost;
            self.next = Some(what);
            return Look::Lagged(Lagged::new(id, lost));
        }
        self.give(what)
    }

    /// Puts plain events behind those that wait, if possible into the same piece of memory.
    pub(super) fn append(
        &mut self,
        arriving: &Arriving<'_>,
        plain: Plain<'_>,
        write: impl Fn(&mut Chunk) -> bool,
    ) -> bool {
        let Plain {
            id,
            content_type,
            count,
            position,
            ..
        } = plain;
        if let Some(last) = self.last_chunk(arriving, plain) {
            if !write(last) {
                return false;
            }
            self.extended(arriving, count);
            return true;
        }
        let mut chunk = Chunk::new(id, content_type, arriving.number);
        if !write(&mut chunk) {
            return false;
        }
        self.push_chunk(arriving, chunk, position);
        true
    }

    /// The chunk at the end, if plain events fit behind those in it.
    pub(super) fn last_chunk(&mut self, arriving: &Arriving<'_>, plain: Plain<'_>) -> Option<&mut Chunk> {
        let last = self.backlog.last_mut()?;
        let (Taken::Several(chunk), Some(first)) = (&mut last.item.what, last.item.position) else {
            return None;
        };
        let goes_on = chunk.goes_on_with(plain.id, plain.content_type, arriving.number)
            && first + chunk.count() == plain.position
            && chunk.count() + plain.count <= plain.most
            && chunk.byte_len() + arriving.bytes <= CHUNK_BYTES;
        goes_on.then_some(chunk)
    }

    /// So many events were put into the chunk at the end.
    pub(super) fn extended(&mut self, arriving: &Arriving<'_>, count: u64) {
        if let Some(last) = self.backlog.last_mut() {
            last.bytes += arriving.bytes;
            self.extra += count;
        }
    }

    pub(super) fn push_chunk(&mut self, arriving: &Arriving<'_>, chunk: Chunk, position: u64) {
        self.extra += chunk.count() - 1;
        let waiting = Waiting {
            what: Taken::Several(chunk),
            position: Some(position),
        };
        // Such events are never held back: no time is asked for.
        let Ok(_) = self
            .backlog
            .push(arriving, self.pressure.last_taken(), |_| Ok::<_, Infallible>(waiting));
    }

    /// What was lost behind the last event of its kind that came.
    pub(super) fn lost_at_the_end(&mut self) -> Option<Lagged> {
        if !self.has_rest {
            return None;
        }
        let mut held = false;
        for (alias, id, track) in self.tracks.each() {
            if self.backlog.holds(alias) {
                held = true;
                continue;
            }
            let lost = track.rest();
            if lost > 0 {
                self.stats.lost += lost;
                return Some(Lagged::new(Arc::clone(id), lost));
            }
        }
        self.has_rest = held;
        None
    }
}

/// Plain events that are put in.
#[derive(Clone, Copy)]
pub(super) struct Plain<'a> {
    pub(super) id: &'a Arc<EventId>,
    pub(super) content_type: ContentType,
    pub(super) count: u64,
    /// The place of the first in its track.
    pub(super) position: u64,
    /// How many may be in one chunk.
    pub(super) most: u64,
}
