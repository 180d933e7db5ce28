//! `sig_router::blocking`, as programs without async code use it, and functions that block.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, a panic with a line number is the right answer to a broken assumption"
)]

mod closing;
mod everything;
mod inside;
mod mirror;
mod stuck;
mod support;
mod timing;
