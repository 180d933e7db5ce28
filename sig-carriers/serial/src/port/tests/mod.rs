//! Ports on real pseudo-terminals.

mod errors;
mod life;
mod line;
mod world;
