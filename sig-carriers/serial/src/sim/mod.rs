//! A simulated cable with a UART at each end, in the time of tokio: with a paused clock, at any speed of the machine.
//!
//! For tests; nothing here is part of the crate's promises.

mod bits;
mod cable;
mod noise;
#[cfg(test)]
mod tests;

pub use bits::resample;
pub use cable::{Cable, SimLine};
pub use noise::Noise;
