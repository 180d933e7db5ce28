//! What an outbox keeps under its lock, and what it gives to be sent next.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Instant;

use rustc_hash::FxHashMap;
use sig_core::Batch;

use super::lanes::{Form, Lane, Lanes};
use crate::hub::{CatchUp, EventRecord};
use crate::pressure::{Gate, Pressure};
use crate::session::{Next, Pacer};

/// Aliases that a peer was told, and the series of their numbers.
pub(super) type Announced = FxHashMap<u32, (u64, Weak<EventRecord>)>;

pub(super) struct State {
    pub(super) lanes: Sending,
    pub(super) pressure: Pressure,
    /// Bytes of control messages in the fast lane.
    pub(super) fast_bytes: usize,
    /// The same in the bulk lane, among the events.
    pub(super) ordered_bytes: usize,
    /// Who hands batches to the carrier.
    pub(super) hands: Hands,
    /// What is left of a batch that did not go at once.
    pub(super) rest: Option<Batch>,
    /// An empty batch with room, until the peer is idle.
    pub(super) spare: Option<Batch>,
    /// Events in the batch that the carrier has now.
    pub(super) in_hand: usize,
    pub(super) tally: Tally,
    /// Events that a paced peer has not answered yet, and their bytes.
    pub(super) paced_events: HashMap<u64, usize>,
    /// Events that the peer did not get, all in all, and those that its listeners did not want.
    pub(super) lost: u64,
    pub(super) skipped: u64,
    /// Where the events are that it did not get, unless a later one went to it: said when there is room.
    pub(super) missed: HashMap<u32, u64>,
    pub(super) announced: Announced,
    /// What its listeners are still to be given of what was there before them.
    pub(super) catch_ups: VecDeque<CatchUp>,
    pub(super) max_frame: usize,
    /// Whether the session is not open yet, so that nothing but JSON is sure to be understood.
    pub(super) greeting: bool,
    pub(super) closed: bool,
    pub(super) last_sent: Instant,
}

/// What became of the events that were put in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Bytes that the carrier was given.
    pub(crate) bytes: u64,
    /// Handed to the carrier with success; answered, where the peer answers events.
    pub(crate) flushed: u64,
    /// Dropped when the link ended, or never answered.
    pub(crate) dropped: u64,
}

/// Who hands batches to the carrier at the moment: one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hands {
    /// The sending task.
    Task,
    /// Nobody: the task waits for something to send.
    Nobody,
    /// Whoever put something in.
    Caller,
}

#[expect(
    clippy::large_enum_variant,
    reason = "a peer has one, and nearly all peers are of the larger kind"
)]
pub(super) enum Sending {
    Free(Lanes),
    Paced(Pacer),
}

/// What the sending task does next.
pub(super) enum Take {
    /// Send the batch.
    Ready,
    /// Nothing yet: a paced peer did not answer this call; ask again.
    GaveUp(u64),
    /// Nothing before this time.
    At(Instant),
    /// Nothing for now.
    Empty,
    /// Nothing ever again.
    Closed,
}

impl State {
    /// Whether nothing waits, neither for its turn nor for its time.
    pub(super) fn has_nothing(&self) -> bool {
        match &self.lanes {
            Sending::Free(lanes) => lanes.is_empty() && lanes.next_due().is_none() && self.missed.is_empty(),
            Sending::Paced(_) => false,
        }
    }

    pub(super) fn take(
        &mut self,
        now: Instant,
        batch: &mut Batch,
        form: Form<'_>,
        released: &mut Vec<Arc<Gate>>,
    ) -> Take {
        let encoding = form.peer.encoding;
        if self.hands == Hands::Caller {
            // Whoever sends now wakes the task when there is more.
            return Take::Empty;
        }
        self.hands = Hands::Task;
        if let Some(rest) = self.rest.take() {
            *batch = rest;
            return Take::Ready;
        }
        self.tally.flushed += std::mem::take(&mut self.in_hand) as u64;
        if let Some(spare) = self.spare.take() {
            *batch = spare;
        }
        let when_empty = if self.closed { Take::Closed } else { Take::Empty };
        if !self.missed.is_empty() {
            self.tell_missed(form);
        }
        match &mut self.lanes {
            Sending::Free(lanes) => match lanes.take(now, batch, form) {
                Some((Lane::Fast, _)) => {
                    (self.fast_bytes, self.last_sent) = (lanes.bytes_ahead(), now);
                    self.tally.bytes += batch.byte_len() as u64;
                    Take::Ready
                }
                Some((Lane::Bulk, load)) => {
                    (self.ordered_bytes, self.last_sent) = (0, now);
                    self.tally.bytes += batch.byte_len() as u64;
                    self.in_hand = load.events;
                    *released = self.pressure.took(load.blocking, load.blocking_bytes, now);
                    Take::Ready
                }
                None => {
                    self.spare = Some(std::mem::replace(batch, Batch::new(encoding)));
                    match lanes.next_due().filter(|_| !self.closed) {
                        Some(due) => Take::At(due),
                        None => {
                            self.hands = Hands::Nobody;
                            when_empty
                        }
                    }
                }
            },
            Sending::Paced(pacer) => match pacer.next(now) {
                Next::Send(bytes) => {
                    self.tally.bytes += bytes.len() as u64;
                    batch.push_frame(bytes);
                    self.last_sent = now;
                    Take::Ready
                }
                Next::GaveUp(id) => {
                    if let Some(gates) = self.event_done(id, now) {
                        self.lost += 1;
                        self.tally.dropped += 1;
                        *released = gates;
                    }
                    Take::GaveUp(id)
                }
                Next::Wait(until) => Take::At(until),
                Next::Idle => when_empty,
            },
        }
    }
}
