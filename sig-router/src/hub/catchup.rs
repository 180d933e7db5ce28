//! What a new listener is given first: who is there, and last values.

use std::sync::{Arc, Weak};

use sig_core::Topic;

use super::Hub;
use super::callback::Callback;
use super::record::{EventRecord, Kept, Owner, SenderRecord};
use crate::clock;
use crate::event::Event;
use crate::outlet::{Item, Outlet, Terms};

/// What a new listener wants to be given first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct First {
    /// Last values, of events that keep them.
    pub(crate) last_values: bool,
    /// `#connect` of the senders that are there.
    pub(crate) snapshot: bool,
    /// At which number each event is.
    pub(crate) positions: bool,
}

/// Whom it is given to.
#[derive(Debug, Clone)]
pub(super) enum Sink {
    Outlet(Arc<dyn Outlet>, Terms),
    Callback(Arc<Callback>),
}

/// What a new listener is still to be given, pulled as it has room: one sender after the other, each under its lane, so
/// that nothing live is out of order with it.
#[derive(Debug)]
pub(crate) struct CatchUp {
    hub: Weak<Hub>,
    topic: Topic,
    first: First,
    sink: Sink,
    senders: std::vec::IntoIter<Arc<SenderRecord>>,
}

impl CatchUp {
    pub(super) fn new(hub: &Arc<Hub>, topic: Topic, first: First, sink: Sink, senders: Vec<Arc<SenderRecord>>) -> Self {
        Self {
            hub: Arc::downgrade(hub),
            topic,
            first,
            sink,
            senders: senders.into_iter(),
        }
    }

    /// Gives what there is of the next sender. False when that was all.
    pub(crate) fn step(&mut self) -> bool {
        let (Some(hub), Some(sender)) = (self.hub.upgrade(), self.senders.next()) else {
            return false;
        };
        let lane = sender.lane.lock();
        let is_local = lane.as_ref().is_some_and(|connection| connection.owner == Owner::Local);
        let given = self.give(&hub, &sender, is_local);
        drop(lane);
        if let Sink::Callback(callback) = &self.sink {
            for (event, kept) in given {
                callback.call(&kept.event(&event));
            }
        }
        true
    }

    /// Gives what there is of one sender, whose lane is held; gives back what a function is to be called with.
    pub(super) fn give(&self, hub: &Hub, sender: &SenderRecord, is_local: bool) -> Vec<(Arc<EventRecord>, Kept)> {
        let mut calls = Vec::new();
        if self.first == First::default() {
            return calls;
        }
        let events: Vec<_> = match &self.topic {
            // Looked up, since a sender may have many.
            Topic::Event(_, name) | Topic::Channel(name) => sender.event(name.as_str()).into_iter().collect(),
            Topic::Router | Topic::Sender(_) => sender.events.lock().values().cloned().collect(),
        };
        for event in events {
            if !self.topic.matches(&sender.name, event.name()) {
                continue;
            }
            let is_presence = event.name().is_presence();
            let wanted = if is_presence {
                self.first.snapshot
            } else {
                self.first.last_values
            };
            let kept = event.last().filter(|_| wanted);
            if !is_presence && event.number() > 0 {
                let number = event.pinned_number();
                // The last value comes behind it, and is the next one for who missed it.
                let comes = kept.as_ref().is_some_and(|kept| kept.number == number);
                let before = number.saturating_sub(u64::from(comes));
                match &self.sink {
                    Sink::Outlet(outlet, _) if self.first.positions || outlet.knows(&event) => {
                        outlet.announce(&event, before);
                    }
                    Sink::Callback(callback) if self.first.positions => {
                        if let Some(mailbox) = hub.mailbox_of(callback) {
                            mailbox.announce(&event, before);
                        }
                    }
                    Sink::Outlet(..) | Sink::Callback(_) => {}
                }
            }
            let Some(kept) = kept else { continue };
            let item = kept.item().marked_presence(is_presence);
            match &self.sink {
                Sink::Outlet(outlet, terms) => outlet.offer(&event, &item, &sender.gate, terms),
                Sink::Callback(callback) => match hub.mailbox_of(callback).filter(|_| !is_local) {
                    Some(mailbox) => mailbox.offer(&event, &item, &sender.gate, &Terms::OWN),
                    None => calls.push((event, kept)),
                },
            }
        }
        calls
    }
}

impl Kept {
    /// As a new listener gets it.
    pub(crate) fn item(&self) -> Item<'_> {
        Item::new(self.number, &self.payload).marked_retained(clock::now().saturating_duration_since(self.since))
    }

    /// The same for a function.
    pub(crate) fn event(&self, event: &EventRecord) -> Event<'static> {
        Event::packed(Arc::clone(event.id()), self.number, self.payload.clone()).with_retained(Some(self.since))
    }

    /// One from an event that comes now.
    pub(crate) fn of(item: &Item<'_>) -> Self {
        let now = clock::now();
        let since = item.retained.and_then(|age| now.checked_sub(age)).unwrap_or(now);
        Self {
            payload: item.payload().clone(),
            number: item.number,
            since,
        }
    }
}
