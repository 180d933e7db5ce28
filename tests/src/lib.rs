//! Shared parts of the workspace tests.

pub mod boards;
pub mod counted;
pub mod ears;
pub mod log;
pub mod media;
pub mod process;
pub mod proxy;
pub mod pysig;
mod python;
pub mod pyzmq;
pub mod raw;
pub mod rig;
pub mod strangers;
pub mod trips;
pub mod valve;
pub mod wired;

/// The programs of docs/PYSIG.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/PYSIG.md")]
mod pysig_page {}
