//! How a router fares: what its sender `#router` answers and tells, and to whom it is not there.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod asked;
mod documented;
mod hidden;
mod many;
mod pysig;
mod rates;
mod told;
mod unmatched;

use serde::de::DeserializeOwned;
use sig_router::inspect::{Page, Query};
use sig_router::{ClientRouter, EventStream, RemoteEventStream};
use sig_tests::rig::soon;

/// Asks the router at the other end for a list.
async fn ask<T: DeserializeOwned>(client: &ClientRouter, method: &str, query: &Query) -> Page<T> {
    let asked = client.remote_request("#router", method, query);
    soon("the answer", asked).await.unwrap().parse().unwrap()
}

/// The data of the next event.
async fn next<T: DeserializeOwned>(events: &mut EventStream) -> T {
    let event = soon("an event", events.recv()).await.unwrap().unwrap();
    event.decode().unwrap()
}

/// The same from afar.
async fn next_remote<T: DeserializeOwned>(events: &mut RemoteEventStream) -> T {
    let event = soon("an event", events.recv()).await.unwrap().unwrap();
    event.decode().unwrap()
}
