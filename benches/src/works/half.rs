//! How long a delivery takes while there is room: at half of what the best peer can do at most, the same for all.

use super::stream::{Shape, best_peer};
use super::{Budget, Figures, Work};
use crate::error::Failure;
use crate::results::Results;
use crate::systems::{Broker, System};

/// Where no peer was measured.
const USUAL: f64 = 500_000.0;

#[derive(Debug)]
pub(super) struct HalfLoad;

impl Work for HalfLoad {
    fn name(&self) -> &str {
        "half-load"
    }

    fn title(&self) -> &str {
        "64 B, 1 -> 1, latency of a delivery at half of the best peer's rate"
    }

    fn metric(&self) -> (&'static str, bool) {
        ("delivery_p99_us", false)
    }

    fn suits(&self, system: &dyn System) -> bool {
        // Those that are far slower would only show that they are.
        !["mosquitto", "pysig"].contains(&system.name()) && Shape::default().suits(system)
    }

    fn run(&self, system: &dyn System, broker: &Broker, budget: Budget, so_far: &Results) -> Result<Figures, Failure> {
        let rate = best_peer(so_far).unwrap_or(USUAL) / 2.0;
        let shape = Shape {
            rate: Some(rate),
            ..Shape::default()
        };
        let mut figures = shape.run_for(system, broker, budget.seconds)?;
        figures.push(("rate", rate));
        Ok(figures)
    }
}
