//! Whole routers in a world that goes wrong at random: who is there is told in the right order, and in the end it is the
//! truth (promises 1, 3, 4 and 5).
//!
//! A run has a seed, which a failure prints; `SIG_SEED=n` runs that one again, and `SIG_STEPS=n` says how long.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]
#![allow(clippy::disallowed_methods, reason = "what a test begins ends with its runtime")]

mod lines;
mod patch;
mod proxied;
mod really;
mod silence;
mod steps;
mod told;
mod virtually;
mod watcher;
mod world;
