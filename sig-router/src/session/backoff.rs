//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// How a `ClientRouter` goes about reconnecting.
///
/// The first attempt is made at once. Then the pauses grow from [`first`](Self::first) by [`factor`](Self::factor) to
/// [`max`](Self::max), and each is spread at random by [`jitter`](Self::jitter), so that a thousand clients of a router
/// that restarts do not all come back in the same instant.
///
/// ```
/// use std::time::Duration;
///
/// use sig_router::Reconnect;
///
/// // A link to a board on the same desk: try often.
/// let reconnect = Reconnect::new().first(Duration::from_millis(20)).max(Duration::from_millis(500));
/// # let _ = reconnect;
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Reconnect {
    first: Duration,
    max: Duration,
    factor: f64,
    jitter: f64,
}

impl Reconnect {
    /// The defaults: at once, then 100 ms, doubled up to 5 s, each spread by 20 %.
    pub const fn new() -> Self {
        Self {
            first: Duration::from_millis(100),
            max: Duration::from_secs(5),
            factor: 2.0,
            jitter: 0.2,
        }
    }

    /// The pause after the first failed attempt.
    pub const fn first(self, first: Duration) -> Self {
        Self { first, ..self }
    }

    /// The longest pause, before it is spread.
    pub const fn max(self, max: Duration) -> Self {
        Self { max, ..self }
    }

    /// By how much each pause is longer than the one before; less than 1, or not a number, counts as 1.
    pub const fn factor(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    /// By which part of itself a pause is made longer or shorter at most: 0 (not at all) to 1; beyond counts as the
    /// nearest of them, not a number as 0.
    pub const fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }
}

impl Default for Reconnect {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a client is in its attempts to connect.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    options: Reconnect,
    /// The next pause, before it is spread; `None` before the first attempt.
    pause: Option<Duration>,
}

impl Backoff {
    /// Before the first attempt.
    pub(crate) const fn new(options: Reconnect) -> Self {
        Self { options, pause: None }
    }

    /// How long to wait before the next attempt; `random` is in 0 to 1 and spreads the pause.
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        let Reconnect {
            first,
            max,
            factor,
            jitter,
        } = self.options;
        let Some(pause) = self.pause else {
            self.pause = Some(first.min(max));
            return Duration::ZERO;
        };
        // `f64::max` gives 1 where the factor is not a number.
        self.pause = Some(scale(pause, factor.max(1.0)).min(max));
        scale(pause, 1.0 + part(jitter) * (2.0 * part(random) - 1.0))
    }

    /// A link came up and has proved itself: the next attempt is at once again.
    ///
    /// A link that is welcomed and lost at once has not: call it when a link has lasted, so that a router that throws
    /// its clients out is not asked again without a pause.
    pub(crate) fn succeeded(&mut self) {
        self.pause = None;
    }
}

/// The number brought into 0 to 1; not a number counts as 0.
fn part(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number.clamp(0.0, 1.0) }
}

/// `duration * factor`, without the panics of the operator.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(backoff: &mut Backoff, random: f64, attempts: usize) -> Vec<u128> {
        (0..attempts).map(|_| backoff.next(random).as_millis()).collect()
    }

    #[test]
    fn at_once_then_longer_and_longer() {
        let mut backoff = Backoff::new(Reconnect::new());
        let expected = [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000];
        assert_eq!(millis(&mut backoff, 0.5, 9), expected);
        backoff.succeeded();
        assert_eq!(millis(&mut backoff, 0.0, 3), [0, 80, 160]);
        backoff.succeeded();
        assert_eq!(millis(&mut backoff, 1.0, 3), [0, 120, 240]);
    }

    #[test]
    fn strange_options_are_brought_into_range() {
        let pauses = |options| millis(&mut Backoff::new(options), 1.0, 4);
        let even = Reconnect::new().jitter(0.0);
        assert_eq!(pauses(even.clone().factor(0.1)), [0, 100, 100, 100]);
        assert_eq!(pauses(even.clone().factor(f64::NAN)), [0, 100, 100, 100]);
        assert_eq!(pauses(even.clone().factor(f64::INFINITY)), [0, 100, 5000, 5000]);
        assert_eq!(pauses(even.clone().max(Duration::from_millis(10))), [0, 10, 10, 10]);
        assert_eq!(pauses(even.first(Duration::ZERO)), [0, 0, 0, 0]);
        assert_eq!(pauses(Reconnect::new().jitter(7.0)), [0, 200, 400, 800]);
        assert_eq!(pauses(Reconnect::new().jitter(f64::NAN)), [0, 100, 200, 400]);
    }

    proptest! {
        #[test]
        fn pauses_stay_in_their_bounds(
            first in 0u64..10_000,
            max in 0u64..10_000,
            factor in 1.0f64..10.0,
            jitter in 0.0f64..=1.0,
            randoms in prop::collection::vec(0.0f64..=1.0, 1..40),
        ) {
            let options = Reconnect::new()
                .first(Duration::from_millis(first))
                .max(Duration::from_millis(max))
                .factor(factor)
                .jitter(jitter);
            let mut backoff = Backoff::new(options);
            prop_assert_eq!(backoff.next(randoms[0]), Duration::ZERO);
            for random in randoms {
                let pause = backoff.next(random).as_secs_f64() * 1000.0;
                prop_assert!(pause <= max as f64 * (1.0 + jitter) + 0.001);
                prop_assert!(pause >= first.min(max) as f64 * (1.0 - jitter) - 0.001);
            }
        }

        #[test]
        fn no_options_panic(first: u64, max: u64, factor: f64, jitter: f64, random: f64) {
            let options = Reconnect::new()
                .first(Duration::from_secs(first))
                .max(Duration::from_secs(max))
                .factor(factor)
                .jitter(jitter);
            let mut backoff = Backoff::new(options);
            for _ in 0..5 {
                prop_assert!(backoff.next(random) <= Duration::MAX);
            }
        }
    }
}
