//! What comes into a listener's queue.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sig_core::ContentType;

use super::state::{Plain, Taken, Waiting};
use super::{CHUNK_BYTES, ListenerQueue, ListenerStats};
use crate::burst::Burst;
use crate::clock;
use crate::confirm::Receipt;
use crate::event::Event;
use crate::flow::{Arriving, Class, Track};
use crate::hub::{CatchUp, EventRecord};
use crate::outlet::{Item, Outlet, Terms};
use crate::pressure::{Gate, Whose, release_all};

impl Outlet for ListenerQueue {
    /// Takes no more events. Those that wait can still be taken.
    fn close(&self) {
        let released = {
            let mut state = self.hold_alone();
            state.closed = true;
            state.catch_ups.clear();
            state.backlog.let_all_go();
            state.pressure.close()
        };
        release_all(released);
        self.ready.wake();
    }

    fn offer(&self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>, _: &Terms) {
        // Unless the queue takes the event, it is lost.
        let receipt = item.receipt(self.policy);
        let mut guard = self.hold_alone();
        let state = &mut *guard;
        if state.closed {
            return;
        }
        self.came(state, event.alias);
        let (series, number) = (event.series(), item.number);
        let skipped = if item.retained.is_some() { 0 } else { item.skipped };
        let base = item.before.min(number.saturating_sub(1 + skipped));
        let new = || Track::new(series, base);
        let track = state.track(event, new);
        let was_new = track.is_new();
        let position = track.offered(series, number);
        if item.presence {
            // Its numbers are the sender's generations: nobody lost those in between.
            track.rest();
        }
        let class = if item.presence {
            Class::Presence {
                connects: event.name().as_str() == sig_core::CONNECT,
            }
        } else {
            Class::Event {
                policy: self.policy,
                listener: 0,
            }
        };
        // What came already does not come again, but for a sender that is new with another router's count. A last value
        // that is older than all that is counted is for who had nothing yet.
        let is_older = position.is_none() && !item.presence;
        let comes = match (is_older, item.presence) {
            (true, _) => item.retained.is_some() && was_new,
            (false, true) => position.is_some() || item.retained.is_none(),
            (false, false) => true,
        };
        if !comes {
            return;
        }
        if self.policy.blocks() && !item.presence && !state.pressure.accepts(gate) {
            state.has_rest = true;
            return;
        }
        let bytes = item.bytes().len();
        let arriving = Arriving {
            alias: event.alias,
            number,
            sender: &event.id().sender,
            skipped: item.skipped,
            bytes,
            class,
        };
        let plain = item.plain().zip(position).filter(|_| self.policy.blocks());
        if let Some((content_type, position)) = plain {
            let plain = Plain {
                id: event.id(),
                content_type,
                count: 1,
                position,
                most: self.chunk,
            };
            let was_empty = state.backlog.is_empty();
            if state.append(&arriving, plain, |chunk| chunk.push(item.bytes())) {
                let turned_full = state.pressure.put(1, bytes, gate, self.policy.patience());
                drop(guard);
                self.put_in(turned_full, was_empty);
                return;
            }
        }
        let now = clock::now();
        let make = || {
            let since = item.retained.and_then(|age| now.checked_sub(age));
            let event = Event::packed(Arc::clone(event.id()), number, item.payload().clone()).with_retained(since);
            Waiting {
                what: Taken::One(event, receipt.and_then(Receipt::accepted)),
                position: position.filter(|_| !item.presence),
            }
        };
        if is_older {
            // Nor is it ever left out, which would be counted.
            state.backlog.push_notice(make());
            drop(guard);
            self.ready.wake();
            return;
        }
        let Ok(pushed) = state.backlog.push(&arriving, now, |_| Ok::<_, Infallible>(make()));
        state.has_rest |= pushed.lost() > 0;
        let blocks = self.policy.blocks() && !item.presence;
        let turned_full = blocks && state.pressure.put(1, bytes, gate, self.policy.patience());
        drop(guard);
        self.put_in(turned_full, true);
    }

    fn offer_burst(&self, event: &Arc<EventRecord>, burst: &Burst<'_>, gate: &Arc<Gate>, terms: &Terms) {
        let one_by_one = || burst.each(|item| self.offer(event, item, gate, terms));
        if !self.policy.blocks() {
            return one_by_one();
        }
        let mut guard = self.hold_alone();
        let state = &mut *guard;
        if state.closed {
            return;
        }
        self.came(state, event.alias);
        let series = event.series();
        let base = burst.before.min(burst.first.saturating_sub(1));
        let track = state.track(event, || Track::new(series, base));
        let Some(position) = track.offered_all(series, burst.first, burst.count) else {
            drop(guard);
            return one_by_one();
        };
        if !state.pressure.accepts(gate) {
            state.has_rest = true;
            return;
        }
        let was_empty = state.backlog.is_empty();
        for piece in burst.pieces(self.chunk, CHUNK_BYTES) {
            let arriving = Arriving {
                alias: event.alias,
                number: piece.first,
                sender: &event.id().sender,
                skipped: 0,
                bytes: piece.data_len,
                class: Class::Event {
                    policy: self.policy,
                    listener: 0,
                },
            };
            let plain = Plain {
                id: event.id(),
                content_type: burst.content_type,
                count: piece.count,
                position: position + (piece.first - burst.first),
                most: self.chunk,
            };
            state.append(&arriving, plain, |chunk| {
                chunk.push_all(&piece);
                true
            });
        }
        let turned_full = state
            .pressure
            .put(burst.count, burst.data_len(), gate, self.policy.patience());
        drop(guard);
        self.put_in(turned_full, was_empty);
    }

    fn may_lend(&self) -> bool {
        self.may_lend.load(Ordering::Relaxed)
    }

    fn lend(&self, event: &Arc<EventRecord>, generation: u64, number: u64, content_type: ContentType) -> bool {
        self.lend_room(event, generation, number, content_type)
    }

    fn settle(&self, event: &EventRecord) {
        self.hold_alone().backlog.settle(event.alias);
        self.ready.wake();
    }

    fn gone(&self, event: &EventRecord, may_come_back: bool) {
        self.hold().tracks.gone(event.alias, may_come_back);
    }

    fn has_room(&self) -> bool {
        self.hold().has_room(self.taken())
    }

    fn catch_up(&self, rest: CatchUp) {
        let mut state = self.hold();
        if !state.closed {
            state.catch_ups.push_back(rest);
        }
        drop(state);
        self.ready.wake();
    }

    fn moved_to(&self, event: &Arc<EventRecord>, before: u64, number: u64) {
        let series = event.series();
        let mut state = self.hold_alone();
        let track = state.track(event, || Track::new(series, before));
        let is_behind = track.moved_to(series, number);
        state.has_rest |= is_behind;
        drop(state);
        if is_behind {
            self.ready.wake();
        }
    }

    fn whose(&self) -> Option<Whose> {
        Some(Whose::Place(self.place))
    }

    fn stats(&self) -> Option<ListenerStats> {
        Some(Self::stats(self))
    }
}
