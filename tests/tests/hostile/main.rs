//! Bad input on a live server costs its own connection, with a reason, and nobody else anything
//! (promise 10, W10, "what must be shown" 7).

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod documents;
mod frames;
mod greedy;
mod hellos;
mod leavers;
mod neighbour;
mod noise;
mod policies;
mod strangers;
