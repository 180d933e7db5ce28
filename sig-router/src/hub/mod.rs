//! The heart of every router: who sends, who listens, and what goes where.

mod callback;
mod calls;
mod catchup;
mod dispatch;
mod display;
mod group;
mod listeners;
mod more_events;
mod record;
mod senders;
mod shortcut;
mod snapshot;
mod survey;
#[cfg(test)]
mod tests;
mod trigger;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use sig_core::{EventName, SenderName, Tasks, Topic};

pub(crate) use callback::Callback;
pub(crate) use catchup::{CatchUp, First};
pub(crate) use group::{ListenerKey, Target};
pub(crate) use more_events::MoreEventsError;
pub(crate) use record::{EventRecord, Owner, SenderRecord};
pub use senders::SenderInfo;
pub(crate) use senders::{Added, NewSender, may_come_back, new_series};
pub(crate) use trigger::NotNow;

use crate::few::FewMap;
use crate::inspect::Inspection;
use crate::pressure::Stalls;
use crate::turns::Turns;
use group::Group;

/// The heart of every router: senders, listeners, and the dispatch between them.
///
/// Locks are taken in this order and never while user code runs: registry, a sender's lane, an event's snapshot, a
/// group, a queue.
pub(crate) struct Hub {
    registry: Mutex<Registry>,
    everything: Arc<Group>,
    stalls: Arc<Stalls>,
    /// For functions that hear events from links or answer requests from there, which may block.
    turns: Turns,
    next_key: AtomicU64,
    /// The router is closing: nobody waits for room any more.
    closing: AtomicBool,
    /// Runs what must not run on a link's task; absent from a router without links.
    tasks: Option<Tasks>,
    inspection: Inspection,
}

/// The alias of an event that never goes over a link. The others count from 1.
pub(crate) const NO_ALIAS: u32 = 0;

/// Everything that is looked up by name.
#[derive(Debug, Default)]
struct Registry {
    senders: HashMap<SenderName, Arc<SenderRecord>>,
    channels: HashMap<EventName, Arc<Group>>,
    last_alias: u32,
    last_generation: u64,
    /// Whether another router tells of any of them.
    mirrors: bool,
    /// Whether somebody hears of everybody's presence who was told that nobody is there, since a link was lost. So senders
    /// that were forgotten are absent when they become known again.
    all_absent: bool,
}

impl Hub {
    pub(crate) fn new(tasks: Option<Tasks>) -> Arc<Self> {
        let stalls = Arc::<Stalls>::default();
        if let Some(tasks) = &tasks {
            let stop = tasks.stop_token().clone();
            tasks.spawn("stalls", Arc::clone(&stalls).keep_relieving(stop));
        }
        Arc::new(Self {
            registry: Mutex::default(),
            everything: Arc::default(),
            stalls,
            turns: Turns::new(),
            next_key: AtomicU64::new(1),
            closing: AtomicBool::new(false),
            tasks,
            inspection: Inspection::default(),
        })
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    pub(crate) fn stalls(&self) -> &Arc<Stalls> {
        &self.stalls
    }

    pub(crate) fn sender(&self, name: &str) -> Option<Arc<SenderRecord>> {
        self.registry.lock().senders.get(name).cloned()
    }

    /// The channels that anybody has declared or listens to.
    pub(crate) fn channels(&self) -> Vec<EventName> {
        let mut channels: Vec<_> = self.registry.lock().channels.keys().cloned().collect();
        channels.sort();
        channels
    }

    /// Whether the sender may emit the event as far as is known: it declared it, or is not connected.
    pub(crate) fn may_emit(&self, sender: &SenderName, event: &EventName) -> bool {
        let Some(record) = self.sender(sender.as_str()) else {
            return true;
        };
        let lane = record.lane.lock();
        lane.as_ref()
            .is_none_or(|connection| event.is_presence() || connection.declared.contains(event))
    }

    /// The router is closing: triggers that wait for room are told so, and none waits from now on.
    pub(crate) fn stop_waiting(&self) {
        self.closing.store(true, Ordering::Release);
        let senders: Vec<_> = self.registry.lock().senders.values().cloned().collect();
        senders.iter().for_each(|sender| sender.gate.wake_waiters());
    }

    /// Whether no trigger may wait any more.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Ends every stream and everything else that takes from a queue here.
    pub(crate) fn close(&self) {
        let mut outlets = Vec::new();
        let mut collect = |group: &Group| {
            group.for_each(|_, target| match target {
                Target::Outlet(outlet, _) => outlets.push(Arc::clone(outlet)),
                Target::Callback(_) => {}
            });
        };
        let registry = self.registry.lock();
        collect(&self.everything);
        registry.channels.values().for_each(|group| collect(group));
        for sender in registry.senders.values() {
            collect(&sender.broadcast);
            sender.events.lock().values().for_each(|event| collect(&event.specific));
        }
        drop(registry);
        outlets.iter().for_each(|outlet| outlet.close());
    }

    /// Whether anybody hears of every sender's presence.
    fn hears_of_everybody(&self, registry: &Registry) -> bool {
        let mut channels = [sig_core::CONNECT, sig_core::DISCONNECT].iter();
        let is_heard = |name: &&str| registry.channels.get(*name).is_some_and(|group| group.len() > 0);
        self.everything.len() > 0 || channels.any(is_heard)
    }

    fn next_key(&self) -> ListenerKey {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    /// Events of another router that are over there: they are forgotten here too, unless somebody listens to them.
    pub(crate) fn forget_events(&self, over: Vec<Arc<EventRecord>>) {
        let mut registry = self.registry.lock();
        for event in over {
            let sender = Arc::clone(&event.sender);
            registry.forget_event_if_unused(&sender, event);
            let only_presence = sender.events.lock().keys().all(EventName::is_presence);
            if only_presence {
                // Unless it is there: what follows tells of it again.
                let is_there = sender
                    .event(sig_core::CONNECT)
                    .is_some_and(|connect| connect.last().is_some());
                sender.set_mirrored(is_there);
                registry.forget_if_unused(&sender);
            }
        }
    }

    /// The event of a sender, made if need be.
    pub(crate) fn event(&self, sender: &SenderName, event: &EventName) -> Arc<EventRecord> {
        let mut registry = self.registry.lock();
        let record = registry.sender(sender);
        registry.event(&record, event, &self.everything)
    }

    /// The same for one of which another router tells: as long as anybody hears of it, it is not forgotten because one
    /// who listened to it by name leaves.
    pub(crate) fn mirror(&self, sender: &SenderName, event: &EventName) -> Arc<EventRecord> {
        let mut registry = self.registry.lock();
        let record = registry.sender(sender);
        record.set_mirrored(true);
        registry.mirrors = true;
        registry.event(&record, event, &self.everything)
    }
}

impl Registry {
    fn sender(&mut self, name: &SenderName) -> Arc<SenderRecord> {
        let is_absent = self.all_absent;
        let new = || Arc::new(SenderRecord::new(name.clone(), is_absent));
        Arc::clone(self.senders.entry(name.clone()).or_insert_with(new))
    }

    /// Every sender but the router's own, if there may be anything to give of them.
    fn all_senders(&self, first: First) -> Vec<Arc<SenderRecord>> {
        if first == First::default() {
            return Vec::new();
        }
        let senders = self.senders.values().filter(|sender| !sender.name.is_reserved());
        senders.cloned().collect()
    }

    /// A listener of many senders left: see [`SenderRecord::let_go_of_mirrored`].
    fn let_go_of_mirrored(&self, topic: &Topic) {
        if self.mirrors {
            let senders = self.senders.values();
            senders.for_each(|sender| sender.let_go_of_mirrored(topic));
        }
    }

    fn channel(&mut self, name: &EventName) -> Arc<Group> {
        Arc::clone(self.channels.entry(name.clone()).or_default())
    }

    fn event(&mut self, sender: &Arc<SenderRecord>, name: &EventName, everything: &Arc<Group>) -> Arc<EventRecord> {
        if let Some(event) = sender.event(name.as_str()) {
            return event;
        }
        // What the router says of itself is heard by those alone who name it.
        let (channel, everything) = if sender.name.is_reserved() {
            (None, Arc::default())
        } else {
            (name.is_channel().then(|| self.channel(name)), Arc::clone(everything))
        };
        let alias = self.next_alias();
        let event = EventRecord::new(alias, sender, name.clone(), channel, everything);
        let event = Arc::new(event);
        sender.events.lock().insert(name.clone(), Arc::clone(&event));
        event
    }

    /// An alias that was never given out, or [`NO_ALIAS`] when all of them were. Such an event can be listened to, but no
    /// sender is connected that has it.
    fn next_alias(&mut self) -> u32 {
        match self.last_alias.checked_add(1) {
            Some(alias) => {
                self.last_alias = alias;
                alias
            }
            None => NO_ALIAS,
        }
    }

    /// Whether there are aliases for all events of a sender.
    fn has_aliases_for(&self, name: &SenderName, declared: &BTreeSet<EventName>) -> bool {
        let record = self.senders.get(name);
        let known = |event: &EventName| record.and_then(|record| record.event(event.as_str()));
        let mut left = u32::MAX - self.last_alias;
        let presence = [EventName::connect(), EventName::disconnect()];
        declared.iter().chain(&presence).all(|event| match known(event) {
            Some(event) => event.alias != NO_ALIAS,
            None => {
                let is_left = left > 0;
                left = left.saturating_sub(1);
                is_left
            }
        })
    }

    /// Forgets a sender that is not connected and that nobody listens to by name (P13, P25).
    fn forget_if_unused(&mut self, sender: &SenderRecord) {
        if sender.is_connected() || sender.has_listeners() || sender.is_mirrored() {
            return;
        }
        if let Some(record) = self.senders.get(&sender.name) {
            if std::ptr::eq(&**record, sender) {
                self.senders.remove(&sender.name);
            }
        }
        sender.forgotten.store(true, Ordering::Release);
        // Events point back to their sender.
        let events = std::mem::take(&mut *sender.events.lock());
        let channels = events.keys().filter(|name| name.is_channel());
        let channels: Vec<_> = channels.cloned().collect();
        drop(events);
        channels.iter().for_each(|name| self.forget_channel_if_unused(name));
    }

    /// Forgets an event that its sender does not declare, and that nobody listens to by name or holds: or else every
    /// name that was ever listened to would stay for as long as the sender.
    fn forget_event_if_unused(&mut self, sender: &SenderRecord, event: Arc<EventRecord>) {
        let lane = sender.lane.lock();
        let declared = lane
            .as_ref()
            .is_some_and(|connection| connection.declared.contains(event.name()));
        if !declared && !event.name().is_presence() && event.specific.len() == 0 {
            let mut events = sender.events.lock();
            // The sender's, and the one here.
            if Arc::strong_count(&event) <= 2 {
                events.remove(event.name());
            }
        }
        drop(lane);
        let name = event.name().clone();
        drop(event);
        self.forget_channel_if_unused(&name);
    }

    /// The same for all that the sender declared when it was last here, and does not declare any more.
    fn forget_former_events(&mut self, sender: &SenderRecord, declared: &BTreeSet<EventName>) {
        let former: Vec<_> = {
            let mut events = sender.events.lock();
            let unused = |name: &EventName, event: &Arc<EventRecord>| {
                let wanted = declared.contains(name) || name.is_presence() || event.specific.len() > 0;
                !wanted && Arc::strong_count(event) == 1
            };
            let former = events.iter().filter(|(name, event)| unused(name, event));
            let former: Vec<_> = former.map(|(name, _)| name.clone()).collect();
            former.iter().for_each(|name| drop(events.remove(name)));
            former
        };
        former.iter().for_each(|name| self.forget_channel_if_unused(name));
    }

    /// Forgets a channel that nobody listens to and no event belongs to.
    fn forget_channel_if_unused(&mut self, name: &EventName) {
        let unused = |group: &Arc<Group>| group.len() == 0 && Arc::strong_count(group) == 1;
        if self.channels.get(name).is_some_and(unused) {
            self.channels.remove(name);
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.close();
        for sender in self.registry.get_mut().senders.values() {
            *sender.events.lock() = FewMap::default();
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("senders", &self.count_senders())
            .finish_non_exhaustive()
    }
}
