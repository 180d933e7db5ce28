//! Which senders a client's listeners hear, and how long those may hold them up.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use sig_core::{EventName, SenderName, Topic};

use crate::hub::SenderRecord;
use crate::policy::Policy;

/// How often each patience is there.
type Patiences = BTreeMap<Duration, usize>;

/// The listeners of one client that make senders wait. The others are nobody's business here.
#[derive(Debug, Default)]
pub(super) struct Heard {
    everything: Patiences,
    channels: HashMap<EventName, Patiences>,
    senders: HashMap<SenderName, Patiences>,
}

impl Heard {
    pub(super) fn add(&mut self, topic: &Topic, policy: Policy) {
        let Some(patience) = patience_of(topic, policy) else {
            return;
        };
        let patiences = match topic {
            Topic::Router => &mut self.everything,
            Topic::Channel(event) => self.channels.entry(event.clone()).or_default(),
            Topic::Sender(sender) | Topic::Event(sender, _) => self.senders.entry(sender.clone()).or_default(),
        };
        *patiences.entry(patience).or_default() += 1;
    }

    /// Takes back what was added.
    pub(super) fn remove(&mut self, topic: &Topic, policy: Policy) {
        let Some(patience) = patience_of(topic, policy) else {
            return;
        };
        match topic {
            Topic::Router => take_from(&mut self.everything, patience),
            Topic::Channel(event) => take_out(&mut self.channels, event, patience),
            Topic::Sender(sender) | Topic::Event(sender, _) => take_out(&mut self.senders, sender, patience),
        }
    }

    /// How long the most patient listener to this sender may hold it up; `None` where there is no listener.
    pub(super) fn patience(&self, sender: &SenderRecord) -> Option<Duration> {
        let channels = sender.channels();
        let channels = channels.iter().filter_map(|event| self.channels.get(event));
        let named = self.senders.get(&sender.name);
        let all = std::iter::once(&self.everything).chain(named).chain(channels);
        all.filter_map(|patiences| patiences.keys().next_back().copied()).max()
    }
}

/// Presence holds nobody up, and neither do the policies that drop.
fn patience_of(topic: &Topic, policy: Policy) -> Option<Duration> {
    let presence = matches!(topic, Topic::Channel(event) | Topic::Event(_, event) if event.is_presence());
    (policy.blocks() && !presence).then(|| policy.patience())
}

fn take_from(patiences: &mut Patiences, patience: Duration) {
    if let Some(count) = patiences.get_mut(&patience) {
        *count -= 1;
        if *count == 0 {
            patiences.remove(&patience);
        }
    }
}

fn take_out<K: Eq + Hash>(of: &mut HashMap<K, Patiences>, key: &K, patience: Duration) {
    if let Some(patiences) = of.get_mut(key) {
        take_from(patiences, patience);
        if patiences.is_empty() {
            of.remove(key);
        }
    }
}
