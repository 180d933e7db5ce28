//! How deep code of the program calls itself through a router.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// How deep triggers may be nested on one thread, and as much again how deep requests may.
pub(crate) const MAX_NESTING: u32 = 128;

thread_local! {
    /// How deep this thread is in listeners and handlers that are called on the spot.
    static NESTING: Cell<u32> = const { Cell::new(0) };

    /// How deep it is in requests whose handlers are called on the spot.
    static ASKING: Cell<u32> = const { Cell::new(0) };
}

/// Counts the nesting on this thread: of triggers, and of senders that come and go.
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
    poll_fn(|cx| match Asking::enter() {
        Ok(_deeper) => future.as_mut().poll(cx).map(Ok),
        Err(limit) => Poll::Ready(Err(limit)),
    })
    .await
}

/// Counts the requests that are nested on this thread. Apart from triggers: a chain of both goes as deep as either.
struct Asking;

impl Asking {
    fn enter() -> Result<Self, u32> {
        if ASKING.get() >= MAX_NESTING {
            return Err(MAX_NESTING);
        }
        ASKING.set(ASKING.get() + 1);
        Ok(Self)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKING.set(ASKING.get() - 1);
    }
}
