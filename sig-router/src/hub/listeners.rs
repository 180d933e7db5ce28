//! Listening and unlistening.

use std::sync::Arc;

use sig_core::Topic;

use super::Hub;
use super::group::{ListenerKey, Target};

impl Hub {
    /// Adds a listener. Every event triggered from now on reaches it.
    pub(crate) fn listen(&self, topic: &Topic, target: Target) -> ListenerKey {
        let mut registry = self.registry.lock();
        // Under the lock: the order of the keys is the order of the listeners.
        let key = self.next_key();
        match topic {
            Topic::Router => self.everything.add(key, target),
            Topic::Channel(event) => registry.channel(event).add(key, target),
            Topic::Sender(sender) => registry.sender(sender).broadcast.add(key, target),
            Topic::Event(sender, event) => {
                let sender = registry.sender(sender);
                registry
                    .event(&sender, event, &self.everything)
                    .specific
                    .add(key, target);
            }
        }
        key
    }

    /// Removes a listener; false if it is not there (any more).
    pub(crate) fn unlisten(&self, topic: &Topic, key: ListenerKey) -> bool {
        let mut registry = self.registry.lock();
        match topic {
            Topic::Router => self.everything.remove(key),
            Topic::Channel(event) => {
                let Some(group) = registry.channels.get(event).map(Arc::clone) else {
                    return false;
                };
                let removed = group.remove(key);
                drop(group);
                registry.forget_channel_if_unused(event);
                removed
            }
            Topic::Sender(sender) => {
                let Some(sender) = registry.senders.get(sender).map(Arc::clone) else {
                    return false;
                };
                let removed = sender.broadcast.remove(key);
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
                registry.forget_if_unused(&sender);
                registry.forget_event_if_unused(&sender, event);
                removed
            }
        }
    }
}
