//! The same on real links, with the time that it takes.

use std::sync::Arc;
use std::time::Duration;

use sig_core::Carrier;

use crate::lines::{FaultyLine, Line, Make};
use crate::patch::Beats;
use crate::proxied::ProxiedLine;
use crate::steps::Run;
use crate::world::World;

const CLIENTS: u64 = 4;
const PERIOD: Duration = Duration::from_millis(250);

/// What a busy machine may add to what has a deadline.
const SLACK: Duration = Duration::from_secs(2);

async fn run(line: impl FnMut(u64) -> Box<dyn Line>) {
    let run = Run {
        seed: 1,
        steps: 1000,
        settle_every: 200,
        restart_every: 270,
        patience: Duration::from_secs(30),
        pause: Duration::from_millis(400),
    };
    let run = run.overridden();
    let world = World::new((0..CLIENTS).map(line).collect(), SLACK);
    let totals = run.through(world).await;
    println!("{totals:?}");
    assert!(totals.restarts > 2 || run.steps < 1000, "{totals:?}");
    assert!(totals.faults > u64::from(run.steps) / 20, "{totals:?}");
    assert!(totals.presence > u64::from(run.steps) / 5, "{totals:?}");
}

fn faulty(line: u64, make: Make) -> Box<dyn Line> {
    Box::new(FaultyLine::new(line << 32, Duration::ZERO, make))
}

fn beats(inner: impl Carrier) -> Arc<dyn Carrier> {
    let inner = Arc::new(inner);
    Arc::new(Beats { inner, period: PERIOD })
}

#[tokio::test]
async fn promise_3_presence_alternates_and_ends_in_the_truth_over_tcp() {
    run(|_| Box::new(ProxiedLine::new(PERIOD))).await;
}

#[cfg(unix)]
#[tokio::test]
async fn promise_3_presence_alternates_and_ends_in_the_truth_over_local_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let mut count = 0;
    run(|line| {
        let directory = directory.path().to_owned();
        let make = move || {
            count += 1;
            let socket = directory.join(format!("{line}-{count}"));
            let socket = socket.to_str().unwrap();
            let listener = sig_carrier_ipc::listen(socket).unwrap();
            (beats(listener), beats(sig_carrier_ipc::dial(socket).unwrap()))
        };
        faulty(line, Box::new(make))
    })
    .await;
}

#[tokio::test]
async fn promise_3_presence_alternates_and_ends_in_the_truth_in_one_process() {
    run(|line| {
        let make = || {
            let (hub, dialer) = sig_carrier_local::pair();
            (beats(hub), beats(dialer))
        };
        faulty(line, Box::new(make))
    })
    .await;
}
