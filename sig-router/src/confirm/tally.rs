//! Counting who has dealt with an event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sig_core::Outcome;
use tokio::sync::Notify;

use super::{Confirm, Confirmation};
use crate::policy::Policy;

/// How much earlier than this side a peer is asked to answer, at most: its answer takes time to come, and is better than
/// none.
const MARGIN: Duration = Duration::from_millis(250);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Every queue took it.
    Accepted,
    /// Every listener has dealt with it.
    Delivered,
    /// Every listener that holds up senders has dealt with it: what pysig's triggers wait for (P63).
    Blocking,
}

impl From<Confirm> for Wait {
    fn from(confirm: Confirm) -> Self {
        match confirm {
            Confirm::Accepted => Self::Accepted,
            Confirm::Delivered => Self::Delivered,
        }
    }
}

/// What became of one event. Everyone who has to deal with it has a [`Receipt`]; when none is out any more, whoever waits
/// is woken.
#[derive(Debug)]
pub(crate) struct Tally {
    wait: Wait,
    deadline: Instant,
    counts: Mutex<Counts>,
    settled: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Receipts that are out.
    open: u64,
    /// What is known for good; `pending` are those that other routers have stopped waiting for.
    told: Confirmation,
}

impl Tally {
    /// Nobody has to deal with the event yet.
    pub(crate) fn new(wait: Wait, deadline: Instant) -> Arc<Self> {
        Arc::new(Self {
            wait,
            deadline,
            counts: Mutex::default(),
            settled: Notify::new(),
        })
    }

    pub(crate) fn wait(&self) -> Wait {
        self.wait
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How long a peer may take to answer.
    pub(crate) fn time_for_peers(&self, now: Instant) -> Duration {
        let left = self.deadline.saturating_duration_since(now);
        left - (left / 8).min(MARGIN)
    }

    /// For one more listener, under this policy, that has to deal with the event; `None` when nobody waits for such a
    /// one.
    pub(crate) fn receipt(self: &Arc<Self>, policy: Policy) -> Option<Receipt> {
        if self.wait == Wait::Blocking && !policy.blocks() {
            return None;
        }
        self.counts.lock().open += 1;
        Some(Receipt {
            tally: Arc::clone(self),
            accepted: false,
            settled: false,
        })
    }

    /// The counts so far.
    pub(crate) fn confirmation(&self) -> Confirmation {
        let Counts { open, told } = *self.counts.lock();
        Confirmation {
            pending: told.pending.saturating_add(open),
            ..told
        }
    }

    /// Whether nobody is waited for.
    pub(crate) fn is_settled(&self) -> bool {
        self.counts.lock().open == 0
    }

    /// Waits until nobody is waited for any more.
    pub(crate) async fn settled(&self) {
        loop {
            let settled = self.settled.notified();
            if self.is_settled() {
                return;
            }
            settled.await;
        }
    }

    /// The counts when nobody is waited for any more, or at the deadline.
    pub(crate) async fn result(&self) -> Confirmation {
        // In time or not.
        let _ = tokio::time::timeout_at(self.deadline.into(), self.settled()).await;
        self.confirmation()
    }

    /// Nobody was there to deal with the event, though somebody was wanted.
    pub(crate) fn lost_if_nobody_took_it(&self) {
        let mut counts = self.counts.lock();
        if counts.open == 0 && counts.told == Confirmation::default() {
            counts.told.lost = 1;
        }
    }

    fn settle(&self, count: impl FnOnce(&mut Confirmation)) {
        let mut counts = self.counts.lock();
        count(&mut counts.told);
        counts.open -= 1;
        let is_settled = counts.open == 0;
        drop(counts);
        if is_settled {
            self.settled.notify_waiters();
        }
    }
}

/// Kept by one who has to deal with an event. Dropped without a word, the event is lost to it.
#[derive(Debug)]
pub(crate) struct Receipt {
    tally: Arc<Tally>,
    accepted: bool,
    settled: bool,
}

impl Receipt {
    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// A queue took the event. Gives the receipt back if more is waited for.
    pub(crate) fn accepted(mut self) -> Option<Self> {
        if self.tally.wait != Wait::Accepted {
            self.note_accepted();
            return Some(self);
        }
        self.settle(|told| told.accepted = told.accepted.saturating_add(1));
        None
    }

    /// The same, where more is waited for in any case.
    pub(crate) fn note_accepted(&mut self) {
        if !std::mem::replace(&mut self.accepted, true) {
            let told = &mut self.tally.counts.lock().told;
            told.accepted = told.accepted.saturating_add(1);
        }
    }

    /// The listener has dealt with the event.
    pub(crate) fn delivered(mut self) {
        let accepted = u64::from(!self.accepted);
        self.settle(|told| {
            told.accepted = told.accepted.saturating_add(accepted);
            told.delivered = told.delivered.saturating_add(1);
        });
    }

    /// The event went to another router, and this is what became of it there.
    pub(crate) fn answered(mut self, answer: Confirmation) {
        let accepted = u64::from(self.accepted);
        self.settle(|told| {
            // It counted as one until now.
            told.accepted = (told.accepted - accepted).saturating_add(answer.accepted);
            told.delivered = told.delivered.saturating_add(answer.delivered);
            told.lost = told.lost.saturating_add(answer.lost);
            told.pending = told.pending.saturating_add(answer.pending);
        });
    }

    /// The answer of another router that the event went to.
    pub(crate) fn take_answer(self, outcome: &Outcome) {
        // One that failed, or knows no such thing, has not handed it on.
        let Outcome::Done(response) = outcome else { return };
        match response.parse() {
            Ok(answer) => self.answered(answer),
            Err(_) => self.unknown(),
        }
    }

    /// The event went to a router that does not tell what became of it.
    pub(crate) fn unknown(self) {
        self.answered(Confirmation {
            accepted: 1,
            pending: 1,
            ..Confirmation::default()
        });
    }

    fn settle(&mut self, count: impl FnOnce(&mut Confirmation)) {
        self.settled = true;
        self.tally.settle(count);
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.settled {
            self.settle(|told| told.lost = told.lost.saturating_add(1));
        }
    }
}
