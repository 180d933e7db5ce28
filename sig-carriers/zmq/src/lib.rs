#![doc = include_str!("../README.md")]

#[allow(dead_code, reason = "the carrier and the sockets each use a part")]
mod backend;
mod carrier;
mod error;
mod forwarder;
mod frame;
mod kind;
mod message;
mod options;
mod pubsub;
mod security;
mod socket;

pub use backend::{Link, LinkEvent, Monitor};
pub use carrier::{Dialer, Listener, ZmqFactory, dial, listen};
pub use error::Error;
pub use forwarder::{Builder as ForwarderBuilder, Count, Direction, Forwarder, Passing, Pattern, Statistics, Topics};
pub use frame::Frame;
pub use kind::Kind;
pub use message::Message;
pub use options::{Heartbeat, Library, Options};
pub use pubsub::{Published, Publisher, Subscriber, blocking};
pub use security::{Admission, Credentials, Keypair, PublicKey, Security};
pub use socket::{Endpoint, Socket};
