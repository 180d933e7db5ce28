//! Listening and unlistening.

use std::sync::Arc;

use sig_core::Topic;

use super::Hub;
use super::catchup::{CatchUp, First, Sink};
use super::group::{ListenerKey, Target};
use super::record::Owner;
use crate::outlet::Terms;

impl Hub {
    /// Adds a listener, and gives it what it wants first. Every event triggered from now on reaches it.
    pub(crate) fn listen(self: &Arc<Self>, topic: &Topic, target: Target, first: First) -> ListenerKey {
        let mut registry = self.registry.lock();
        // Under the lock: the order of the keys is the order of the listeners.
        let key = self.next_key();
        let sink = match &target {
            Target::Callback(callback) => Sink::Callback(Arc::clone(callback)),
            Target::Outlet(outlet, policy) => {
                let (policy, listener) = (*policy, key);
                Sink::Outlet(Arc::clone(outlet), Terms { policy, listener })
            }
        };
        let senders = match topic {
            Topic::Router => {
                self.everything.add(key, target);
                registry.all_senders(first)
            }
            Topic::Channel(event) => {
                registry.channel(event).add(key, target);
                registry.all_senders(first)
            }
            Topic::Sender(sender) => {
                let sender = registry.sender(sender);
                sender.broadcast.add(key, target);
                vec![sender]
            }
            Topic::Event(sender, event) => {
                let sender = registry.sender(sender);
                // Nothing live comes between what is given first and this.
                let lane = sender.lane.lock();
                let event = registry.event(&sender, event, &self.everything);
                event.specific.add(key, target);
                let catch_up = CatchUp::new(self, topic.clone(), first, sink.clone(), Vec::new());
                let is_local = lane.as_ref().is_some_and(|connection| connection.owner == Owner::Local);
                let calls = catch_up.give(self, &sender, is_local);
                drop(lane);
                drop(registry);
                if let Sink::Callback(callback) = &sink {
                    calls.iter().for_each(|(event, kept)| callback.call(&kept.event(event)));
                }
                return key;
            }
        };
        drop(registry);
        let mut catch_up = CatchUp::new(self, topic.clone(), first, sink.clone(), senders);
        match sink {
            Sink::Outlet(outlet, _) => {
                while outlet.has_room() {
                    if !catch_up.step() {
                        return key;
                    }
                }
                outlet.catch_up(catch_up);
            }
            Sink::Callback(_) => while catch_up.step() {},
        }
        key
    }

    /// Removes a listener; false if it is not there (any more).
    pub(crate) fn unlisten(&self, topic: &Topic, key: ListenerKey) -> bool {
        let mut registry = self.registry.lock();
        match topic {
            Topic::Router => {
                let removed = self.everything.remove(key);
                registry.all_absent &= self.hears_of_everybody(&registry);
                registry.let_go_of_mirrored(topic);
                removed
            }
            Topic::Channel(event) => {
                let Some(group) = registry.channels.get(event).map(Arc::clone) else {
                    return false;
                };
                let removed = group.remove(key);
                drop(group);
                registry.all_absent &= self.hears_of_everybody(&registry);
                registry.let_go_of_mirrored(topic);
                registry.forget_channel_if_unused(event);
                removed
            }
            Topic::Sender(sender) => {
                let Some(sender) = registry.senders.get(sender).map(Arc::clone) else {
                    return false;
                };
                let removed = sender.broadcast.remove(key);
                sender.let_go_of_mirrored(topic);
                registry.forget_if_unused(&sender);
                removed
            }
            Topic::Event(sender, event) => {
                let Some(sender) = registry.senders.get(sender).map(Arc::clone) else {
                    return false;
                };
                let Some(event) = sender.event(event.as_str()) else {
                    return false;
                };
                let removed = event.specific.remove(key);
                sender.let_go_of_mirrored(topic);
                registry.forget_if_unused(&sender);
                registry.forget_event_if_unused(&sender, event);
                removed
            }
        }
    }
}
