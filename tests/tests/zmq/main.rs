//! Routers over ZeroMQ, with real pyzmq and beside other carriers.

mod clients;
mod together;
mod world;
