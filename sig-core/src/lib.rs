#![doc = include_str!("../README.md")]

#[cfg(test)]
extern crate self as sig_core;

mod batch;
mod carrier;
mod client;
mod codec;
mod error;
mod link_report;
mod message;
mod name;
mod payload;
mod raw_json;
mod schemes;
mod stream;
mod tasks;
mod topic;
mod uplink;
mod url;
mod value;

pub use async_trait::async_trait;
pub use batch::Batch;
pub use bytes;
pub use carrier::{Carrier, Profile};
pub use client::{Client, ClientId, Credentials, Disconnect, Encoding, Pacing, PeerInfo, Reason, Receiver};
pub use codec::{Codec, DocumentError, Documents, Json};
pub use error::{CarrierError, CodecError, JsonError, NameError};
pub use link_report::{LinkReport, LinkState, Verdict};
pub use message::{Call, EventMessage, Failure, Message, MessageId, Outcome, Reply};
pub use name::{CONNECT, DISCONNECT, EventName, MAX_NAME, SenderName};
pub use payload::Payload;
pub use raw_json::RawJson;
pub use schemes::{CarrierFactory, Schemes};
pub use sig_wire::ContentType;
pub use stream::{Dialect, Halves, Link, Medium, StreamCarrier};
pub use tasks::{NoRuntime, Tasks};
pub use tokio_util::sync::CancellationToken;
pub use topic::Topic;
pub use uplink::{Inbound, Uplink};
pub use url::CarrierUrl;
pub use value::Value;

/// Most bytes of one frame before the hello.
pub const HELLO_MAX_FRAME: usize = 64 * 1024;

/// Most bytes of one frame after the hello, unless a carrier says otherwise.
pub const DEFAULT_MAX_FRAME: usize = 16 * 1024 * 1024;

/// Compiles the code in the guide for carrier authors.
#[cfg(doctest)]
#[doc = include_str!("../../docs/CARRIERS.md")]
struct CarriersPage;
