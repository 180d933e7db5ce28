//! Senders come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::Arc;

use futures::FutureExt as _;
use sig_core::{EventName, NameError, Payload, Reason, SenderName};

use super::Hub;
use super::record::{Connection, EventRecord, Owner, SenderRecord};
use super::snapshot::Snapshots;
use crate::complaints::Complaints;
use crate::error::{AddSenderError, RequestError};
use crate::event::Event;
use crate::nesting::Nesting;
use crate::outlet::{Item, Uplink};
use crate::request::{Answer, Forward, Question, Requests};

/// A sender to be added.
#[derive(Debug)]
pub(crate) struct NewSender {
    pub(crate) name: SenderName,
    pub(crate) events: BTreeSet<EventName>,
    pub(crate) requests: Requests,
    pub(crate) owner: Owner,
    pub(crate) carrier: &'static str,
    pub(crate) uplink: Option<Arc<dyn Uplink>>,
    /// Those of its events whose last one is kept for those who come late.
    pub(crate) keep_last: BTreeSet<EventName>,
    /// Names the run of its numbers, and where each event is in it.
    pub(crate) series: u64,
    pub(crate) numbers: BTreeMap<EventName, u64>,
}

/// Names a new run of numbers.
pub(crate) fn new_series() -> u64 {
    // As many as every JSON library reads without loss; not 0, which stands for none.
    fastrand::u64(1..1 << 53)
}

/// A sender that was added.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) sender: Arc<SenderRecord>,
    /// Tells this connection from others of the same name.
    pub(crate) generation: u64,
}

/// A sender could not be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RemoveError {
    /// There is none of this name, or it is not connected.
    NotConnected,
    /// It belongs to somebody else.
    NotOwner,
}

/// What is known of a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SenderInfo {
    /// Its name.
    pub name: SenderName,
    /// Whether it is there; if not, listeners wait for it.
    pub connected: bool,
    /// The events it declared, and those that listeners wait for.
    pub events: Vec<EventName>,
    /// The methods it answers; an entry of `None` is a default handler.
    pub requests: Option<Vec<Option<String>>>,
    /// How many listeners name it.
    pub listeners: usize,
    /// The carrier that brought it; empty when it is not connected.
    pub carrier: String,
    /// Counts the senders that connected to the router.
    pub generation: u64,
}

impl Hub {
    /// Connects a sender; `#connect` has reached every listener's function or queue when it returns (P22).
    pub(crate) fn add_sender(&self, new: NewSender) -> Result<Added, AddSenderError> {
        let name = new.name.clone();
        if name.is_reserved() {
            return Err(NameError::Reserved { name: name.to_string() }.into());
        }
        // Over a link nothing but presence is fine: a pysig client may declare an empty list of events.
        if new.owner == Owner::Local && new.events.is_empty() && new.requests.is_empty() {
            return Err(AddSenderError::Empty { name: name.to_string() });
        }
        if let Some(event) = new.events.iter().find(|event| event.is_presence()) {
            return Err(AddSenderError::Presence {
                name: event.to_string(),
            });
        }
        let nesting = Nesting::enter().map_err(|limit| AddSenderError::TooDeep { limit })?;
        let mut registry = self.registry.lock();
        if !registry.has_aliases_for(&name, &new.events) {
            return Err(AddSenderError::NoAliases);
        }
        let sender = registry.sender(&name);
        let mut lane = sender.lane.lock();
        if lane.is_some() {
            return Err(AddSenderError::NameTaken { name: name.to_string() });
        }
        registry.forget_former_events(&sender, &new.events);
        for event in &new.events {
            let record = registry.event(&sender, event, &self.everything);
            let number = new.numbers.get(event).copied().unwrap_or(0);
            record.set_keeps_last(new.keep_last.contains(event));
            let before = record.set_series(new.series, number);
            if number > 0 {
                self.tell_position(&record, before, number);
            }
        }
        let connect = registry.event(&sender, &EventName::connect(), &self.everything);
        registry.event(&sender, &EventName::disconnect(), &self.everything);
        registry.last_generation += 1;
        let generation = registry.last_generation;
        let connection = Connection {
            generation,
            owner: new.owner,
            carrier: new.carrier,
            declared: new.events,
            requests: Arc::new(new.requests),
            uplink: new.uplink,
            straight: None,
            snapshots: Snapshots::default(),
        };
        let presence = connection.presence(None);
        *lane = Some(connection);
        let (shown, complaints) = self.show(&connect, &presence, new.owner);
        drop(lane);
        drop(registry);
        complaints.report(&connect);
        call(&connect, shown);
        drop(nesting);
        Ok(Added { sender, generation })
    }

    /// Disconnects a sender; `#disconnect` has reached every listener's function or queue when it returns (P23).
    pub(crate) fn remove_sender(
        &self,
        name: &str,
        owner: Option<Owner>,
        generation: Option<u64>,
        reason: Reason,
    ) -> Result<(), RemoveError> {
        let sender = self.sender(name).ok_or(RemoveError::NotConnected)?;
        let mut lane = sender.lane.lock();
        let connection = lane.as_ref().ok_or(RemoveError::NotConnected)?;
        if generation.is_some_and(|generation| generation != connection.generation) {
            return Err(RemoveError::NotConnected);
        }
        if owner.is_some_and(|owner| owner != connection.owner) {
            return Err(RemoveError::NotOwner);
        }
        let owner = connection.owner;
        let presence = connection.presence(Some(reason.as_str()));
        let left = lane.take();
        let forgotten = sender.forget_last();
        let events: Vec<_> = sender.events.lock().values().cloned().collect();
        let former: Vec<_> = events.iter().map(|event| event.shut()).collect();
        sender.gate.set_watch(None);
        sender.gate.wake_waiters();
        for event in events.iter().filter(|event| !event.name().is_presence()) {
            event
                .snapshot()
                .outlets
                .iter()
                .for_each(|(outlet, _)| outlet.settle(event));
        }
        sender.gone(may_come_back(reason.as_str()));
        let disconnect = sender.event(sig_core::DISCONNECT);
        let shown = disconnect.as_ref().map(|event| self.show(event, &presence, owner));
        for event in forgotten {
            event
                .snapshot()
                .outlets
                .iter()
                .for_each(|(outlet, _)| outlet.forget(&event));
        }
        drop(lane);
        // What answers its requests may own senders and listeners, as functions may: not under a lock.
        drop(former);
        if let Some(connection) = left {
            connection.requests.leave();
        }
        if let Some((event, (shown, complaints))) = disconnect.as_ref().zip(shown) {
            complaints.report(event);
            let _nesting = Nesting::go_on();
            call(event, shown);
        }
        self.registry.lock().forget_if_unused(&sender);
        Ok(())
    }

    /// Puts a presence event into the queues, under the sender's lane, so that it keeps its place among the events.
    /// Gives it back when the functions that listen are to be called on the spot: this program's own sender.
    fn show(
        &self,
        event: &Arc<EventRecord>,
        presence: &crate::Presence,
        owner: Owner,
    ) -> (Option<(u64, Payload)>, Complaints) {
        let payload = Payload::json(presence).unwrap_or_default();
        let number = presence.generation;
        event.set_number(number);
        let item = Item::new(number, &payload).marked_presence(true);
        let from_link = owner != Owner::Local;
        self.put(event, &event.snapshot(), &item, from_link);
        let complaints = item.into_complaints();
        ((!from_link).then_some((number, payload)), complaints)
    }

    /// The last value of an event, if it keeps it.
    pub(crate) fn last(&self, sender: &str, event: &str) -> Option<Event<'static>> {
        let event = self
            .sender(sender)?
            .event(event)
            .filter(|event| !event.name().is_presence())?;
        Some(event.last()?.event(&event))
    }

    /// The link to another router is gone, and with it the senders that are known to be there. Those that nobody names
    /// are forgotten: over the next link they may be others.
    pub(crate) fn mirror_lost(&self, reason: Reason) {
        let records: Vec<_> = {
            let mut registry = self.registry.lock();
            registry.all_absent = self.hears_of_everybody(&registry);
            registry.senders.values().cloned().collect()
        };
        for record in records {
            record.set_mirrored(false);
            record.link_lost();
            // Of one that has left it is known whether it may come back.
            let has_left = record
                .event(sig_core::CONNECT)
                .is_some_and(|connect| connect.last().is_none());
            if !has_left {
                record.gone(true);
            }
            self.tell_lost(&record, reason);
            drop(record.forget_last());
            self.registry.lock().forget_if_unused(&record);
        }
    }

    /// Tells that a sender is gone with the link, if it was known to be there.
    fn tell_lost(&self, record: &SenderRecord, reason: Reason) {
        let connect = record.event(sig_core::CONNECT);
        let known = connect.and_then(|connect| Some((connect.take_last()?, connect.series())));
        let Some((kept, series)) = known else { return };
        let Ok(mut presence) = kept.payload.decode::<crate::Presence>() else {
            return;
        };
        presence.reason = Some(reason.as_str().to_owned());
        let payload = Payload::json(&presence).unwrap_or_default();
        let disconnect = self.event(&record.name, &EventName::disconnect());
        disconnect.set_series(series, kept.number);
        self.spread(&disconnect, &Item::new(kept.number, &payload).marked_presence(true));
    }

    /// Whether the event's sender sends to another router, and has to wait for a link to it.
    pub(crate) fn is_offline(&self, event: &EventRecord) -> bool {
        let uplink = event
            .sender
            .lane
            .lock()
            .as_ref()
            .and_then(|connection| connection.uplink.clone());
        uplink.is_some_and(|uplink| uplink.is_offline())
    }

    /// An event was given up before it was triggered: its number is used up, so that the loss shows.
    pub(crate) fn count_lost(&self, event: &Arc<EventRecord>, generation: u64) {
        let lane = event.sender.lane.lock();
        let connection = lane.as_ref().filter(|connection| connection.generation == generation);
        // The numbers of the next sender of its name are none of its business.
        let Some(connection) = connection else { return };
        let number = event.next_number();
        self.tell_position(event, number - 1, number);
        if let Some(uplink) = &connection.uplink {
            uplink.gave_up();
        }
    }

    /// Asks a sender.
    pub(crate) fn request(&self, question: Question) -> Answer {
        let Some(requests) = self.requests(question.sender.as_str()) else {
            let sender = question.sender.to_string();
            return ready(Err(RequestError::NoSuchSender { sender })).boxed();
        };
        requests.ask(question)
    }

    /// Who passes on requests to this sender as they are, if somebody does.
    pub(crate) fn forward_to(&self, sender: &str, method: &str) -> Option<Arc<dyn Forward>> {
        self.requests(sender)?.forward_to(method)
    }

    fn requests(&self, sender: &str) -> Option<Arc<Requests>> {
        let record = self.sender(sender)?;
        let lane = record.lane.lock();
        lane.as_ref().map(|connection| Arc::clone(&connection.requests))
    }

    /// What is known of every sender, by name, but for the router's own.
    pub(crate) fn senders(&self) -> Vec<SenderInfo> {
        let records: Vec<_> = self.registry.lock().senders.values().cloned().collect();
        let records = records.iter().filter(|record| !record.name.is_reserved());
        let mut senders: Vec<_> = records.map(|record| info(record)).collect();
        senders.sort_by(|a, b| a.name.cmp(&b.name));
        senders
    }
}

/// Whether a sender that left for this reason may come back as the same: all but those whose programs said goodbye.
pub(crate) fn may_come_back(reason: &str) -> bool {
    ![Reason::Removed, Reason::Closed].map(Reason::as_str).contains(&reason)
}

/// Calls the functions that listen to a presence event.
fn call(event: &Arc<EventRecord>, shown: Option<(u64, Payload)>) {
    let Some((number, payload)) = shown else { return };
    let given = Event::packed(Arc::clone(event.id()), number, payload);
    event
        .snapshot()
        .callbacks
        .iter()
        .for_each(|callback| callback.call(&given));
}

fn info(record: &SenderRecord) -> SenderInfo {
    let events = record.events.lock().keys().cloned().collect();
    let listeners = record.count_listeners();
    let lane = record.lane.lock();
    let connection = lane.as_ref();
    SenderInfo {
        name: record.name.clone(),
        connected: connection.is_some(),
        events,
        requests: connection.and_then(|connection| connection.requests.names()),
        listeners,
        carrier: connection
            .map(|connection| connection.carrier.to_owned())
            .unwrap_or_default(),
        generation: connection.map_or(0, |connection| connection.generation),
    }
}
