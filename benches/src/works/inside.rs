//! Triggers inside one process.

use super::{Budget, Figures, LONGEST, Work, number};
use crate::error::Failure;
use crate::results::Results;
use crate::systems::{Broker, System};

const METRICS: [&str; 8] = [
    "one_listener_ns",
    "one_listener_async_ns",
    "further_listener_ns",
    "stream_elsewhere_ns",
    "stream_here_ns",
    "remote_elsewhere_ns",
    "remote_here_ns",
    "atomic_ns",
];

#[derive(Debug)]
pub(super) struct Inside;

impl Work for Inside {
    fn name(&self) -> &str {
        "in-process"
    }

    fn title(&self) -> &str {
        "a cached signal of a &u64 inside one process, listeners called on the spot"
    }

    fn metric(&self) -> (&'static str, bool) {
        (METRICS[0], false)
    }

    fn suits(&self, system: &dyn System) -> bool {
        system.is_one_process()
    }

    fn run(&self, system: &dyn System, broker: &Broker, _: Budget, _: &Results) -> Result<Figures, Failure> {
        let row = system.party("inside", &broker.url, &[])?.row(LONGEST)?;
        Ok(METRICS.map(|metric| (metric, number(&row, metric))).into())
    }
}
