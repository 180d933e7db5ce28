//! Senders that a client holds up, because its own listeners have no room; not for ever.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sig_core::{ClientId, SenderName};

use crate::clock;
use crate::hub::Hub;
use crate::pressure::{Gate, GivenUp, Stallable, Whose};

/// How long a client may hold a sender up in one go. Longer than it gives its own listeners.
const PATIENCE: Duration = Duration::from_secs(7);

/// The senders that one client holds up, or did until it had no more time.
#[derive(Debug, Default)]
pub(super) struct Holds {
    by_sender: HashMap<SenderName, Arc<Hold>>,
}

/// One sender that a client holds up.
struct Hold {
    client: ClientId,
    sender: SenderName,
    since: Instant,
    gate: Arc<Gate>,
    /// Whether it does so still.
    active: AtomicBool,
}

impl Holds {
    /// The client's listeners have no room for more of this sender's events. Saying so again gives no more time.
    pub(super) fn hold(&mut self, hub: &Hub, client: ClientId, sender: SenderName) {
        let Some(record) = hub.sender(sender.as_str()) else {
            return;
        };
        let known = self.by_sender.get(&sender);
        if known.is_some_and(|hold| Arc::ptr_eq(&hold.gate, &record.gate)) {
            return;
        }
        self.let_go(&sender);
        // Senders that are gone for good are nobody's to hold up.
        self.by_sender.retain(|_, hold| Arc::strong_count(&hold.gate) > 1);
        record.gate.shut();
        let hold = Arc::new(Hold {
            client,
            sender: sender.clone(),
            since: clock::now(),
            gate: Arc::clone(&record.gate),
            active: AtomicBool::new(true),
        });
        let stallable: Arc<dyn Stallable> = hold.clone();
        hub.stalls().add(Arc::downgrade(&stallable));
        self.by_sender.insert(sender, hold);
    }

    /// The client's listeners have room again.
    pub(super) fn let_go(&mut self, sender: &SenderName) {
        if let Some(hold) = self.by_sender.remove(sender) {
            hold.release();
        }
    }

    /// The client is gone.
    pub(super) fn release_all(&self) {
        self.by_sender.values().for_each(|hold| hold.release());
    }
}

impl Hold {
    fn end(&self) -> bool {
        self.active.swap(false, Ordering::AcqRel)
    }

    fn release(&self) {
        if self.end() {
            self.gate.release();
        }
    }
}

impl Stallable for Hold {
    fn give_up(&self, now: Instant) -> GivenUp {
        let due = self.since + PATIENCE;
        if !self.active.load(Ordering::Acquire) {
            GivenUp::NotFull
        } else if now < due {
            GivenUp::NotYet(due)
        } else if self.end() {
            GivenUp::Lagging(vec![Arc::clone(&self.gate)], None)
        } else {
            GivenUp::NotFull
        }
    }

    fn laggard(&self) -> (Whose, Option<Instant>) {
        (Whose::Client(self.client), Some(self.since))
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a client that holds up {}", self.sender)
    }
}
