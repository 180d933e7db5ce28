//! What depends on time: heartbeats, deadlines, and listeners that do not keep up.

use std::sync::{Arc, Weak};
use std::time::Duration;

use sig_core::CancellationToken;
use tokio::time::sleep;

use super::Shared;
use crate::clock;
use crate::peer::TICK;

/// Runs until the server is gone or told to stop.
pub(super) async fn run(shared: Weak<Shared>, stop: CancellationToken) {
    let mut pause = TICK;
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        let Some(shared) = shared.upgrade() else { return };
        let now = clock::now();
        // No guard of the table is held while a client is looked after: it may remove itself.
        let clients: Vec<_> = shared.clients.iter().map(|client| Arc::clone(&client)).collect();
        pause = clients.iter().map(|client| client.tick(now)).fold(TICK, Duration::min);
    }
}
