//! The same routers for threads without async code: scripts, graphical interfaces, laboratories.
//!
//! Everything has the name that it has in the async interface, and does the same; where that one is awaited, this one
//! parks the thread. What can be told to give up after a while says so: [`EventStream::get`], [`States::wait_for`],
//! [`ClientRouter::ready`], the deadline of a request. What waits without a limit is ended by
//! [`close`](ClientRouter::close) from another thread.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use sig_router::Request;
//! use sig_router::blocking::{ClientRouter, ServerRouter};
//!
//! let hub = Arc::new(sig_carrier_local::Local::new());
//! let server = ServerRouter::new()?;
//! server.attach(hub.clone());
//! let timer = server
//!     .add_sender("timer")
//!     .event("tic")
//!     .request("double", |request: Request| Ok(request.params::<i64>()? * 2))
//!     .connect()?;
//!
//! let client = ClientRouter::connect(Arc::new(hub.dialer()))?;
//! let mut tics = client.listen_remote("timer/tic")?;
//! timer.signal("tic")?.trigger(&"now")?;
//! if let Some(event) = tics.get(Duration::from_secs(1))? {
//!     assert_eq!(event.decode::<String>()?, "now");
//! }
//! let answer: i64 = client.remote_request("timer", "double", &21).wait()?.parse()?;
//! assert_eq!(answer, 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threads
//!
//! A router brings two threads for its links, shared by its clones and by everything that was made with it, and ends them
//! when the last of those is dropped. Dropping never waits, and is allowed everywhere.
//!
//! Listeners and handlers never run on those two. A function that listens runs on the thread that triggers, or, for
//! events from links, on one that it may block for as long as it likes, as a handler may: it may sleep, trigger, ask,
//! listen, and call everything here, on the same router too. At most 128 functions that listen run at a time, and 128
//! handlers; further events wait, further requests are answered with `busy`.
//!
//! # Inside async code
//!
//! Nothing here panics inside async code, where blocking calls of tokio's do. But a call that waits keeps the thread, and
//! with it the worker of the runtime that it is on, so that other tasks of that worker wait as well: in async code use the
//! async interface, or `spawn_blocking`. On a runtime with a single thread, waiting for another task of that runtime is
//! waiting in vain.

mod client;
mod confirm;
mod engine;
mod listener;
mod request;
mod router;
mod sender;
mod server;
mod states;
mod stream;

pub use client::ClientRouter;
pub use confirm::PendingConfirmation;
pub use listener::{Listener, RemoteListener};
pub use request::PendingRequest;
pub use router::Router;
pub use sender::{RemoteSender, Sender, Signal};
pub use server::{CarrierHandle, ServerRouter};
pub use states::States;
pub use stream::{EventStream, GetError, RemoteEventStream};
