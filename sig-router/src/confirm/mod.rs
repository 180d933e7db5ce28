//! Triggers that are confirmed: what became of an event, listener by listener.

mod ask;
mod pending;
mod tally;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use ask::{ANSWER_GRACE, Ask, Recall, Unsent};
pub use pending::PendingConfirmation;
pub(crate) use tally::{Receipt, Tally, Wait};

/// What a confirmed trigger waits for; see [`Signal::trigger_confirmed`](crate::Signal::trigger_confirmed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Confirm {
    /// Every listener's queue has taken the event, at the router that hands it out: for a remote sender the one at the
    /// other end of its link.
    Accepted,
    /// Every listener has dealt with the event: its function has returned, or the event was taken from its stream, over
    /// every hop.
    Delivered,
}

/// What became of a confirmed event so far: counts of listeners.
///
/// Each listener counts once for each time that it hears the event. A client's listeners count one by one when it has
/// answered; until then the client counts as one.
///
/// Who waited for [`Confirm::Delivered`] has `delivered + lost + pending` listeners, and `accepted` says how many of them
/// had the event in their queue at some time. Who waited for [`Confirm::Accepted`] has `accepted + lost + pending`, and
/// `delivered` says which of the accepted ones were called on the spot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Confirmation {
    /// Listeners whose queue took the event, or that were called on the spot. What they have dealt with is among them.
    #[serde(default)]
    pub accepted: u64,
    /// Listeners that have dealt with it.
    #[serde(default)]
    pub delivered: u64,
    /// Listeners that will not: their queue had no room or their policy dropped it, they left, their link was lost, or
    /// their function panicked.
    #[serde(default)]
    pub lost: u64,
    /// Listeners of which nothing was known at the deadline, or whose program does not tell.
    #[serde(default)]
    pub pending: u64,
}

impl Confirmation {
    /// Whether what was waited for has come true for every listener: none has lost the event and none is waited for.
    /// That there is no listener at all is complete, too.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost == 0 && self.pending == 0
    }
}

impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            accepted,
            delivered,
            lost,
            pending,
        } = self;
        write!(
            f,
            "{accepted} accepted, {delivered} delivered, {lost} lost, {pending} pending"
        )
    }
}
