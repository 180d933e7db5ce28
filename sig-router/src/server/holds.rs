//! Senders that a client holds up, because its own listeners have no room; not for ever.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sig_core::{ClientId, SenderName, Topic};

use super::heard::Heard;
use crate::clock;
use crate::hub::{Hub, SenderRecord};
use crate::policy::Policy;
use crate::pressure::{GivenUp, Stallable, Whose};

/// How much longer than its listener may wait a client may hold a sender up: what it tells is under way for a while.
const SLACK: Duration = Duration::from_secs(2);

/// Whom one client makes wait, and for which of its listeners.
#[derive(Debug, Default)]
pub(super) struct Stalling {
    pub(super) heard: Heard,
    pub(super) holds: Holds,
}

impl Stalling {
    /// That of a client with these listeners, which holds nobody up yet.
    pub(super) fn of<'a>(listeners: impl Iterator<Item = (&'a Topic, Policy)>) -> Self {
        let mut stalling = Self::default();
        listeners.for_each(|(topic, policy)| stalling.heard.add(topic, policy));
        stalling
    }

    /// The client's listeners have no room for more of this sender's events.
    pub(super) fn hold(&mut self, hub: &Hub, client: ClientId, sender: &SenderName, now: Instant) {
        self.holds.hold(hub, client, &self.heard, sender, now);
    }
}

/// The senders that one client holds up, or did.
#[derive(Debug, Default)]
pub(super) struct Holds {
    by_sender: HashMap<SenderName, Arc<Hold>>,
}

/// One sender and one client that holds it up now and then.
///
/// The client has as much time for that as the most patient of its listeners, in all, until the sender has made
/// progress. So a client that is slow is waited for again and again, and one that only says so is not.
struct Hold {
    client: ClientId,
    record: Arc<SenderRecord>,
    state: Mutex<State>,
}

struct State {
    /// Whether the client said that it has no room, and not yet that it has.
    told: bool,
    /// Since when the gate is held shut.
    since: Option<Instant>,
    /// When it was shut the last time.
    began: Option<Instant>,
    /// How long that may take in all, and how much of it is used up.
    patience: Duration,
    used: Duration,
    /// What the sender had passed on when its gate was last released.
    passed: u64,
}

impl Holds {
    /// The client's listeners have no room for more of this sender's events. Saying so again gives no more time, and
    /// without a listener there is none.
    pub(super) fn hold(&mut self, hub: &Hub, client: ClientId, heard: &Heard, sender: &SenderName, now: Instant) {
        let Some(record) = hub.sender(sender.as_str()) else {
            return;
        };
        let Some(patience) = heard.patience(&record) else {
            return;
        };
        let known = self.by_sender.get(sender);
        let known = known.filter(|hold| Arc::ptr_eq(&hold.record, &record)).cloned();
        let hold = known.unwrap_or_else(|| {
            self.let_go(sender, now);
            // Senders that are gone for good are nobody's to hold up.
            self.by_sender
                .retain(|_, hold| !hold.record.forgotten.load(Ordering::Acquire));
            let hold = Arc::new(Hold::new(client, record));
            self.by_sender.insert(sender.clone(), Arc::clone(&hold));
            hold
        });
        if hold.begin(patience + SLACK, now) {
            let stallable: Arc<dyn Stallable> = hold;
            hub.stalls().add(Arc::downgrade(&stallable));
        }
    }

    /// The client's listeners have room again.
    pub(super) fn let_go(&self, sender: &SenderName, now: Instant) {
        if let Some(hold) = self.by_sender.get(sender) {
            hold.end(now);
        }
    }

    /// A listener is gone: nobody is held up for it.
    pub(super) fn check(&self, heard: &Heard, now: Instant) {
        let idle = self.by_sender.values();
        let idle = idle.filter(|hold| heard.patience(&hold.record).is_none());
        idle.for_each(|hold| hold.end(now));
    }

    /// The client is gone.
    pub(super) fn release_all(&self) {
        let now = clock::now();
        self.by_sender.values().for_each(|hold| hold.end(now));
    }
}

impl Hold {
    fn new(client: ClientId, record: Arc<SenderRecord>) -> Self {
        Self {
            client,
            state: Mutex::new(State {
                told: false,
                since: None,
                began: None,
                patience: Duration::ZERO,
                used: Duration::ZERO,
                passed: record.passed(),
            }),
            record,
        }
    }

    /// The client has no room. True if that holds the sender up from now on.
    fn begin(&self, patience: Duration, now: Instant) -> bool {
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.told, true) {
            return false;
        }
        if self.record.passed().wrapping_sub(state.passed) >= SenderRecord::PROGRESS {
            state.used = Duration::ZERO;
        }
        state.patience = patience;
        if state.used >= patience {
            return false;
        }
        (state.since, state.began) = (Some(now), Some(now));
        drop(state);
        self.record.gate.shut();
        true
    }

    /// The client has room again, or nothing to say any more.
    fn end(&self, now: Instant) {
        let mut state = self.state.lock();
        state.told = false;
        let held = self.stop(&mut state, now);
        drop(state);
        if held {
            self.record.gate.release();
        }
    }

    /// Ends the time; whether the gate is to be released.
    fn stop(&self, state: &mut State, now: Instant) -> bool {
        let Some(since) = state.since.take() else { return false };
        state.used += now.saturating_duration_since(since);
        state.passed = self.record.passed();
        true
    }
}

impl Stallable for Hold {
    fn give_up(&self, now: Instant) -> GivenUp {
        let mut state = self.state.lock();
        let Some(since) = state.since else {
            return GivenUp::NotFull;
        };
        let left = state.patience.saturating_sub(state.used);
        match since.checked_add(left) {
            Some(due) if now >= due => {
                self.stop(&mut state, now);
                GivenUp::Lagging(vec![Arc::clone(&self.record.gate)], None)
            }
            Some(due) => GivenUp::NotYet(due),
            None => GivenUp::NotYet(now + Duration::from_secs(3600)),
        }
    }

    fn laggard(&self) -> (Whose, Option<Instant>) {
        (Whose::Client(self.client), self.state.lock().began)
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a client that holds up {}", self.record.name)
    }
}
