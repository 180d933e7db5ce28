//! What lies between two ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sig_core::Batch;
use tokio::sync::mpsc;

/// Most batches that wait in each direction.
const QUEUE: usize = 64;

/// One end of a pair of queues.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) outgoing: mpsc::Sender<Batch>,
    pub(crate) incoming: mpsc::Receiver<Batch>,
    ours: Arc<AtomicBool>,
    theirs: Arc<AtomicBool>,
}

impl Pipe {
    /// Both ends.
    pub(crate) fn new() -> (Self, Self) {
        let ((to_a, from_b), (to_b, from_a)) = (mpsc::channel(QUEUE), mpsc::channel(QUEUE));
        let (a, b) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let end = |outgoing, incoming, ours: &Arc<AtomicBool>, theirs: &Arc<AtomicBool>| Self {
            outgoing,
            incoming,
            ours: Arc::clone(ours),
            theirs: Arc::clone(theirs),
        };
        (end(to_b, from_b, &a, &b), end(to_a, from_a, &b, &a))
    }

    /// Notes that this end closes on purpose.
    pub(crate) fn say_goodbye(&self) {
        self.ours.store(true, Ordering::Release);
    }

    /// Whether the other end closed on purpose.
    pub(crate) fn heard_goodbye(&self) -> bool {
        self.theirs.load(Ordering::Acquire)
    }
}
