//! The real command, run as a user runs it.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, a panic with a line number is the right answer"
)]

mod demo;
mod errors;
#[cfg(unix)]
mod forward;
mod golden;
mod harness;
mod help;
mod inspect;
mod json;
#[cfg(unix)]
mod relay;
mod router;
#[cfg(target_os = "linux")]
mod serial;
mod session;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod zeromq;
