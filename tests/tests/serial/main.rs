//! Boards on serial lines, played at the other ends of pseudo-terminals.

#![cfg(unix)]

mod link;
mod lives;
mod native;
mod shared;
mod world;
