//! A sender that is there declares more events.

use std::collections::BTreeSet;
use std::sync::Arc;

use sig_core::{EventName, Payload};

use super::Hub;
use super::record::{Connection, EventRecord, SenderRecord};
use super::senders::NewSender;
use crate::error::AddSenderError;

/// Why a sender could not declare more events.
#[derive(Debug)]
pub(crate) enum MoreEventsError {
    /// There is no such sender, or it belongs to somebody else.
    NotOwn,
    /// The events are not ones that it may have.
    Events(AddSenderError),
}

impl Hub {
    /// Declares more events of a sender that is connected. No presence is told, since nobody came: whoever listens to them
    /// hears them from here on, and who comes late finds them in its `#connect`. Events that it has already stay as they
    /// are. Of `more` everything counts that is said about events, and the owner.
    pub(crate) fn add_events(&self, more: &NewSender, generation: u64) -> Result<Arc<SenderRecord>, MoreEventsError> {
        if let Some(event) = more.events.iter().find(|event| event.is_presence()) {
            let name = event.to_string();
            return Err(MoreEventsError::Events(AddSenderError::Presence { name }));
        }
        let mut registry = self.registry.lock();
        let sender = registry.senders.get(&more.name).cloned();
        let sender = sender.ok_or(MoreEventsError::NotOwn)?;
        if !registry.has_aliases_for(&more.name, &more.events) {
            return Err(MoreEventsError::Events(AddSenderError::NoAliases));
        }
        let mut lane = sender.lane.lock();
        let is_own =
            |connection: &&mut Connection| connection.generation == generation && connection.owner == more.owner;
        let connection = lane.as_mut().filter(is_own).ok_or(MoreEventsError::NotOwn)?;
        let new: BTreeSet<EventName> = more.events.difference(&connection.declared).cloned().collect();
        for event in &new {
            let record = registry.event(&sender, event, &self.everything);
            let number = more.numbers.get(event).copied().unwrap_or(0);
            record.set_keeps_last(more.keep_last.contains(event));
            let before = record.set_series(more.series, number);
            if number > 0 {
                self.tell_position(&record, before, number);
            }
        }
        connection.declared.extend(new);
        if let Some(connect) = sender.event(sig_core::CONNECT) {
            renew(&connect, &connection.presence(None));
        }
        drop(lane);
        drop(registry);
        Ok(sender)
    }
}

/// What those who come late are told of a sender that is there.
fn renew(connect: &EventRecord, presence: &crate::Presence) {
    if let Ok(payload) = Payload::json(presence) {
        connect.renew_last(payload);
    }
}
