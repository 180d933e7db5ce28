//! Publishers that are faster than their listeners: nothing is lost that need not be, everything that is lost is
//! counted, and nobody pays for somebody else (promise 6).

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod frozen;
mod outrun;
mod tally;
