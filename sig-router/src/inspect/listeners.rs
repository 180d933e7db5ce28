//! The listeners of a router, and which of them wait in vain.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use sig_core::{EventName, SenderName, Topic};

use super::nearest::{self, Nearest};
use super::news::{shown, who};
use super::query::{Cursor, Order, Page, Query};
use super::{ListenerReport, Unmatched};
use crate::hub::{Hub, ListenerKey, SenderRecord, Target};

/// A listener that is to be in the answer.
struct Found {
    topic: Topic,
    unmatched: Option<Unmatched>,
    target: Target,
}

pub(super) fn page(hub: &Hub, query: &Query) -> Page<ListenerReport> {
    let after = match query.order() {
        Order::Id => query.after_number(),
        Order::Rate | Order::Waiting => 0,
    };
    let (most, mut total, mut more) = (query.most(), 0, false);
    // Never more than the answer needs, however many there are.
    let mut found = BTreeMap::new();
    hub.each_listener(|topic, unmatched, key, target| {
        if query.is_unmatched() && unmatched.is_none() {
            return;
        }
        total += 1;
        if key <= after {
            return;
        }
        let weight = match query.order() {
            Order::Waiting => waiting(target),
            Order::Id | Order::Rate => 0,
        };
        let place = (Reverse(weight), key);
        if found.len() == most && found.last_key_value().is_some_and(|(last, _)| *last < place) {
            more = true;
            return;
        }
        let (topic, target) = (topic.clone(), target.clone());
        found.insert(
            place,
            Found {
                topic,
                unmatched,
                target,
            },
        );
        if found.len() > most {
            found.pop_last();
            more = true;
        }
    });
    let next = found.last_key_value().filter(|_| more && query.order() == Order::Id);
    let next = next.map(|((_, key), _)| Cursor::Number(*key));
    let mut suggestions = Suggestions::new(hub);
    let rows = found.into_iter();
    let rows = rows.map(|((_, key), found)| report(key, found, &mut suggestions));
    Page {
        rows: rows.collect(),
        total,
        next,
        interval_ms: None,
    }
}

fn waiting(target: &Target) -> usize {
    let stats = match target {
        Target::Callback(callback) => callback.queued(),
        Target::Outlet(outlet, _) => outlet.stats(),
    };
    stats.map_or(0, |stats| stats.waiting)
}

fn report(id: ListenerKey, found: Found, suggestions: &mut Suggestions<'_>) -> ListenerReport {
    let Found {
        topic,
        unmatched,
        target,
    } = found;
    let ((client, place), policy, stats) = match &target {
        Target::Callback(callback) => {
            let place = Some(shown(callback.place()));
            ((None, place), callback.policy(), callback.queued())
        }
        Target::Outlet(outlet, policy) => {
            let whose = outlet.whose().map(who).unwrap_or_default();
            (whose, *policy, outlet.stats())
        }
    };
    ListenerReport {
        id,
        topic: topic.to_string(),
        client,
        place,
        policy,
        waiting: stats.map(|stats| stats.waiting),
        received: stats.map(|stats| stats.received),
        lost: stats.map(|stats| stats.lost),
        skipped: stats.map(|stats| stats.skipped),
        lagging: stats.map(|stats| stats.lagging),
        unmatched: unmatched.is_some(),
        reason: unmatched,
        nearest: unmatched.and_then(|_| suggestions.for_topic(&topic)),
    }
}

/// What was perhaps meant. Who is there is looked up when the first needs it.
struct Suggestions<'a> {
    hub: &'a Hub,
    /// By name.
    senders: OnceCell<Vec<Arc<SenderRecord>>>,
    channels: OnceCell<HashSet<EventName>>,
    nearest: Nearest,
}

impl<'a> Suggestions<'a> {
    fn new(hub: &'a Hub) -> Self {
        Self {
            hub,
            senders: OnceCell::new(),
            channels: OnceCell::new(),
            nearest: Nearest::new(),
        }
    }

    /// The topic that is there and looks like this one.
    fn for_topic(&mut self, topic: &Topic) -> Option<String> {
        match topic {
            Topic::Router => None,
            // The router's own sender looks like a channel.
            Topic::Channel(channel) if self.sender(channel.as_str()).is_some() => Some(format!("{channel}/*")),
            Topic::Channel(channel) => {
                let channels = self.channels.get_or_init(|| self.hub.declared_channels());
                let known = channels.iter().map(EventName::as_str);
                self.nearest.to(channel.as_str(), known).map(str::to_owned)
            }
            Topic::Sender(name) => self.sender_like(name).map(|known| format!("{known}/*")),
            Topic::Event(name, event) => match self.sender(name.as_str()) {
                Some(sender) => {
                    let declared = declared(sender);
                    let known = declared.iter().map(EventName::as_str);
                    self.nearest
                        .to(event.as_str(), known)
                        .map(|event| format!("{name}/{event}"))
                }
                None => self.sender_like(name).map(|known| format!("{known}/{event}")),
            },
        }
    }

    /// The senders that are there.
    fn senders(&self) -> &[Arc<SenderRecord>] {
        self.senders.get_or_init(|| {
            let mut senders = self.hub.records();
            senders.retain(|sender| sender.is_connected());
            senders
        })
    }

    fn sender(&self, name: &str) -> Option<&SenderRecord> {
        let senders = self.senders();
        let found = senders.binary_search_by(|sender| sender.name.as_str().cmp(name));
        found.ok().map(|index| &*senders[index])
    }

    fn sender_like(&mut self, name: &SenderName) -> Option<SenderName> {
        self.senders();
        let known = self.senders.get()?.iter().map(|sender| sender.name.as_str());
        let known = self.nearest.to(name.as_str(), known)?;
        self.sender(known).map(|sender| sender.name.clone())
    }
}

/// What a sender declares, as far as it is looked at.
fn declared(sender: &SenderRecord) -> Vec<EventName> {
    let lane = sender.lane.lock();
    let declared = lane.as_ref().map(|connection| connection.declared.iter());
    declared
        .map(|declared| declared.take(nearest::MOST_OF_ONE).cloned().collect())
        .unwrap_or_default()
}
