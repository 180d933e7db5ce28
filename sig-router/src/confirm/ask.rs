//! Asking a peer what became of an event, and being asked.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sig_wire::Extension;
use sig_wire::tlv::{CONFIRM_ACCEPTED, CONFIRM_DELIVERED};

use super::{Tally, Wait};
use crate::clock;
use crate::request::deadline_in;

/// How long after the deadline an answer may still come: it must not seem lost while somebody waits.
pub(crate) const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// What is asked about an event, beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    /// What the answer carries.
    pub(crate) id: u64,
    wait: Wait,
    timeout: Duration,
}

impl Ask {
    /// What to ask a peer, for an event that this tally is kept of.
    pub(crate) fn new(id: u64, tally: &Tally) -> Self {
        Self {
            id,
            wait: tally.wait(),
            timeout: tally.time_for_peers(clock::now()),
        }
    }

    /// What this side is asked.
    pub(crate) fn of(extension: &Extension<'_>) -> Option<Self> {
        let Extension::Confirm { id, wait, timeout_ms } = *extension else {
            return None;
        };
        Some(Self {
            id,
            wait: if wait == CONFIRM_ACCEPTED {
                Wait::Accepted
            } else {
                Wait::Delivered
            },
            timeout: Duration::from_millis(timeout_ms.into()),
        })
    }

    /// As it travels.
    pub(crate) fn extension(&self) -> Extension<'static> {
        Extension::Confirm {
            id: self.id,
            wait: match self.wait {
                Wait::Accepted => CONFIRM_ACCEPTED,
                Wait::Delivered | Wait::Blocking => CONFIRM_DELIVERED,
            },
            timeout_ms: u32::try_from(self.timeout.as_millis()).unwrap_or(u32::MAX),
        }
    }

    /// For the answer.
    pub(crate) fn tally(&self) -> Arc<Tally> {
        Tally::new(self.wait, deadline_in(self.timeout))
    }
}

/// Keeps what is asked of a peer.
pub(crate) trait Recall: Send + Sync {
    /// The event never went out: no answer will come.
    fn recall(&self, id: u64);
}

/// Goes with an event until it is sent. Dropped before, the question is taken back.
pub(crate) struct Unsent {
    asker: Weak<dyn Recall>,
    id: u64,
    is_sent: bool,
}

impl Unsent {
    pub(crate) fn new(asker: &Weak<dyn Recall>, ask: &Ask) -> Self {
        Self {
            asker: Weak::clone(asker),
            id: ask.id,
            is_sent: false,
        }
    }

    pub(crate) fn sent(mut self) {
        self.is_sent = true;
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        if self.is_sent {
            return;
        }
        if let Some(asker) = self.asker.upgrade() {
            asker.recall(self.id);
        }
    }
}

impl fmt::Debug for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unsent").field(&self.id).finish()
    }
}
