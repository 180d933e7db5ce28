//! Room of a queue that is lent to one event, so that it need not come by the queue's lock.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use sig_core::ContentType;

use super::chunk::Chunk;
use super::{CHUNK_BYTES, ListenerQueue, Plain, State};
use crate::flow::{Arriving, Class, Track};
use crate::hub::EventRecord;

/// What is larger comes by the lock, which it can afford.
const SMALL: usize = 1024;

/// So many events of one kind come one behind the other before room is lent to it. With two that take turns there would
/// be more lending than using.
const IN_A_ROW: u8 = 3;

/// Room of a queue that is lent to one event, for those that are plain and small.
///
/// What comes into it is put to the others before anything else is done with the queue: by the reader, who looks for it,
/// or by who brings the event of another kind, after whom nothing is lent any more. So events are in the queue in the
/// order in which they came, and what was lent is never more than what is free.
pub(crate) struct Filling {
    chunk: Chunk,
    left: u64,
    left_bytes: usize,
    queue: Arc<ListenerQueue>,
}

impl Filling {
    /// Puts an event in, unless it does not fit: then it has to come the usual way. Gives the queue if its reader may sleep.
    #[inline]
    pub(crate) fn put(
        &mut self,
        number: u64,
        &(content_type, data): &(ContentType, &[u8]),
    ) -> Option<Option<Arc<ListenerQueue>>> {
        let fits = self.left > 0
            && data.len() <= SMALL.min(self.left_bytes)
            && self.chunk.byte_len() + data.len() <= CHUNK_BYTES
            && self.chunk.is_followed_by(content_type, number);
        if !fits || !self.chunk.push(data) {
            return None;
        }
        self.left -= 1;
        self.left_bytes -= data.len();
        Some((self.chunk.count() == 1).then(|| Arc::clone(&self.queue)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunk.count() == 0
    }

    pub(crate) fn is_of(&self, queue: &ListenerQueue) -> bool {
        std::ptr::eq(&*self.queue, queue)
    }
}

impl fmt::Debug for Filling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filling")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// To whom a queue has lent room, and who may get some.
#[derive(Debug, Default)]
pub(super) struct Lending {
    to: Option<Weak<EventRecord>>,
    /// The alias of the event that came last, and how many of it came before that, in a row.
    last: u32,
    in_a_row: u8,
    /// How large the piece of memory was that was filled last: the next one is as large, most likely.
    size: usize,
}

impl ListenerQueue {
    /// Puts what came into the room that is lent to the others. Gives the event that it is lent to, to be dropped when the
    /// lock is free.
    pub(super) fn fetch(&self, state: &mut State) -> Option<Arc<EventRecord>> {
        let Some(event) = state.lending.to.as_ref()?.upgrade() else {
            state.lending.to = None;
            return None;
        };
        let mut filled = None;
        event.shortcut().fetch(self, |filling| {
            if !filling.is_empty() {
                let next = filling.chunk.next();
                filled = Some(std::mem::replace(&mut filling.chunk, next));
            }
        });
        if let Some(chunk) = filled {
            self.put_filled(state, &event, chunk);
        }
        Some(event)
    }

    /// The same, and nothing is lent any more.
    pub(super) fn take_back(&self, state: &mut State) -> Option<Arc<EventRecord>> {
        let event = state.lending.to.take()?.upgrade()?;
        if let Some(filling) = event.shortcut().take_back(self) {
            self.put_filled(state, &event, filling.chunk);
        }
        Some(event)
    }

    fn put_filled(&self, state: &mut State, event: &Arc<EventRecord>, chunk: Chunk) {
        let (count, first, bytes) = (chunk.count(), chunk.first(), chunk.data_len());
        state.lending.size = chunk.byte_len();
        if count == 0 {
            return;
        }
        let series = event.series();
        let track = state.track(event, || Track::new(series, first.saturating_sub(1)));
        let Some(position) = track.offered_all(series, first, count) else {
            return;
        };
        let arriving = Arriving {
            alias: event.alias,
            number: first,
            sender: &event.id().sender,
            skipped: 0,
            bytes,
            class: Class::Event {
                policy: self.policy,
                listener: 0,
            },
        };
        let plain = Plain {
            id: event.id(),
            content_type: chunk.content_type(),
            count,
            position,
            most: self.chunk,
        };
        if let Some(last) = state.last_chunk(&arriving, plain) {
            last.append(&chunk);
            state.extended(&arriving, count);
        } else {
            state.push_chunk(&arriving, chunk, position);
        }
        // It does not get full: there was room, which was lent.
        let (gate, patience) = (&event.sender.gate, self.policy.patience());
        let _ = state.pressure.put(count, bytes, gate, patience);
    }

    /// Notes of which event one comes by the lock.
    pub(super) fn came(&self, state: &mut State, alias: u32) {
        let lending = &mut state.lending;
        if lending.last == alias {
            lending.in_a_row = lending.in_a_row.saturating_add(1);
        } else {
            (lending.last, lending.in_a_row) = (alias, 0);
        }
        self.may_lend.store(lending.in_a_row >= IN_A_ROW, Ordering::Relaxed);
    }

    /// See [`Outlet::lend`](crate::outlet::Outlet::lend).
    pub(super) fn lend_room(
        &self,
        event: &Arc<EventRecord>,
        generation: u64,
        number: u64,
        content_type: ContentType,
    ) -> bool {
        let mut held = self.hold_alone();
        let state = &mut *held;
        let is_due = state.lending.last == event.alias && state.lending.in_a_row >= IN_A_ROW;
        if !is_due || state.closed || !self.policy.blocks() || !state.pressure.accepts(&event.sender.gate) {
            return false;
        }
        // The one that fills the queue comes by the lock, which shuts the gate.
        let (left, left_bytes) = state.pressure.room();
        let (left, left_bytes) = (left.saturating_sub(1) as u64, left_bytes.saturating_sub(1));
        let Some(queue) = self.me.upgrade().filter(|_| left > 0 && left_bytes > 0) else {
            return false;
        };
        let filling = Filling {
            chunk: Chunk::with_room(event.id(), content_type, number + 1, state.lending.size),
            left: left.min(self.chunk),
            left_bytes,
            queue,
        };
        let is_lent = event.shortcut().open(generation, Some(Box::new(filling)));
        state.lending.to = is_lent.then(|| Arc::downgrade(event));
        is_lent
    }
}
