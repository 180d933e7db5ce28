//! There and back, one at a time, all processes on one core: what the path costs, without the price of waking another
//! core, which is the machine's and can be twenty times as much.

use std::time::Duration;

use super::{Budget, Figures, LONGEST, Work, number};
use crate::error::Failure;
use crate::process::cpu_seconds;
use crate::results::Results;
use crate::systems::{Broker, PATIENCE, System, Use};

/// How much shorter turns are than usual, and how many more: a machine that is slower for a second matters more here than elsewhere,
/// and a few thousand trips tell as much as many. Those of a quick run are short as they are.
const fn shorter(budget: Budget) -> usize {
    if budget.quick { 1 } else { 3 }
}

#[derive(Debug)]
pub(super) struct Trips {
    name: &'static str,
    title: &'static str,
    asks: &'static str,
    answers: &'static str,
    needs: Use,
}

impl Trips {
    pub(super) fn events() -> Self {
        Self {
            name: "event-trip",
            title: "64 B event there and another back, all processes on one core",
            asks: "ping",
            answers: "pong",
            needs: Use::Events,
        }
    }

    pub(super) fn requests() -> Self {
        Self {
            name: "request-trip",
            title: "64 B request and its reply, all processes on one core",
            asks: "req",
            answers: "rep",
            needs: Use::Requests,
        }
    }
}

impl Work for Trips {
    fn name(&self) -> &str {
        self.name
    }

    fn title(&self) -> &str {
        self.title
    }

    fn metric(&self) -> (&'static str, bool) {
        ("p50_us", false)
    }

    fn suits(&self, system: &dyn System) -> bool {
        system.has(self.asks)
    }

    fn is_quick(&self, system: &dyn System) -> bool {
        system.name() != "ideal-ipc"
    }

    fn needs(&self) -> Use {
        self.needs
    }

    fn is_pinned(&self) -> bool {
        true
    }

    fn rounds(&self, budget: Budget) -> usize {
        budget.rounds * shorter(budget)
    }

    fn run(&self, system: &dyn System, broker: &Broker, budget: Budget, _: &Results) -> Result<Figures, Failure> {
        let seconds = budget.seconds / shorter(budget) as f64;
        let words = ["--seconds".to_owned(), seconds.to_string()];
        let _answering = if system.is_one_process() {
            None
        } else {
            let mut answering = system.party(self.answers, &broker.url, &[])?;
            answering.ready(PATIENCE)?;
            Some(answering)
        };
        let cpu = || broker.pid().and_then(cpu_seconds);
        let mut asking = system.party(self.asks, &broker.url, &words)?;
        asking.ready(PATIENCE)?;
        let before = cpu();
        let row = asking.row(LONGEST + Duration::from_secs_f64(seconds))?;
        let trips = number(&row, "trips");
        let mut figures = vec![
            ("p50_us", number(&row, "p50_us")),
            ("p99_us", number(&row, "p99_us")),
            ("trips", trips),
        ];
        if let Some((after, before)) = cpu().zip(before) {
            figures.push(("broker_us_per_trip", (after - before) * 1e6 / trips));
        }
        Ok(figures)
    }
}
