//! What a listener that comes late is given first: last values, and who is there.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod ages;
mod last_value;
mod numbers;
mod presence;

use sig_router::{Event, RemoteEventStream};
use sig_tests::rig::soon;

/// The next event of a stream.
async fn next(stream: &mut RemoteEventStream) -> Event<'static> {
    soon("an event", stream.recv())
        .await
        .expect("the router lives")
        .expect("nothing is lost")
}
