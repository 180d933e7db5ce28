//! Promise 4: a request ends, with a response or a typed error, at its deadline at the latest; and who gives up, or
//! goes, takes the handler along.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod both_ways;
mod bounds;
mod cancelling;
mod deadlines;
mod depth;
mod errors;
mod faults;
mod gone;
mod world;
