//! What a client wants of its router, kept through every link: the ledger that is replayed after a reconnect (T1).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use sig_core::{EventName, SenderName, Topic};
use thiserror::Error;

use super::params::{AddListener, AddSender};
use crate::policy::Policy;

/// How the router answered a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WantState {
    /// Not yet: there is no link, or the answer is under way.
    Pending,
    /// The router has it.
    Live,
    /// The router does not want it, as when the name is taken.
    Refused {
        /// The reason, for people.
        text: String,
    },
}

/// One wish, to be sent to the router.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Want {
    /// A subscription.
    Listener(Topic, AddListener),
    /// A sender.
    Sender(AddSender),
}

/// How one listener wants a topic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wish {
    /// What happens when events come faster than it takes them.
    pub(crate) policy: Policy,
    /// Whether it is told first which senders are there.
    pub(crate) snapshot: bool,
}

/// What the router has to be told, when a topic got one listener more or less.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// The topic has its first listener, or one that is less restrictive than the others, or was that.
    Listen(AddListener),
    /// The topic has no listener any more; this was the id of its subscription.
    Unlisten(u64),
}

/// The client has a remote sender of this name already.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("this client has a remote sender \"{0}\" already; remove that one first, or choose another name")]
pub(crate) struct AlreadyThere(pub(crate) SenderName);

#[derive(Debug)]
struct Sender {
    want: AddSender,
    state: WantState,
}

#[derive(Debug)]
struct Listeners {
    topic: Topic,
    wishes: Vec<Wish>,
    state: WantState,
    /// Whether something may have been heard over a former link: what was missed meanwhile is of interest.
    heard: bool,
}

impl Listeners {
    fn want(&self, id: u64) -> AddListener {
        let policies = self.wishes.iter().map(|wish| wish.policy);
        let policy = policies.reduce(Policy::or).unwrap_or_default();
        let tells_presence = self.topic.event_name().is_none_or(EventName::is_presence);
        AddListener {
            policy: (policy != Policy::default()).then(|| policy.into()),
            // Who knew who is there learns it again; by itself only a listener that names it does.
            snapshot: tells_presence
                && (self.heard || self.topic.event_name().is_some())
                && self.wishes.iter().any(|wish| wish.snapshot),
            again: self.heard,
            ..AddListener::new(Some(id), &self.topic)
        }
    }
}

/// The remote senders and listeners of one client.
///
/// All listeners of a topic share one subscription at the router. Numbers are given in turn to senders and
/// subscriptions, and never again: they keep the order, and are the ids of the subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    last: u64,
    senders: BTreeMap<u64, Sender>,
    names: HashMap<SenderName, u64>,
    listeners: BTreeMap<u64, Listeners>,
    topics: HashMap<Topic, u64>,
}

impl Ledger {
    /// No wishes.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Wants a sender.
    ///
    /// # Errors
    ///
    /// [`AlreadyThere`]; the first one stays as it is.
    pub(crate) fn add_sender(&mut self, want: AddSender) -> Result<(), AlreadyThere> {
        if self.names.contains_key(&want.sender) {
            return Err(AlreadyThere(want.sender));
        }
        self.last += 1;
        self.names.insert(want.sender.clone(), self.last);
        let state = WantState::Pending;
        self.senders.insert(self.last, Sender { want, state });
        Ok(())
    }

    /// Wants a sender no more; whether it was there.
    pub(crate) fn remove_sender(&mut self, name: &SenderName) -> bool {
        let number = self.names.remove(name);
        number.is_some_and(|number| self.senders.remove(&number).is_some())
    }

    /// What a sender is to be added with.
    pub(crate) fn sender(&self, name: &SenderName) -> Option<&AddSender> {
        Some(&self.senders.get(self.names.get(name)?)?.want)
    }

    /// How the router answered the wish for a sender.
    #[cfg(test)]
    pub(crate) fn sender_state(&self, name: &SenderName) -> Option<&WantState> {
        Some(&self.senders.get(self.names.get(name)?)?.state)
    }

    /// Notes how the router answered the wish for a sender; whether that is there still.
    pub(crate) fn set_sender_state(&mut self, name: &SenderName, state: WantState) -> bool {
        let sender = self.names.get(name).and_then(|number| self.senders.get_mut(number));
        sender.map(|sender| sender.state = state).is_some()
    }

    /// Wants one more listener of a topic. Gives the id of the topic's subscription as well.
    pub(crate) fn add_listener(&mut self, topic: &Topic, wish: Wish) -> (u64, Change) {
        let known = self.topics.get(topic).copied();
        if let Some((id, listeners)) = known.and_then(|id| Some((id, self.listeners.get_mut(&id)?))) {
            let before = listeners.want(id);
            listeners.wishes.push(wish);
            let want = listeners.want(id);
            return (id, changed(&before, want));
        }
        self.last += 1;
        self.topics.insert(topic.clone(), self.last);
        let listeners = Listeners {
            topic: topic.clone(),
            wishes: vec![wish],
            state: WantState::Pending,
            heard: false,
        };
        let want = listeners.want(self.last);
        self.listeners.insert(self.last, listeners);
        (self.last, Change::Listen(want))
    }

    /// Wants one listener of a topic less.
    pub(crate) fn remove_listener(&mut self, topic: &Topic, wish: Wish) -> Change {
        let Some(id) = self.topics.get(topic).copied() else {
            return Change::None;
        };
        let Some(listeners) = self.listeners.get_mut(&id) else {
            return Change::None;
        };
        let Some(index) = listeners.wishes.iter().position(|other| *other == wish) else {
            return Change::None;
        };
        let before = listeners.want(id);
        listeners.wishes.swap_remove(index);
        if !listeners.wishes.is_empty() {
            let want = listeners.want(id);
            return changed(&before, want);
        }
        self.listeners.remove(&id);
        self.topics.remove(topic);
        Change::Unlisten(id)
    }

    /// How the router answered the wish for a subscription.
    #[cfg(test)]
    pub(crate) fn listener_state(&self, id: u64) -> Option<&WantState> {
        self.listeners.get(&id).map(|listeners| &listeners.state)
    }

    /// Notes how the router answered the wish for a subscription; whether that is there still.
    pub(crate) fn set_listener_state(&mut self, id: u64, state: WantState) -> bool {
        let listeners = self.listeners.get_mut(&id);
        listeners
            .map(|listeners| {
                listeners.state = state;
            })
            .is_some()
    }

    /// The link is gone: all is pending. Who listened may have heard something over it, whether the router had answered
    /// or not: what came for others, and that senders are lost with the link.
    pub(crate) fn offline(&mut self) {
        self.listeners.values_mut().for_each(|listeners| listeners.heard = true);
        self.pend();
    }

    fn pend(&mut self) {
        let senders = self.senders.values_mut().map(|sender| &mut sender.state);
        let listeners = self.listeners.values_mut().map(|listeners| &mut listeners.state);
        senders.chain(listeners).for_each(|state| *state = WantState::Pending);
    }

    /// A new link is there: all wishes in the order in which they were made, the listeners first, so that they hear
    /// the senders that follow. All is pending.
    pub(crate) fn replay(&mut self) -> Vec<Want> {
        self.pend();
        let listeners =
            (self.listeners.iter()).map(|(&id, listeners)| Want::Listener(listeners.topic.clone(), listeners.want(id)));
        let senders = self.senders.values().map(|sender| Want::Sender(sender.want.clone()));
        listeners.chain(senders).collect()
    }

    /// How many wishes are pending: with none, the router has answered all.
    #[cfg(test)]
    pub(crate) fn pending(&self) -> usize {
        let senders = self.senders.values().map(|sender| &sender.state);
        let listeners = self.listeners.values().map(|listeners| &listeners.state);
        senders
            .chain(listeners)
            .filter(|state| **state == WantState::Pending)
            .count()
    }

    /// The senders that were refused, to be tried again when the owner of the name leaves.
    pub(crate) fn refused(&self) -> Vec<SenderName> {
        let refused = |sender: &&Sender| matches!(sender.state, WantState::Refused { .. });
        self.senders
            .values()
            .filter(refused)
            .map(|sender| sender.want.sender.clone())
            .collect()
    }
}

/// Whether the router has to be told that a subscription is wanted under other terms.
fn changed(before: &AddListener, now: AddListener) -> Change {
    if before.policy == now.policy {
        Change::None
    } else {
        Change::Listen(now)
    }
}
