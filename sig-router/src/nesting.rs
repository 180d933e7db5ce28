//! How deep code of the program calls itself through a router.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// How deep triggers and requests may be nested on one thread.
pub(crate) const MAX_NESTING: u32 = 128;

thread_local! {
    /// How deep this thread is in listeners and handlers that are called on the spot.
    static NESTING: Cell<u32> = const { Cell::new(0) };
}

/// Counts the nesting on this thread: of triggers, of senders that come and go, of requests.
#[derive(Debug)]
pub(crate) struct Nesting;

impl Nesting {
    /// One level deeper, or the limit that forbids it.
    pub(crate) fn enter() -> Result<Self, u32> {
        if NESTING.get() >= MAX_NESTING {
            return Err(MAX_NESTING);
        }
        Ok(Self::go_on())
    }

    /// One level deeper, for what cannot be refused.
    pub(crate) fn go_on() -> Self {
        NESTING.set(NESTING.get() + 1);
        Self
    }
}

impl Drop for Nesting {
    fn drop(&mut self) {
        NESTING.set(NESTING.get() - 1);
    }
}

/// Runs a future each of whose polls is one level deeper; `Err` is the limit that forbids it.
pub(crate) async fn nested<F: Future>(future: F) -> Result<F::Output, u32> {
    let mut future = pin!(future);
    poll_fn(|cx| match Nesting::enter() {
        Ok(_deeper) => future.as_mut().poll(cx).map(Ok),
        Err(limit) => Poll::Ready(Err(limit)),
    })
    .await
}
