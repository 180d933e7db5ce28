//! Routers over ZeroMQ, with real pyzmq and beside other carriers.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod clients;
mod credentials;
mod one_liner;
mod peer;
mod promised;
mod recipes;
mod secured;
mod sockets;
mod together;
mod world;
