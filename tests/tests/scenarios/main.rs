//! What no predecessor passes: the scenarios W1 to W5, W9 and W11 over links, and that listening is live.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod errors;
mod fragments;
mod inside;
mod live;
mod log_readers;
mod names;
mod ownership;
mod panics;
mod stuck;
mod volume;
