//! What holds inside one process beyond pysig: the promises of docs/DESIGN.md, and scenarios that no predecessor passes.

#![allow(
    clippy::unwrap_used,
    reason = "a panic with a line number is what a test wants, in its helpers too"
)]

mod callbacks;
mod guards;
mod names;
mod requests;
mod streams;

use futures::FutureExt as _;
use sig_router::{Event, EventStream, Lagged, Router, Sender};

fn sender(router: &Router, name: &str, events: &[&str]) -> Sender {
    router.add_sender(name).events(events).connect().unwrap()
}

/// What waits in a stream.
fn drain(stream: &mut EventStream) -> Vec<Result<Event<'static>, Lagged>> {
    std::iter::from_fn(|| stream.recv().now_or_never().flatten()).collect()
}

fn numbers(stream: &mut EventStream) -> Vec<u64> {
    drain(stream).into_iter().map(|event| event.unwrap().number()).collect()
}
