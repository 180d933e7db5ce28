//! The short way of a sender's plain events to another router.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::hub::EventRecord;
use crate::outbox::{Heading, Outbox};
use crate::outlet::{Item, Terms};
use crate::pressure::Gate;

/// The short way of a sender's plain events to another router: straight into the outbox of the link, within credit that
/// the uplink has lent. Whoever holds the sender's lane goes it without the uplink's lock.
#[derive(Debug)]
pub(crate) struct Straight {
    outbox: Arc<Outbox>,
    /// The aliases of the link by this side's.
    aliases: Vec<(u32, u32)>,
    /// What is left of the credit that was lent.
    left: u64,
    /// Whether the link is still the uplink's.
    valid: Arc<AtomicBool>,
}

/// What became of an event on the short way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// It is in the outbox; whether it is [to be sent](Outbox::is_unsent) by whoever put it in.
    Put { unsent: bool },
    /// The link could not take this one.
    Lost,
    /// It has to go the usual way.
    Not,
}

impl Straight {
    pub(crate) fn new(outbox: &Arc<Outbox>, aliases: &[(u32, u32)], lent: u64, valid: &Arc<AtomicBool>) -> Self {
        Self {
            outbox: Arc::clone(outbox),
            aliases: aliases.to_vec(),
            left: lent,
            valid: Arc::clone(valid),
        }
    }

    /// What is left of the credit, if it was lent under this flag.
    pub(crate) fn left(&self, valid: &Arc<AtomicBool>) -> Option<u64> {
        Arc::ptr_eq(&self.valid, valid).then_some(self.left)
    }

    /// Puts an event into the outbox. The one that uses the credit up goes the usual way, which shuts the gate.
    pub(crate) fn put(&mut self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>) -> Passed {
        let cost = item.cost(0, self.outbox.peer().encoding) as u64;
        if cost >= self.left || item.plain().is_none() || !self.valid.load(Ordering::Acquire) {
            return Passed::Not;
        }
        let alias = self.aliases.iter().find(|(local, _)| *local == event.alias);
        let Some((_, alias)) = alias.copied() else {
            return Passed::Not;
        };
        let heading = Heading {
            alias,
            announce: false,
            ask: None,
            prompt: true,
        };
        match self.outbox.offer(heading, event, item, gate, &Terms::OWN) {
            Ok(Some(_)) => {
                self.left -= cost;
                Passed::Put {
                    unsent: self.outbox.is_unsent(),
                }
            }
            Ok(None) if self.outbox.is_closed() => Passed::Not,
            Ok(None) => Passed::Lost,
            Err(error) => {
                item.complaints().add(&self.outbox, error);
                Passed::Lost
            }
        }
    }

    /// The outbox that it leads to.
    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }
}
