//! From those who bring an event to everyone who listens.

use std::sync::Arc;

use sig_core::{Payload, Topic};

use super::Hub;
use super::callback::Callback;
use super::record::{EventRecord, Owner};
use super::snapshot::Snapshot;
use crate::burst::Burst;
use crate::confirm::Tally;
use crate::outlet::{Item, Outlet, Terms};

impl Hub {
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
