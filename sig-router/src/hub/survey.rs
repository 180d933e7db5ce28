//! The router's own sender, and what those who look at the router find in the hub.

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use sig_core::{EventName, Payload, SenderName, Topic};

use super::Hub;
use super::group::{Group, ListenerKey, Target};
use super::record::{Connection, EventRecord, Owner, SenderRecord};
use super::senders::new_series;
use super::snapshot::Snapshots;
use crate::inspect::{Inspection, Unmatched};
use crate::outlet::Item;
use crate::request::Requests;

impl Hub {
    /// Connects the router's own sender, before anybody can listen. Its events reach those alone who name it; it is not
    /// among the senders, and nobody can take its name or remove it.
    pub(crate) fn add_own_sender(&self, name: &SenderName, events: BTreeSet<EventName>, requests: Requests) {
        let mut registry = self.registry.lock();
        let sender = registry.sender(name);
        let mut lane = sender.lane.lock();
        for event in &events {
            let event = registry.event(&sender, event, &self.everything);
            event.set_series(new_series(), 0);
        }
        let connect = registry.event(&sender, &EventName::connect(), &self.everything);
        registry.event(&sender, &EventName::disconnect(), &self.everything);
        let connection = Connection {
            generation: 0,
            owner: Owner::Router,
            carrier: "local",
            declared: events,
            requests: Arc::new(requests),
            uplink: None,
            straight: None,
            snapshots: Snapshots::default(),
        };
        let presence = Payload::json(&connection.presence(None)).unwrap_or_default();
        connect.keep(&Item::new(1, &presence).marked_presence(true));
        *lane = Some(connection);
    }

    pub(crate) fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// How many senders are known, but for the router's own.
    pub(crate) fn count_senders(&self) -> usize {
        let registry = self.registry.lock();
        registry.senders.keys().filter(|name| !name.is_reserved()).count()
    }

    /// Every sender that is known by name, the router's own among them, in the order of their names.
    pub(crate) fn records(&self) -> Vec<Arc<SenderRecord>> {
        let mut records: Vec<_> = self.registry.lock().senders.values().cloned().collect();
        records.sort_by(|a, b| a.name.cmp(&b.name));
        records
    }

    /// How many listeners there are.
    pub(crate) fn count_listeners(&self) -> usize {
        let channels: usize = self.channel_groups().iter().map(|(_, group)| group.len()).sum();
        let named: usize = self.records().iter().map(|record| record.count_listeners()).sum();
        self.everything.len() + channels + named
    }

    /// Visits every listener with its topic, and why no sender that is there matches that, if so. Quick: a lock is held.
    pub(crate) fn each_listener(&self, mut visit: impl FnMut(&Topic, Option<Unmatched>, ListenerKey, &Target)) {
        let mut each = |group: &Group, topic: Topic, unmatched: Option<Unmatched>| {
            group.for_each(|key, target| visit(&topic, unmatched, key, target));
        };
        each(&self.everything, Topic::Router, None);
        let records = self.records();
        let declared = declared_channels(&records);
        for (name, group) in self.channel_groups() {
            let is_matched = name.is_presence() || declared.contains(&name);
            let unmatched = (!is_matched).then_some(Unmatched::NobodyDeclares);
            each(&group, Topic::Channel(name.clone()), unmatched);
            // Whoever left meanwhile could not take the channel along.
            if group.len() == 0 {
                drop(group);
                self.registry.lock().forget_channel_if_unused(&name);
            }
        }
        for record in records {
            let absent = (!record.is_connected()).then_some(Unmatched::NoSuchSender);
            each(&record.broadcast, Topic::Sender(record.name.clone()), absent);
            let heard = |event: &&Arc<EventRecord>| event.specific.len() > 0;
            let events: Vec<_> = record.events.lock().values().filter(heard).cloned().collect();
            for event in events {
                let unmatched = absent.or_else(|| {
                    let emits = event.name().is_presence() || record.declared(event.name().as_str()).is_some();
                    (!emits).then_some(Unmatched::NotDeclared)
                });
                let topic = Topic::Event(record.name.clone(), event.name().clone());
                each(&event.specific, topic, unmatched);
                if event.specific.len() == 0 {
                    self.registry.lock().forget_event_if_unused(&record, event);
                }
            }
        }
    }

    /// The channels that senders declare which are there.
    pub(crate) fn declared_channels(&self) -> HashSet<EventName> {
        declared_channels(&self.records())
    }

    fn channel_groups(&self) -> Vec<(EventName, Arc<Group>)> {
        let registry = self.registry.lock();
        let groups = registry.channels.iter();
        groups.map(|(name, group)| (name.clone(), Arc::clone(group))).collect()
    }

    /// So many events were not told for want of room: whoever listens learns it.
    pub(crate) fn lose(&self, event: &Arc<EventRecord>, count: u64) {
        if count == 0 {
            return;
        }
        let lane = event.sender.lane.lock();
        let before = event.pinned_number();
        event.set_number(before + count);
        self.tell_position(event, before, before + count);
        drop(lane);
    }
}

/// The channels that senders declare which are there.
fn declared_channels(records: &[Arc<SenderRecord>]) -> HashSet<EventName> {
    // In the order of names, they are those before the character that follows `#`.
    let channels = (Bound::Included("#"), Bound::Excluded("$"));
    let mut declared = HashSet::new();
    for record in records.iter().filter(|record| !record.name.is_reserved()) {
        if let Some(connection) = &*record.lane.lock() {
            declared.extend(connection.declared.range::<str, _>(channels).cloned());
        }
    }
    declared
}

impl EventRecord {
    /// How many listeners hear it.
    pub(crate) fn count_listeners(&self) -> usize {
        let channel = self.channel.as_ref().map_or(0, |channel| channel.len());
        self.everything.len() + self.sender.broadcast.len() + channel + self.specific.len()
    }

    /// Whether anybody listens to it.
    pub(crate) fn is_heard(&self) -> bool {
        self.count_listeners() > 0
    }
}
