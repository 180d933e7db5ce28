//! The session layer without its sockets: what two routers agree on, who waits for what, and what goes out when.
//!
//! Pure state machines: time comes in as an [`Instant`](std::time::Instant), randomness as an argument, bytes and
//! decisions come out.

mod backoff;
mod credit;
mod heartbeat;
mod hello;
mod ledger;
mod pacer;
mod parse;
mod replies;
mod secret;
#[cfg(test)]
mod simulation;

pub(crate) mod methods;
pub(crate) mod params;

pub(crate) use backoff::Backoff;
pub use backoff::Reconnect;
pub(crate) use credit::{Credit, Window};
pub(crate) use heartbeat::{Heartbeat, Pulse};
pub(crate) use hello::{CHUNKS, CONFIRM, Goodbye, Hello, Offer, Refuse, Retry, Welcome, abilities, code, negotiate};
pub(crate) use ledger::{Change, Ledger, Want, WantState, Wish};
pub(crate) use pacer::{Next, Pacer};
pub(crate) use parse::{ParamsError, read_params, read_response};
pub(crate) use replies::Replies;
pub(crate) use secret::Secret;
