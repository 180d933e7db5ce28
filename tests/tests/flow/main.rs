//! What events cost those who do not take them, and nobody else: promises 1, 6 and 7, over every hop.
//!
//! Where a test waits for time to pass it does so on a paused clock, over a link inside the process: what it measures is
//! then exact, on however busy a machine.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]
#![allow(clippy::disallowed_methods, reason = "a test awaits its own tasks")]

mod account;
mod at_once;
mod beat;
mod bounds;
mod cuts;
mod frozen;
mod joining;
mod known;
mod large;
mod mixed;
mod newest;
mod pace;
mod panics;
mod slow;
mod stall;
mod virtually;
