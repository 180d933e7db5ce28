//! Confirmed triggers: every listener is counted, over every hop, and nobody waits beyond the deadline.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, a panic with a line number is the right answer to a broken assumption"
)]

mod hops;
mod inside;
mod leaving;
mod losses;
mod many;
mod pysig;
mod wire;
mod world;
