#![doc = include_str!("../README.md")]

pub mod blocking;
mod burst;
mod chunks;
mod client;
mod clock;
mod closed;
mod complaints;
mod confirm;
mod error;
mod event;
mod few;
mod flow;
mod hub;
pub mod inspect;
mod listen;
mod listener;
mod nesting;
mod outbox;
mod outlet;
mod peer;
mod policy;
mod pressure;
mod queue;
mod request;
mod router;
mod run;
mod sender;
mod server;
mod session;
mod signal;
mod stall;
mod straight;
mod turns;
mod wait;

pub use client::{
    ClientBuilder, ClientRouter, LinkState, Offline, RemoteEventStream, RemoteListener, RemoteSender, RemoteSenderInfo,
    SenderState,
};
pub use closed::Closed;
pub use confirm::{Confirm, Confirmation, PendingConfirmation};
pub use error::{AddSenderError, ListenError, RequestError, RouterError, SignalError, TriggerError};
pub use event::{Event, Lagged, Presence};
pub use hub::SenderInfo;
pub use listen::Listen;
pub use listener::{EventStream, Listener};
pub use policy::Policy;
pub use queue::ListenerStats;
pub use request::{DEFAULT_TIMEOUT, HandlerError, Request};
pub use router::{PendingRequest, Router};
pub use sender::{Sender, SenderBuilder};
pub use server::{CarrierHandle, CarrierState, ClientInfo, DEFAULT_GRACE, ServerBuilder, ServerRouter};
pub use session::Reconnect;
pub use sig_core;
pub use sig_core::{EventName, NameError, Payload, RawJson, SenderName, Topic, Value};
pub use signal::Signal;
