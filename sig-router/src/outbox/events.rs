//! Events on their way to a peer: put in, announced, forgotten, and what was there before its listeners.

use std::sync::Arc;

use sig_core::{Call, CodecError, Encoding, RawJson};

use super::lanes::{Form, Lanes};
use super::pack::{self, Heading};
use super::prompt::fills_portion;
use super::{Announced, Outbox, Sending, State};
use crate::burst::Burst;
use crate::hub::{CatchUp, EventRecord, NO_ALIAS};
use crate::outlet::{Item, Terms};
use crate::policy::Policy;
use crate::pressure::Gate;
use crate::session::methods;
use crate::session::params::Forget;

/// While fewer bytes than this wait, a listener is given more of what was there before it.
const CATCH_UP: usize = 256 * 1024;

/// So many aliases are never looked through.
const MANY: usize = 1024;

impl Outbox {
    /// Puts an event in, under this heading, and gives the bytes that it was packed in; `None` if it was lost.
    pub(crate) fn offer(
        &self,
        heading: Heading,
        event: &Arc<EventRecord>,
        item: &Item<'_>,
        gate: &Arc<Gate>,
        terms: &Terms,
    ) -> Result<Option<usize>, CodecError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Sending::Free(lanes) = &mut state.lanes else {
            return Ok(None);
        };
        if state.closed {
            return Ok(None);
        }
        let form = self.form(state.max_frame);
        let was_empty = lanes.is_empty();
        let alias = heading.alias;
        if heading.announce {
            announce_in(lanes, &mut state.announced, form, event, item.before)?;
        }
        // A last value comes once for each listener, and is nothing that the others lack: it is not left out.
        let kept = item.retained.map(|_| Terms {
            policy: Policy::Block(terms.policy.patience()),
            ..*terms
        });
        let terms = kept.as_ref().unwrap_or(terms);
        let blocks = terms.policy.blocks() && !item.presence;
        if blocks && !state.pressure.accepts(gate) {
            state.miss(alias, item);
            return Ok(None);
        }
        let waiting = lanes.bytes();
        if let Some(bytes) = lanes.push_plain(form, heading, item, terms) {
            if !state.missed.is_empty() {
                state.missed.remove(&alias);
            }
            let turned_full = state.pressure.put(1, bytes, gate, terms.policy.patience());
            drop(guard);
            self.put_in_promptly(heading, turned_full, was_empty, fills_portion(waiting, bytes));
            return Ok(Some(bytes));
        }
        let (pushed, bytes) = match lanes.push_event(form, event, heading, item, terms) {
            Ok(pushed) => pushed,
            Err(error) => {
                state.miss(alias, item);
                drop(guard);
                // It may be the last one for long, and is told all the same.
                self.wake.notify_one();
                return Err(error);
            }
        };
        state.skipped += pushed.skipped;
        state.lost += pushed.lost();
        for (alias, number) in pushed.dropped {
            state.missed.insert(alias, number);
        }
        if !pushed.stored {
            state.missed.insert(alias, item.number);
        } else if !state.missed.is_empty() {
            // It tells so itself.
            state.missed.remove(&alias);
        }
        let turned_full = blocks && state.pressure.put(1, bytes, gate, terms.policy.patience());
        drop(guard);
        self.put_in_promptly(heading, turned_full, was_empty, false);
        Ok(pushed.stored.then_some(bytes))
    }

    /// Puts events in that came together, as the frames that they came in. False if each has to be looked at by itself.
    pub(crate) fn offer_burst(
        &self,
        event: &Arc<EventRecord>,
        burst: &Burst<'_>,
        gate: &Arc<Gate>,
        terms: &Terms,
    ) -> bool {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Sending::Free(lanes) = &mut state.lanes else {
            return false;
        };
        if state.closed {
            return true;
        }
        let Policy::Block(patience) = terms.policy else {
            return false;
        };
        let form = self.form(state.max_frame);
        let as_they_are = self.peer.encoding == Encoding::Sig1
            && burst.alias == event.alias
            && burst.fits(state.max_frame.min(form.chunk))
            && burst.frames.len() <= lanes.portion()
            && state.pressure.accepts(gate);
        if !as_they_are || !lanes.goes_directly(burst.alias, false, terms.policy) {
            return false;
        }
        let was_empty = lanes.is_empty();
        if announce_in(lanes, &mut state.announced, form, event, burst.before).is_err() {
            return false;
        }
        lanes.push_burst(burst);
        if !state.missed.is_empty() {
            state.missed.remove(&burst.alias);
        }
        let turned_full = state.pressure.put(burst.count, burst.frames.len(), gate, patience);
        drop(guard);
        let wake = was_empty && !burst.leave_unsent(&self.me);
        self.put_in(turned_full, wake);
        true
    }

    /// Tells the peer what an alias stands for, and at which number the event is. The caller holds the sender's lane.
    pub(crate) fn announce(&self, event: &Arc<EventRecord>, number: u64) -> Result<(), CodecError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Sending::Free(lanes) = &mut state.lanes else {
            return Ok(());
        };
        if state.closed {
            return Ok(());
        }
        state.announced.remove(&event.alias);
        announce_in(lanes, &mut state.announced, self.form(state.max_frame), event, number)?;
        drop(guard);
        self.wake.notify_one();
        Ok(())
    }

    /// The event went from one number to another without coming here; see
    /// [`Outlet::moved_to`](crate::outlet::Outlet::moved_to).
    pub(crate) fn moved_to(&self, event: &Arc<EventRecord>, before: u64, number: u64) {
        // The peer may know the event from another link, or by an alias that was forgotten here.
        let begins = if before < number && !self.knows(event) {
            self.announce(event, before)
        } else {
            Ok(())
        };
        // A link that cannot take it is about to end.
        let _ = begins.and_then(|()| self.announce(event, number));
    }

    /// Whether the peer was told what the event's alias stands for.
    pub(crate) fn knows(&self, event: &EventRecord) -> bool {
        self.state.lock().announced.contains_key(&event.alias)
    }

    /// What waits of the event with this alias waits for nothing more.
    pub(crate) fn settle(&self, alias: u32) {
        let mut state = self.state.lock();
        if let Sending::Free(lanes) = &mut state.lanes {
            lanes.settle(alias);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// The alias stands for nothing any more, and the last value of its event is over.
    pub(crate) fn forget(&self, event: &Arc<EventRecord>) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Sending::Free(lanes) = &mut state.lanes else { return };
        if state.closed || state.announced.remove(&event.alias).is_none() {
            return;
        }
        // A link that cannot take it is about to end.
        let _ = forget_in(lanes, self.form(state.max_frame), vec![event.alias]);
        drop(guard);
        self.wake.notify_one();
    }

    /// Whether there is room for what is not live.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.state.lock();
        match &state.lanes {
            Sending::Free(lanes) => !state.closed && lanes.bytes() < lanes.portions(CATCH_UP),
            Sending::Paced(_) => false,
        }
    }

    /// Keeps what is still to be given to a listener until there is room.
    pub(crate) fn catch_up(&self, rest: CatchUp) {
        let mut state = self.state.lock();
        if !state.closed {
            state.catch_ups.push_back(rest);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Gets more of that while there is room. Takes senders' lanes, so no lock may be held.
    pub(super) fn pull(&self) {
        while self.has_room() {
            let catch_up = self.state.lock().catch_ups.pop_front();
            let Some(mut catch_up) = catch_up else { return };
            if catch_up.step() {
                self.state.lock().catch_ups.push_front(catch_up);
            }
        }
    }
}

impl State {
    /// An event of this alias is lost.
    fn miss(&mut self, alias: u32, item: &Item<'_>) {
        self.lost += 1;
        self.missed.insert(alias, item.number);
    }

    /// Once there is room again: says what was lost behind the last event of its kind that went out.
    pub(super) fn tell_missed(&mut self, form: Form<'_>) {
        let Sending::Free(lanes) = &mut self.lanes else { return };
        if !lanes.has_no_events() {
            return;
        }
        for (alias, number) in self.missed.drain() {
            // A client's own events are announced to nobody: their router sees the numbers.
            let known = self.announced.remove(&alias).and_then(|(_, event)| event.upgrade());
            if let Some(event) = known {
                // A link that cannot take it is about to end.
                let _ = announce_in(lanes, &mut self.announced, form, &event, number);
            }
        }
    }
}

/// Tells the peer that aliases stand for nothing any more.
fn forget_in(lanes: &mut Lanes, form: Form<'_>, aliases: Vec<u32>) -> Result<(), CodecError> {
    aliases.iter().for_each(|alias| lanes.settle(*alias));
    let params = RawJson::new(&Forget { aliases })?;
    lanes.push_in_order(form, &Call::notice(methods::FORGET, params).into())?;
    Ok(())
}

/// Tells the peer what an alias stands for, unless it knows: the event's next number is the one after this.
fn announce_in(
    lanes: &mut Lanes,
    announced: &mut Announced,
    form: Form<'_>,
    event: &Arc<EventRecord>,
    number: u64,
) -> Result<(), CodecError> {
    if event.alias == NO_ALIAS {
        return Ok(());
    }
    let series = event.series();
    if announced.get(&event.alias).is_some_and(|(known, _)| *known == series) {
        return Ok(());
    }
    lanes.settle(event.alias);
    lanes.push_in_order(form, &pack::announcement(event, number)?)?;
    if announced.len() >= MANY && announced.len() == announced.capacity() {
        // Before it grows: those whose senders are no more are over.
        let mut over = Vec::new();
        announced.retain(|alias, (_, event)| {
            let is_there = event.strong_count() > 0;
            if !is_there {
                over.push(*alias);
            }
            is_there
        });
        if !over.is_empty() {
            forget_in(lanes, form, over)?;
        }
    }
    announced.insert(event.alias, (series, Arc::downgrade(event)));
    Ok(())
}
