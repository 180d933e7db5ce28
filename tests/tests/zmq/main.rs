//! Routers over ZeroMQ, with real pyzmq and beside other carriers.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod bus;
mod clients;
mod credentials;
mod juice;
mod one_liner;
mod peer;
mod predecessors;
mod promised;
mod recipes;
mod secured;
mod sockets;
mod sunflare;
mod together;
mod world;
