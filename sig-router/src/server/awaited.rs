//! The replies of a client that are waited for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use sig_core::{Outcome, Reply, SenderName};
use tokio::sync::oneshot;

use crate::confirm::Receipt;
use crate::error::RequestError;
use crate::peer::Asked;
use crate::session::Replies;

/// Most calls to one client that may wait for their reply.
const MAX_WAITING: usize = 64 * 1024;

/// What a reply is waited for.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A request of this program to one of the client's senders.
    Request(oneshot::Sender<Outcome>),
    /// One of another client.
    PassedOn(Box<Asked>),
    /// An event that a pysig client acknowledges, and that somebody may wait for.
    Event(Option<Receipt>),
    /// What became of an event at a client that tells.
    Asked(Receipt),
}

/// The calls to one client whose replies are waited for. What is taken out is the caller's to drop, without a lock:
/// it may own what the program gave.
#[derive(Debug)]
pub(super) struct Awaited {
    replies: Mutex<Replies<Waiting>>,
    /// Answers that nobody waited for any more.
    late: AtomicU64,
}

impl Default for Awaited {
    fn default() -> Self {
        Self {
            replies: Mutex::new(Replies::new(MAX_WAITING)),
            late: AtomicU64::new(0),
        }
    }
}

impl Awaited {
    /// Notes that a reply is waited for; gives back for what when too many are.
    pub(super) fn add(&self, what: Waiting, deadline: Instant) -> Result<u64, Waiting> {
        self.replies.lock().insert(what, deadline)
    }

    /// Whether the reply to this call is still waited for.
    pub(super) fn has(&self, id: u64) -> bool {
        self.replies.lock().is_waited_for(id)
    }

    /// The reply to this call is not waited for any more.
    pub(super) fn take(&self, id: u64) -> Option<Waiting> {
        self.replies.lock().take(id)
    }

    /// Takes out what other clients asked of this sender.
    pub(super) fn take_asked(&self, sender: &SenderName) -> Vec<(u64, Waiting)> {
        let is_meant = |waiting: &Waiting| matches!(waiting, Waiting::PassedOn(asked) if asked.sender() == sender);
        self.replies.lock().take_those(is_meant)
    }

    /// Takes out those whose time is up; gives when the next one's is, too.
    pub(super) fn expire(&self, now: Instant) -> (Vec<(u64, Waiting)>, Option<Instant>) {
        let mut replies = self.replies.lock();
        (replies.expire(now), replies.next_deadline())
    }

    /// Whoever waits for a reply learns that none will come.
    pub(super) fn end(&self) {
        let waiting = self.replies.lock().close();
        drop(waiting);
    }

    /// The client's queue took the event that this reply is waited for.
    pub(super) fn accepted(&self, id: u64) {
        match self.replies.lock().get_mut(id) {
            Some(Waiting::Event(receipt)) => *receipt = receipt.take().and_then(Receipt::accepted),
            Some(Waiting::Asked(receipt)) => receipt.note_accepted(),
            Some(Waiting::Request(_) | Waiting::PassedOn(_)) | None => {}
        }
    }

    /// Hands a reply to whoever waits for it; a late one is counted and dropped (P45).
    pub(super) fn answer(&self, reply: Reply) {
        let Some(id) = reply.id.number() else { return };
        let (waiting, was_given) = {
            let mut replies = self.replies.lock();
            (replies.take(id), replies.was_given(id))
        };
        match waiting {
            Some(Waiting::Request(asker)) => drop(asker.send(reply.outcome)),
            Some(Waiting::PassedOn(asked)) => asked.pass_back(reply.outcome),
            Some(Waiting::Event(receipt)) => {
                // A listener of pysig's that raised says so.
                if let (Some(receipt), Outcome::Done(_)) = (receipt, reply.outcome) {
                    receipt.delivered();
                }
            }
            Some(Waiting::Asked(receipt)) => receipt.take_answer(&reply.outcome),
            None if was_given && !RequestError::is_given_up(&reply.outcome) => {
                self.late.fetch_add(1, Ordering::Relaxed);
            }
            None => {}
        }
    }

    /// How many answers came that nobody waited for any more.
    pub(super) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }
}
