//! Shared parts of the workspace tests.

pub mod pysig;

/// The programs of docs/PYSIG.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/PYSIG.md")]
mod pysig_page {}
