//! Routers over ZeroMQ, with real pyzmq and beside other carriers.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod clients;
mod credentials;
mod peer;
mod recipes;
mod secured;
mod sockets;
mod together;
mod world;
