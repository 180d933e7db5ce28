//! Latencies in a histogram of fixed size: 64 steps per doubling, so within 1.6 %.

const STEPS: usize = 64;
const OCTAVES: usize = 36;

/// How long things took, in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    /// Empty until the first one is counted: many subscribers of one process keep none.
    counts: Vec<u32>,
    total: u64,
}

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, nanos: u64) {
        self.counts.resize(STEPS * OCTAVES, 0);
        self.counts[place(nanos)] += 1;
        self.total += 1;
    }

    /// Adds those that were counted elsewhere.
    pub fn absorb(&mut self, other: &Self) {
        if other.total > 0 {
            self.counts.resize(STEPS * OCTAVES, 0);
            for (count, more) in self.counts.iter_mut().zip(&other.counts) {
                *count += more;
            }
            self.total += other.total;
        }
    }

    /// The time that this share of all did not exceed, in microseconds.
    #[must_use]
    pub fn percentile_us(&self, share: f64) -> Option<f64> {
        let mut left = (self.total as f64 * share).ceil().max(1.0) as u64;
        if self.total == 0 {
            return None;
        }
        for (at, count) in self.counts.iter().enumerate() {
            match left.checked_sub(u64::from(*count)) {
                Some(more) if more > 0 => left = more,
                _ => return Some(middle(at) / 1000.0),
            }
        }
        None
    }
}

fn place(nanos: u64) -> usize {
    let nanos = nanos.max(STEPS as u64);
    let octave = nanos.ilog2() - STEPS.ilog2();
    let step = (nanos >> octave) as usize - STEPS;
    (octave as usize * STEPS + step).min(STEPS * OCTAVES - 1)
}

fn middle(at: usize) -> f64 {
    let (octave, step) = (at / STEPS, at % STEPS);
    (STEPS as f64 + step as f64 + 0.5) * 2f64.powi(octave as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_two_percent() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile_us(0.5), None);
        for micros in 1..=1000 {
            latencies.add(micros * 1000);
        }
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0), (0.001, 1.0)] {
            let found = latencies.percentile_us(share).unwrap();
            assert!((found / expected - 1.0f64).abs() < 0.02, "{share}: {found}");
        }
    }

    #[test]
    fn the_longest_times_fit() {
        let mut latencies = Latencies::default();
        latencies.add(0);
        latencies.add(u64::MAX);
        assert!(latencies.percentile_us(1.0).unwrap() > 1e6);
    }
}
