//! In no time: routers in one process, and a clock that stands still while anything can be done.

use std::sync::Arc;
use std::time::Duration;

use sig_core::Carrier;

use crate::lines::{FaultyLine, Line};
use crate::patch::Beats;
use crate::steps::Run;
use crate::world::World;

const CLIENTS: u64 = 4;
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// In-process carriers with a heartbeat, as if they were far apart.
pub(crate) fn pair() -> (Arc<dyn Carrier>, Arc<dyn Carrier>) {
    let (hub, dialer) = sig_carrier_local::pair();
    let beats = |inner: Arc<dyn Carrier>| Arc::new(Beats { inner, period: PERIOD });
    (beats(Arc::new(hub)), beats(Arc::new(dialer)))
}

#[tokio::test(start_paused = true)]
async fn promise_3_presence_alternates_and_ends_in_the_truth_in_simulation() {
    let run = Run {
        seed: 1,
        steps: 100_000,
        settle_every: 1000,
        restart_every: 700,
        patience: Duration::from_secs(60),
        pause: Duration::from_secs(2),
    };
    let run = run.overridden();
    fastrand::seed(run.seed);
    let lines = (0..CLIENTS).map(|line| -> Box<dyn Line> {
        let delay = Duration::from_millis(5);
        Box::new(FaultyLine::new(run.seed ^ (line << 32), delay, Box::new(pair)))
    });
    let world = World::new(lines.collect(), Duration::ZERO);
    let totals = run.through(world).await;
    println!("{totals:?}");
    let steps = u64::from(run.steps);
    assert!(
        totals.faults > steps && totals.presence > steps && totals.events > steps / 4,
        "{totals:?}"
    );
}
