//! Ten thousand clients, each with one listener, that hear nothing.

use std::thread;
use std::time::Duration;

use super::{Budget, Figures, LONGEST, Work, number};
use crate::error::Failure;
use crate::process::{Child, cpu_seconds, resident_kib};
use crate::results::Results;
use crate::systems::{Broker, PATIENCE, System};

/// Heartbeats come every fifteen seconds, so a whole period is watched.
const PERIOD: Duration = Duration::from_secs(15);

const IDLE_CPU: &str = "idle_core_percent";

/// How many there are.
const CLIENTS: u64 = 10_000;

#[derive(Debug)]
pub(crate) struct Idle;

impl Idle {
    /// Connects so many, and tells what that took.
    pub(crate) fn connect(system: &dyn System, broker: &Broker, clients: u64) -> Result<(Child, Figures), Failure> {
        let pid = broker.pid().ok_or_else(|| Failure::new("it has no broker"))?;
        let before = (memory(pid), cpu(pid));
        let words = ["--count".to_owned(), clients.to_string()];
        let mut idle = system.party("idle", &broker.url, &words)?;
        let row = idle.row(LONGEST)?;
        idle.ready(PATIENCE)?;
        let connected = number(&row, "connected");
        let figures = vec![
            ("connect_s", number(&row, "seconds")),
            ("connect_broker_us", (cpu(pid) - before.1) * 1e6 / connected),
            ("kib_per_client", (memory(pid) - before.0) / connected),
        ];
        Ok((idle, figures))
    }
}

fn memory(pid: u32) -> f64 {
    resident_kib(pid).unwrap_or(f64::NAN)
}

fn cpu(pid: u32) -> f64 {
    cpu_seconds(pid).unwrap_or(f64::NAN)
}

/// How much of a core the broker uses, while this long nothing is done.
fn percent_of_a_core(pid: u32, watched: Duration) -> f64 {
    // What connecting left to do is not idleness.
    thread::sleep(Duration::from_secs(1));
    let before = cpu(pid);
    thread::sleep(watched);
    (cpu(pid) - before) * 100.0 / watched.as_secs_f64()
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

    fn is_quick(&self, system: &dyn System) -> bool {
        system.name() != "sig-ipc"
    }

    fn rounds(&self, budget: Budget) -> usize {
        budget.rounds.div_ceil(2)
    }

    fn run(&self, system: &dyn System, _: &Broker, budget: Budget, so_far: &Results) -> Result<Figures, Failure> {
        // A broker that has had clients before has their memory.
        let broker = system.broker(self.needs())?;
        let (mut idle, mut figures) = Self::connect(system, &broker, CLIENTS)?;
        let pid = broker.pid().ok_or_else(|| Failure::new("it has no broker"))?;
        // Once is enough for what takes a whole period, and in a quick run only ours is watched at all.
        let is_watched = so_far.median(self.name(), system.name(), IDLE_CPU).is_none();
        if is_watched && (!budget.quick || system.name() == "sig-tcp") {
            figures.push((IDLE_CPU, percent_of_a_core(pid, PERIOD)));
        }
        if idle.runs() {
            Ok(figures)
        } else {
            Err(idle.failed("has ended"))
        }
    }
}
