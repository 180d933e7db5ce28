//! From a trigger to everyone who listens.

use std::sync::Arc;

use sig_core::{CodecError, ContentType, Payload, Topic, Value};
use smallvec::SmallVec;

use super::Hub;
use super::callback::Callback;
use super::record::{Connection, EventRecord, Owner};
use super::snapshot::Snapshot;
use crate::burst::Burst;
use crate::confirm::Tally;
use crate::error::TriggerError;
use crate::event::{AtHand, Event};
use crate::nesting::Nesting;
use crate::outbox::Outbox;
use crate::outlet::{Item, Outlet, Terms, Uplink};
use crate::straight::{Passed, Straight};

/// Why a trigger did not go through at once.
#[derive(Debug)]
pub(crate) enum NotNow {
    /// The sender's gate is shut: wait for it.
    Shut,
    /// It never will.
    Failed(TriggerError),
}

impl<E: Into<TriggerError>> From<E> for NotNow {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What most values need no more than, packed.
const SMALL: usize = 256;

/// A value on its way out, packed when somebody needs it so.
struct Packed<'a> {
    value: &'a dyn Value,
    content_type: Option<ContentType>,
    buffer: SmallVec<[u8; SMALL]>,
}

impl<'a> Packed<'a> {
    fn of(value: &'a dyn Value) -> Self {
        Self {
            value,
            content_type: None,
            buffer: SmallVec::new(),
        }
    }

    /// Runs the value's own code.
    fn pack(&mut self) -> Result<(), CodecError> {
        if self.content_type.is_none() && self.value.as_payload().is_none() {
            self.buffer.clear();
            self.content_type = Some(self.value.write_to(&mut self.buffer)?);
        }
        Ok(())
    }

    fn bytes(&self) -> Option<(ContentType, &[u8])> {
        match self.value.as_payload() {
            Some(payload) => Some((payload.content_type(), payload.bytes())),
            None => Some((self.content_type?, &self.buffer)),
        }
    }
}

/// Hands an event on to another router; gives the outbox that is to be sent by whoever triggered, if there is one.
fn go_on(
    uplink: &Arc<dyn Uplink>,
    straight: &mut Option<Straight>,
    event: &Arc<EventRecord>,
    item: &Item<'_>,
) -> Option<Arc<Outbox>> {
    let gate = &event.sender.gate;
    if let Some(way) = straight {
        match way.put(event, item, gate) {
            Passed::Put { unsent: false } => return None,
            Passed::Put { unsent: true } => return Some(Arc::clone(way.outbox())),
            Passed::Lost => {
                uplink.gave_up();
                return None;
            }
            Passed::Not => straight.take().into_iter().for_each(|way| uplink.give_back(way)),
        }
    }
    uplink.offer(event, item, gate, &Terms::OWN);
    *straight = uplink.straight();
    uplink.unsent()
}

impl Hub {
    /// Triggers an event of one of this program's senders, if its gate is open.
    ///
    /// Queues get it first, under the sender's lane; then the functions are called, in pysig's order, without a lock.
    #[inline]
    pub(crate) fn trigger(
        &self,
        event: &Arc<EventRecord>,
        generation: u64,
        value: &dyn Value,
        tally: Option<&Arc<Tally>>,
    ) -> Result<(), NotNow> {
        if tally.is_none() {
            if let Some(outcome) = call_alone(event, generation, value) {
                return outcome;
            }
        }
        self.trigger_in_lane(event, generation, value, tally)
    }

    #[inline(never)]
    fn trigger_in_lane(
        &self,
        event: &Arc<EventRecord>,
        generation: u64,
        value: &dyn Value,
        tally: Option<&Arc<Tally>>,
    ) -> Result<(), NotNow> {
        let sender = &event.sender;
        let mut packed = Packed::of(value);
        if event.is_packed() {
            // That it cannot be packed is an error only if somebody still needs it so.
            let _ = packed.pack();
        }
        // Dropped when the lane is free.
        let former;
        let (calls, number) = loop {
            let mut lane = sender.lane.lock();
            let connection = lane.as_mut().filter(|connection| connection.generation == generation);
            let Some(Connection {
                uplink,
                straight,
                snapshots,
                ..
            }) = connection
            else {
                return Err(TriggerError::SenderGone {
                    sender: sender.name.to_string(),
                }
                .into());
            };
            if !sender.gate.is_open() {
                return Err(NotNow::Shut);
            }
            // Under the lane, so that a listener never gets an event and misses a later one.
            let snapshot = snapshots.of(event);
            let nesting = match snapshot.callbacks.is_empty() {
                true => None,
                false => Some(Nesting::enter().map_err(|limit| TriggerError::TooDeep { limit })?),
            };
            let needs_packed = !snapshot.outlets.is_empty() || uplink.is_some() || event.keeps_last();
            event.set_packed(needs_packed);
            if !needs_packed {
                former = event.renew_calls(snapshot, Some(generation));
                let calls = nesting.map(|nesting| (nesting, event.calls()));
                break (calls, event.next_number_alone());
            }
            let Some((content_type, bytes)) = packed.bytes() else {
                // Packing runs the value's own code, so not under a lock.
                drop(lane);
                packed.pack()?;
                continue;
            };
            if let Some(uplink) = uplink {
                let (size, limit) = (bytes.len(), uplink.max_payload());
                if size > limit {
                    return Err(CodecError::TooLarge { size, limit }.into());
                }
            }
            let number = event.next_number();
            let item = match value.as_payload() {
                Some(payload) => Item::new(number, payload),
                None => Item::from_buffer(number, content_type, bytes),
            };
            let item = item.with_tally(tally);
            self.put(event, snapshot, &item, false);
            let unsent = uplink.as_ref().and_then(|uplink| go_on(uplink, straight, event, &item));
            former = match nesting {
                Some(_) => event.renew_calls(snapshot, None),
                None => None,
            };
            let calls = nesting.map(|nesting| (nesting, event.calls()));
            drop(lane);
            if let Some(outbox) = unsent {
                outbox.send_now();
            }
            item.into_complaints().report(event);
            break (calls, number);
        };
        drop(former);
        if let Some((_nesting, calls)) = &calls {
            let at_hand = AtHand {
                id: event.id(),
                number,
                value,
            };
            let event = Event::borrowed(&at_hand);
            match (calls.as_deref(), tally) {
                (Some(calls), Some(tally)) => calls.run_with(&event, || tally.receipt(Terms::OWN.policy)),
                (Some(calls), None) => calls.run(&event),
                (None, _) => {}
            }
        }
        Ok(())
    }

    /// Hands on an event that came over a link, if its sender is (still) this owner's. Never waits: a sender that sends
    /// beyond its credit is its own link's affair. Gives to how many queues it went; `None` if the sender is not the owner's.
    pub(crate) fn arrive(&self, event: &Arc<EventRecord>, owner: Owner, item: Item<'_>) -> Option<u64> {
        let mut lane = event.sender.lane.lock();
        let connection = lane.as_mut().filter(|connection| connection.owner == owner)?;
        let before = event.set_number(item.number);
        let item = item.behind(before);
        let snapshot = connection.snapshots.of(event);
        let copies = snapshot.outlets.len() as u64;
        self.put(event, snapshot, &item, true);
        drop(lane);
        item.into_complaints().report(event);
        Some(copies)
    }

    /// As [`arrive`](Self::arrive), with events of one kind that came together.
    pub(crate) fn arrive_all(&self, event: &Arc<EventRecord>, owner: Owner, burst: Burst<'_>) -> Option<u64> {
        let mut lane = event.sender.lane.lock();
        let connection = lane.as_mut().filter(|connection| connection.owner == owner)?;
        let before = event.set_number(burst.last());
        let burst = burst.behind(before);
        let snapshot = connection.snapshots.of(event);
        let copies = snapshot.outlets.len() as u64;
        self.put_all(event, snapshot, &burst);
        drop(lane);
        let (unsent, complaints) = burst.into_outcome();
        unsent.iter().for_each(|outbox| outbox.send_now());
        complaints.report(event);
        Some(copies)
    }

    /// Hands on an event that came over a link without a number, if its sender is (still) this owner's. The tally is kept
    /// of who deals with it.
    pub(crate) fn publish(
        &self,
        event: &Arc<EventRecord>,
        owner: Owner,
        payload: &Payload,
        tally: Option<&Arc<Tally>>,
    ) -> bool {
        let mut lane = event.sender.lane.lock();
        let Some(connection) = lane.as_mut().filter(|connection| connection.owner == owner) else {
            return false;
        };
        let item = Item::new(event.next_number(), payload).with_tally(tally);
        self.put(event, connection.snapshots.of(event), &item, true);
        drop(lane);
        item.into_complaints().report(event);
        true
    }

    /// Hands an event of another router's sender to this program's listeners.
    pub(crate) fn spread(&self, event: &Arc<EventRecord>, item: &Item<'_>) {
        if item.number > event.number() {
            event.set_number(item.number);
        }
        self.put(event, &event.snapshot(), item, true);
        if event.keeps_last() {
            // The last who listened may have left meanwhile.
            event.let_go_if_unheard();
        }
    }

    /// As [`spread`](Self::spread), with events of one kind that came together.
    pub(crate) fn spread_all(&self, event: &Arc<EventRecord>, burst: &Burst<'_>) {
        if burst.last() > event.number() {
            event.set_number(burst.last());
        }
        self.put_all(event, &event.snapshot(), burst);
        if event.keeps_last() {
            event.let_go_if_unheard();
        }
    }

    /// As [`spread`](Self::spread), to the listeners of one topic alone: for a router that sends a copy for each.
    pub(crate) fn spread_in(&self, topic: &Topic, event: &Arc<EventRecord>, item: &Item<'_>) {
        let snapshot = match topic {
            Topic::Router => Snapshot::of(&event.everything),
            Topic::Sender(_) => Snapshot::of(&event.sender.broadcast),
            Topic::Channel(_) => event.channel.as_deref().map_or_else(Snapshot::stale, Snapshot::of),
            Topic::Event(..) => Snapshot::of(&event.specific),
        };
        self.put(event, &snapshot, item, true);
    }

    /// Puts an event into the queues, and for one from a link into the functions' queues too.
    pub(super) fn put(&self, event: &Arc<EventRecord>, snapshot: &Snapshot, item: &Item<'_>, from_link: bool) {
        if event.keeps_last() {
            event.keep(item);
        }
        event.sender.pass(1, item.bytes().len());
        for (outlet, terms) in &snapshot.outlets {
            outlet.offer(event, item, &event.sender.gate, terms);
        }
        let Some(tasks) = self.tasks.as_ref().filter(|_| from_link) else {
            return;
        };
        for callback in &snapshot.callbacks {
            callback
                .mailbox(tasks, &self.stalls, &self.turns)
                .offer(event, item, &event.sender.gate, &Terms::OWN);
        }
    }

    /// Puts events from a link that came together into the queues.
    fn put_all(&self, event: &Arc<EventRecord>, snapshot: &Snapshot, burst: &Burst<'_>) {
        if event.keeps_last() {
            event.keep(&burst.last_item());
        }
        event.sender.pass(burst.count, burst.data_len());
        for (outlet, terms) in &snapshot.outlets {
            outlet.offer_burst(event, burst, &event.sender.gate, terms);
        }
        for mailbox in snapshot
            .callbacks
            .iter()
            .filter_map(|callback| self.mailbox_of(callback))
        {
            mailbox.offer_burst(event, burst, &event.sender.gate, &Terms::OWN);
        }
    }

    /// The queue through which a function hears what it is not called with on the spot.
    pub(super) fn mailbox_of(&self, callback: &Arc<Callback>) -> Option<Arc<dyn Outlet>> {
        let tasks = self.tasks.as_ref()?;
        Some(callback.mailbox(tasks, &self.stalls, &self.turns))
    }

    /// Tells everyone who listens that the event went from one number to another; under the sender's lane, or by the
    /// only one who brings events of this sender.
    pub(crate) fn tell_position(&self, event: &Arc<EventRecord>, before: u64, number: u64) {
        let snapshot = event.snapshot();
        for (outlet, _) in &snapshot.outlets {
            outlet.moved_to(event, before, number);
        }
        for mailbox in snapshot
            .callbacks
            .iter()
            .filter_map(|callback| self.mailbox_of(callback))
        {
            mailbox.moved_to(event, before, number);
        }
    }
}

/// Triggers an event that nobody but functions hears, if that is known already: nothing is locked or packed.
#[inline]
fn call_alone(event: &EventRecord, generation: u64, value: &dyn Value) -> Option<Result<(), NotNow>> {
    let calls = event.calls();
    let calls = calls.as_deref()?;
    if !calls.are_alone(Some(generation)) || !event.sender.gate.is_open() {
        return None;
    }
    let _nesting = match calls.are_none() {
        true => None,
        false => match Nesting::enter() {
            Ok(nesting) => Some(nesting),
            Err(limit) => return Some(Err(TriggerError::TooDeep { limit }.into())),
        },
    };
    let number = event.next_number_for(calls)?;
    let at_hand = AtHand {
        id: event.id(),
        number,
        value,
    };
    calls.run(&Event::borrowed(&at_hand));
    Some(Ok(()))
}
