//! Functions of the program that may block the thread they run on.

use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Most functions of one router that may block at the same time. More wait for their turn, so that those that block leave
/// threads for the links: a runtime has 512 for what blocks, unless told otherwise.
const MAX_BLOCKING: usize = 128;

/// Leave for functions to block their thread, for those that were called because of what came over a link.
///
/// Where the runtime has several workers, the other work of the thread moves to another one meanwhile, links and timers
/// above all. That costs some microseconds each time.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

/// One function's leave to block.
#[must_use]
pub(crate) struct Turn<'a>(SemaphorePermit<'a>);

impl Turns {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BLOCKING)))
    }

    /// Whether this task's runtime has another thread for the work that is in the way.
    pub(crate) fn has_workers() -> bool {
        Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() != RuntimeFlavor::CurrentThread)
    }

    /// Waits for its turn.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has lost its place and nothing else.
    pub(crate) async fn next(&self) -> Turn<'_> {
        match self.0.acquire().await {
            Ok(permit) => Turn(permit),
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// A turn that is free now. For those whom somebody with a turn may be waiting for: were they to wait too, it would be
    /// for each other.
    pub(crate) fn free(&self) -> Option<Turn<'_>> {
        self.0.try_acquire().ok().map(Turn)
    }
}

impl Turn<'_> {
    /// Runs the function. Where there are [workers](Turns::has_workers) alone.
    pub(crate) fn run<T>(self, function: impl FnOnce() -> T) -> T {
        let result = tokio::task::block_in_place(function);
        drop(self.0);
        result
    }
}
