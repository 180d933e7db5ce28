//! The sockets, over every transport and with every library that this build has.

#![allow(
    clippy::unwrap_used,
    reason = "a panic with a line number is what a broken assumption deserves"
)]

mod drafts;
mod ends;
mod errors;
mod forwarder;
mod links;
mod patterns;
mod pubsub;
mod security;
mod world;
