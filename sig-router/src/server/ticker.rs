//! What depends on time: heartbeats, deadlines, and listeners that do not keep up.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use sig_core::CancellationToken;
use tokio::time::MissedTickBehavior;

use super::Shared;

/// How often all of it is looked after: an eighth of the shortest heartbeat or better.
const TICK: Duration = Duration::from_millis(250);

/// Runs until the server is gone or told to stop.
pub(super) async fn run(shared: Weak<Shared>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let Some(shared) = shared.upgrade() else { return };
        let now = Instant::now();
        shared.hub.stalls().relieve(now);
        // No guard of the table is held while a client is looked after: it may remove itself.
        let clients: Vec<_> = shared.clients.iter().map(|client| Arc::clone(&client)).collect();
        clients.iter().for_each(|client| client.tick(now));
    }
}
