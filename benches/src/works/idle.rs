//! Ten thousand clients, each with one listener, that hear nothing.

use std::thread;
use std::time::Duration;

use super::{Budget, Figures, LONGEST, Work, number};
use crate::error::Failure;
use crate::process::{cpu_seconds, resident_kib};
use crate::results::Results;
use crate::systems::{Broker, PATIENCE, System};

/// Heartbeats come every fifteen seconds, so a whole period is watched.
const PERIOD: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Idle;

impl Idle {
    /// Connects so many and watches the broker for this long.
    pub(crate) fn watch(
        system: &dyn System,
        broker: &Broker,
        clients: u64,
        watched: Duration,
    ) -> Result<Figures, Failure> {
        let pid = broker.pid().ok_or_else(|| Failure::new("it has no broker"))?;
        let memory = || resident_kib(pid).unwrap_or(f64::NAN);
        let cpu = || cpu_seconds(pid).unwrap_or(f64::NAN);
        let (memory_before, cpu_before) = (memory(), cpu());
        let words = ["--count".to_owned(), clients.to_string()];
        let mut idle = system.party("idle", &broker.url, &words)?;
        let row = idle.row(LONGEST)?;
        idle.ready(PATIENCE)?;
        let (memory_after, cpu_after) = (memory(), cpu());
        let connected = number(&row, "connected");
        let mut figures = vec![
            ("connect_s", number(&row, "seconds")),
            ("connect_broker_us", (cpu_after - cpu_before) * 1e6 / connected),
            ("kib_per_client", (memory_after - memory_before) / connected),
        ];
        if !watched.is_zero() {
            // What connecting left to do is not idleness.
            thread::sleep(Duration::from_secs(1));
            let before = cpu();
            thread::sleep(watched);
            figures.push(("idle_core_percent", (cpu() - before) * 100.0 / watched.as_secs_f64()));
            figures.push(("kib_per_client_later", (memory() - memory_before) / connected));
        }
        if !idle.runs() {
            return Err(idle.failed("has ended"));
        }
        Ok(figures)
    }
}

impl Work for Idle {
    fn name(&self) -> &str {
        "idle"
    }

    fn title(&self) -> &str {
        "10,000 idle clients, each with one listener"
    }

    fn metric(&self) -> (&'static str, bool) {
        ("kib_per_client", false)
    }

    fn suits(&self, system: &dyn System) -> bool {
        system.has("idle")
    }

    fn rounds(&self, budget: Budget) -> usize {
        if budget.quick { 1 } else { 2 }
    }

    fn run(&self, system: &dyn System, broker: &Broker, budget: Budget, _: &Results) -> Result<Figures, Failure> {
        let watched = if budget.quick { Duration::ZERO } else { 2 * PERIOD };
        // A quick run still shows the heartbeats of ours.
        let watched = if budget.quick && system.name() == "sig-tcp" {
            PERIOD
        } else {
            watched
        };
        Self::watch(system, broker, 10_000, watched)
    }
}
