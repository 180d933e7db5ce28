//! Closing a router by a deadline, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::outbox::{Outbox, Tally};

/// Nobody waits longer than this.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How much of the grace period is kept for the tasks to end by themselves, at most: what is left of it then is cut off.
const STOPPING: Duration = Duration::from_millis(50);

/// What came of closing a router: [`ServerRouter::close`](crate::ServerRouter::close) and
/// [`ClientRouter::close`](crate::ClientRouter::close) give it.
///
/// The counts are of events on their way to other routers, once for each of them, and add up: every event that waited
/// when closing began, or was still taken until the goodbye, is either flushed or dropped. Events that wait in this
/// program's own streams are in neither; they can still be taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// Events that were handed to the carriers. A peer that answers events, as pysig does, has answered these.
    pub flushed: u64,
    /// Events that were not, because the peer did not take them in time or its link broke. Of those in the very write
    /// that was cut off, the peer may have got some. And events that a remote sender kept for a link, as
    /// [`Offline`](crate::Offline) says.
    pub dropped: u64,
    /// Tasks that did not end by themselves and were cut off.
    pub aborted: usize,
}

/// The end of a router, from its beginning.
#[derive(Debug)]
pub(crate) struct Closing {
    deadline: Instant,
    stopping: Duration,
    outboxes: Vec<(Arc<Outbox>, Tally)>,
}

impl Closing {
    /// Closing begins, with what waits in these outboxes.
    pub(crate) fn begin(grace: Duration, outboxes: impl IntoIterator<Item = Arc<Outbox>>) -> Self {
        let grace = grace.min(LONGEST);
        let outboxes = outboxes.into_iter().map(|outbox| {
            let before = outbox.tally();
            (outbox, before)
        });
        Self {
            deadline: Instant::now() + grace,
            stopping: STOPPING.min(grace / 10),
            outboxes: outboxes.collect(),
        }
    }

    /// Does something that may take as long as peers may take what waits for them. False if it did not end in time.
    pub(crate) async fn in_time(&self, what: impl Future<Output = ()>) -> bool {
        tokio::time::timeout_at(self.deadline - self.stopping, what)
            .await
            .is_ok()
    }

    /// How much time is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Closing is over: what still waits is dropped.
    pub(crate) fn end(self, aborted: usize) -> Closed {
        let mut closed = Closed {
            aborted,
            ..Closed::default()
        };
        for (outbox, before) in self.outboxes {
            outbox.close();
            let after = outbox.tally();
            closed.flushed += after.flushed - before.flushed;
            closed.dropped += after.dropped - before.dropped;
        }
        closed
    }
}
