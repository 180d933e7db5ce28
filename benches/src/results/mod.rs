//! What came out.

mod curve;
mod document;
mod json;
mod musts;
mod plot;
mod style;
mod summary;
mod table;

use std::collections::BTreeMap;
use std::iter::zip;

pub(crate) use curve::{show as show_curve, write as write_curves};
pub(crate) use document::write as write_document;
pub(crate) use json::write as write_json;
pub(crate) use musts::show as show_musts;
pub(crate) use plot::write as write_plot;
pub(crate) use summary::show as show_summary;
pub(crate) use table::show as show_table;

use crate::error::Failure;
use crate::systems::Side;
use crate::works::Figures;

/// The values of all rounds, by work, system and metric.
#[derive(Debug, Default)]
pub(crate) struct Results {
    values: BTreeMap<String, Vec<OfSystem>>,
    /// What failed: work, system and why.
    pub(crate) failures: Vec<(String, &'static str, String)>,
}

/// What one system came to in one work.
#[derive(Debug)]
pub(crate) struct OfSystem {
    pub(crate) name: &'static str,
    pub(crate) side: Side,
    /// In the order in which they were first seen.
    pub(crate) metrics: Vec<(&'static str, Vec<f64>)>,
}

impl Results {
    /// Adds what one run came to.
    pub(crate) fn add(&mut self, work: &str, name: &'static str, side: Side, figures: &Figures) {
        let systems = self.values.entry(work.to_owned()).or_default();
        if !systems.iter().any(|system| system.name == name) {
            systems.push(OfSystem {
                name,
                side,
                metrics: Vec::new(),
            });
        }
        let Some(system) = systems.iter_mut().find(|system| system.name == name) else {
            return;
        };
        for (metric, value) in figures {
            match system.metrics.iter_mut().find(|(known, _)| known == metric) {
                Some((_, values)) => values.push(*value),
                None => system.metrics.push((metric, vec![*value])),
            }
        }
    }

    /// A failure if anything failed.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        match self.failures.len() {
            0 => Ok(()),
            failed => Err(Failure::new(format!("{failed} failed, see above"))),
        }
    }

    /// The systems that a work was measured with.
    pub(crate) fn of(&self, work: &str) -> &[OfSystem] {
        self.values.get(work).map_or(&[], Vec::as_slice)
    }

    /// The median of a metric.
    pub(crate) fn median(&self, work: &str, system: &str, metric: &str) -> Option<f64> {
        let system = self.of(work).iter().find(|known| known.name == system)?;
        system.median(metric)
    }

    /// So many times the other system's: the median of what it is in each round, so that what slows the machine for a while does
    /// not count.
    pub(crate) fn ratio(&self, work: &str, metric: &str, of: &str, to: &str) -> Option<f64> {
        let ratios: Vec<_> = zip(self.rounds(work, of, metric)?, self.rounds(work, to, metric)?)
            .map(|(one, other)| one / other)
            .collect();
        Some(median(&ratios)).filter(|ratio| ratio.is_finite())
    }

    fn rounds(&self, work: &str, system: &str, metric: &str) -> Option<&[f64]> {
        let system = self.of(work).iter().find(|known| known.name == system)?;
        system.rounds(metric)
    }

    /// The system of a side that has the best median of a metric.
    pub(crate) fn best(
        &self,
        work: &str,
        metric: &str,
        more_is_better: bool,
        among: impl Fn(Side) -> bool,
    ) -> Option<&'static str> {
        let systems = self.of(work).iter().filter(|system| among(system.side));
        let medians = systems
            .filter_map(|system| Some((system.name, system.median(metric)?)))
            // What is too little to be measured says nothing.
            .filter(|(_, value)| value.is_finite() && (more_is_better || *value > 0.0));
        let best = medians.reduce(|one, other| {
            if (one.1 > other.1) == more_is_better {
                one
            } else {
                other
            }
        });
        best.map(|(name, _)| name)
    }
}

/// A color for a system: ours are green, limits yellow, peers differ.
fn side_color(side: Side, number: usize) -> &'static str {
    const PEERS: [&str; 5] = ["#4f6d9c", "#a0522d", "#8a5a9e", "#8a8f98", "#5b8a8a"];
    match side {
        Side::Ours if number == 0 => "#1b7f5c",
        Side::Ours => "#5cb893",
        Side::Limit => "#d5b060",
        Side::Peer | Side::Middle => PEERS[number % PEERS.len()],
    }
}

impl OfSystem {
    /// The median of a metric.
    pub(crate) fn median(&self, metric: &str) -> Option<f64> {
        self.rounds(metric).map(median)
    }

    fn rounds(&self, metric: &str) -> Option<&[f64]> {
        let (_, values) = self.metrics.iter().find(|(known, _)| *known == metric)?;
        Some(values)
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_the_best_of_a_side() {
        let mut results = Results::default();
        for value in [3.0, 1.0, 2.0] {
            results.add("w", "ours", Side::Ours, &vec![("m", value * 10.0)]);
            results.add("w", "a", Side::Peer, &vec![("m", value)]);
            results.add("w", "b", Side::Peer, &vec![("m", value + 0.5)]);
        }
        assert_eq!(results.median("w", "ours", "m"), Some(20.0));
        let peers = |side| side == Side::Peer;
        assert_eq!(results.best("w", "m", true, peers), Some("b"));
        assert_eq!(results.best("w", "m", false, peers), Some("a"));
        assert_eq!(results.best("w", "other", false, peers), None);
        assert_eq!(median(&[4.0, 2.0]), 3.0);
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let mut results = Results::default();
        // The machine was slow in the second round, and when only one of them had its turn.
        for (one, other) in [(10.0, 5.0), (100.0, 50.0), (12.0, 6.0)] {
            results.add("w", "one", Side::Ours, &vec![("m", one)]);
            results.add("w", "other", Side::Peer, &vec![("m", other)]);
        }
        results.add("w", "one", Side::Ours, &vec![("m", 100.0)]);
        assert_eq!(results.ratio("w", "m", "one", "other"), Some(2.0));
        assert_eq!(results.ratio("w", "m", "one", "nobody"), None);
    }
}
