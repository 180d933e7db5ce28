#![doc = include_str!("../README.md")]

#[allow(dead_code, reason = "the carrier and the sockets each use a part")]
mod backend;
mod carrier;
mod error;
mod kind;
mod message;
mod options;
mod security;

pub use error::Error;
pub use kind::Kind;
pub use message::Message;
pub use options::{Heartbeat, Options};
pub use security::{Admission, Credentials, Keypair, PublicKey, Security};
