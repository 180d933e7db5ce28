//! What is measured.

mod half;
mod idle;
mod inside;
mod slow;
mod stream;
mod trips;

use std::time::Duration;

pub(crate) use idle::Idle;
pub(crate) use stream::Shape;

use crate::error::Failure;
use crate::results::Results;
use crate::systems::{Broker, Side, System, Use};

/// How long a party may take to say what came of it, beyond the time that it was given.
const LONGEST: Duration = Duration::from_secs(20);

/// What one run came to, by metric.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// How much time there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) rounds: usize,
    /// Of one run of one system.
    pub(crate) seconds: f64,
    pub(crate) quick: bool,
}

/// Something to measure, of every system that can do it.
pub(crate) trait Work {
    /// Its name, in files and filters.
    fn name(&self) -> &str;

    /// What it is, for people.
    fn title(&self) -> &str;

    /// The metric that decides, and whether more of it is better.
    fn metric(&self) -> (&'static str, bool);

    /// Whether the system can do it.
    fn suits(&self, system: &dyn System) -> bool;

    /// Whether a quick run measures the system too. Some are so far behind in most rows that little is lost without them.
    fn is_quick(&self, system: &dyn System) -> bool {
        system.side() != Side::Middle && !["mosquitto", "pysig", "ideal-ipc"].contains(&system.name())
    }

    /// Which broker is needed.
    fn needs(&self) -> Use {
        Use::Events
    }

    /// Whether all processes share one core.
    fn is_pinned(&self) -> bool {
        false
    }

    /// How often, of what is usual.
    fn rounds(&self, budget: Budget) -> usize {
        budget.rounds
    }

    /// Runs it once.
    fn run(&self, system: &dyn System, broker: &Broker, budget: Budget, so_far: &Results) -> Result<Figures, Failure>;
}

/// All of them, in the order of the tables.
pub(crate) fn all() -> Vec<Box<dyn Work>> {
    let mut works: Vec<Box<dyn Work>> = Vec::new();
    for (name, title, shape) in [
        (stream::FIRST, "64 B, 1 -> 1", Shape::default()),
        ("1to8-64", "64 B, 1 -> 8", Shape::default().to(8)),
        ("1to1-1k", "1 KiB, 1 -> 1", Shape::of(1024)),
        ("1to8-1k", "1 KiB, 1 -> 8", Shape::of(1024).to(8)),
        (
            "1to1000-64",
            "64 B, 1 -> 1,000 raw subscribers of one process",
            Shape::default().fan(1000),
        ),
        (
            "100to1-64",
            "64 B, 100 publishers (connections of one process) -> 1",
            Shape::default().from(100),
        ),
    ] {
        works.push(Box::new(stream::Stream::new(name, title, shape)));
    }
    works.push(Box::new(trips::Trips::events()));
    works.push(Box::new(trips::Trips::requests()));
    works.push(Box::new(half::HalfLoad));
    works.push(Box::new(Idle));
    works.push(Box::new(inside::Inside));
    works.push(Box::new(slow::SlowSubscriber));
    works
}

/// A number in a row of figures.
fn number(row: &serde_json::Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or(f64::NAN)
}
