//! What a listener wants to happen when events come faster than it takes them.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ListenError;

/// How long a listener is waited for by default.
pub(crate) const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);

/// The slowest and the fastest pace that [`Policy::Rate`] may ask for, in events per second.
const RATES: std::ops::RangeInclusive<f64> = 0.001..=1e6;

/// Most events that [`Policy::DropOldest`] and [`Policy::DropNewest`] may keep.
const MOST_KEPT: usize = 1 << 24;

/// What a listener wants to happen when events come faster than it takes them.
///
/// Each listener chooses for itself (see [`Listen`](crate::Listen)). Whatever is lost is told in its place
/// ([`Lagged`](crate::Lagged)), and what is left out on purpose is counted ([`Event::skipped`](crate::Event::skipped)).
/// Presence (`#connect`, `#disconnect`) is never left out.
///
/// A router sends a client one copy of an event, under the least restrictive policy of the client's listeners that
/// match; the client then applies each listener's own. So `Rate(20.0)` on an event of 1 kHz spares the link too.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Policy {
    /// The sender waits until there is room, unless nothing at all was taken for this long: then the listener loses
    /// events until it has caught up, and holds nobody up. The default, with five seconds.
    Block(Duration),
    /// Keeps the newest so many events; the oldest is lost when one more comes. What others call a queue.
    DropOldest(usize),
    /// Keeps the first so many events; what comes while they wait is lost.
    DropNewest(usize),
    /// Keeps the newest event of each kind: an older one that was not taken yet is skipped. What others call a cache.
    Latest,
    /// Delivers at most so many events a second of each kind, and skips the others; the last one before a pause always
    /// comes, when its time has come.
    Rate(f64),
}

impl Default for Policy {
    fn default() -> Self {
        Self::Block(DEFAULT_PATIENCE)
    }
}

impl Policy {
    /// Whether it can be kept.
    pub(crate) fn check(self) -> Result<Self, ListenError> {
        let refused = |text: String| Err(ListenError::Policy(text));
        match self {
            Self::DropOldest(0) | Self::DropNewest(0) => refused(format!("{self:?} keeps nothing; keep one at least")),
            Self::DropOldest(n) | Self::DropNewest(n) if n > MOST_KEPT => {
                refused(format!("{self:?} keeps more than {MOST_KEPT} events, the most"))
            }
            Self::Rate(hz) if !RATES.contains(&hz) => refused(format!(
                "{self:?} is no rate from {} to {} events a second",
                RATES.start(),
                RATES.end()
            )),
            _ => Ok(self),
        }
    }

    /// What serves both: the one of the two that lets more through, `Block`, then dropping, then `Latest`, then `Rate`;
    /// of the same sort the larger.
    ///
    /// Whoever keeps the first events only, does so for itself: the others want to have the last one.
    pub(crate) fn or(self, other: Self) -> Self {
        let keeps_last = |policy| !matches!(policy, Self::DropNewest(_));
        let more = if self.compare(other) == Ordering::Less {
            other
        } else {
            self
        };
        match more {
            Self::DropNewest(n) if keeps_last(self) || keeps_last(other) => Self::DropOldest(n),
            more => more,
        }
    }

    fn compare(self, other: Self) -> Ordering {
        let (rank, amount) = self.weight();
        let (other_rank, other_amount) = other.weight();
        rank.cmp(&other_rank).then(amount.total_cmp(&other_amount))
    }

    #[expect(clippy::cast_precision_loss, reason = "checked numbers are far below 2^52")]
    fn weight(self) -> (u8, f64) {
        match self {
            Self::Block(patience) => (4, patience.as_secs_f64()),
            Self::DropOldest(n) => (3, n as f64 + 0.5),
            Self::DropNewest(n) => (3, n as f64),
            Self::Latest => (2, 0.0),
            Self::Rate(hz) => (1, hz),
        }
    }

    /// How long a sender waits for the listener.
    pub(crate) fn patience(self) -> Duration {
        match self {
            Self::Block(patience) => patience,
            Self::DropOldest(_) | Self::DropNewest(_) | Self::Latest | Self::Rate(_) => Duration::ZERO,
        }
    }

    pub(crate) fn blocks(self) -> bool {
        matches!(self, Self::Block(_))
    }
}

/// A policy as `add_listener` tells it: `{"block_ms": 5000}`, `{"drop_oldest": 100}`, `{"drop_newest": 100}`,
/// `"latest"`, `{"rate": 20.0}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PolicyParams {
    BlockMs(u64),
    DropOldest(u64),
    DropNewest(u64),
    Latest,
    Rate(f64),
}

impl From<Policy> for PolicyParams {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Block(patience) => Self::BlockMs(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX)),
            Policy::DropOldest(n) => Self::DropOldest(n as u64),
            Policy::DropNewest(n) => Self::DropNewest(n as u64),
            Policy::Latest => Self::Latest,
            Policy::Rate(hz) => Self::Rate(hz),
        }
    }
}

impl From<PolicyParams> for Policy {
    fn from(params: PolicyParams) -> Self {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        match params {
            PolicyParams::BlockMs(patience) => Self::Block(Duration::from_millis(patience)),
            PolicyParams::DropOldest(n) => Self::DropOldest(count(n)),
            PolicyParams::DropNewest(n) => Self::DropNewest(count(n)),
            PolicyParams::Latest => Self::Latest,
            PolicyParams::Rate(hz) => Self::Rate(hz),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_6_the_least_restrictive_policy_counts() {
        let ascending = [
            Policy::Rate(1.0),
            Policy::Rate(20.0),
            Policy::Latest,
            Policy::DropOldest(5),
            Policy::DropOldest(6),
            Policy::Block(Duration::ZERO),
            Policy::default(),
        ];
        for (i, weak) in ascending.iter().enumerate() {
            for strong in &ascending[i..] {
                assert_eq!((weak.or(*strong), strong.or(*weak)), (*strong, *strong));
            }
        }
    }

    #[test]
    fn promise_6_only_among_themselves_do_those_count_that_keep_the_first() {
        let (five, six) = (Policy::DropNewest(5), Policy::DropNewest(6));
        assert_eq!((five.or(six), six.or(five)), (six, six));
        for (other, both) in [
            (Policy::Rate(1.0), Policy::DropOldest(5)),
            (Policy::Latest, Policy::DropOldest(5)),
            (Policy::DropOldest(2), Policy::DropOldest(5)),
            (Policy::DropOldest(7), Policy::DropOldest(7)),
            (Policy::default(), Policy::default()),
        ] {
            assert_eq!((five.or(other), other.or(five)), (both, both));
        }
    }

    #[test]
    fn policies_that_cannot_be_kept_are_refused() {
        for bad in [
            Policy::DropOldest(0),
            Policy::DropNewest(0),
            Policy::DropOldest(usize::MAX),
            Policy::Rate(0.0),
            Policy::Rate(-1.0),
            Policy::Rate(f64::NAN),
            Policy::Rate(f64::INFINITY),
        ] {
            assert!(matches!(bad.check(), Err(ListenError::Policy(_))), "{bad:?}");
        }
        assert!(Policy::Block(Duration::MAX).check().is_ok());
    }

    #[test]
    fn a_policy_travels_as_json() {
        for (policy, json) in [
            (Policy::default(), r#"{"block_ms":5000}"#),
            (Policy::DropOldest(3), r#"{"drop_oldest":3}"#),
            (Policy::DropNewest(3), r#"{"drop_newest":3}"#),
            (Policy::Latest, r#""latest""#),
            (Policy::Rate(20.0), r#"{"rate":20.0}"#),
        ] {
            assert_eq!(serde_json::to_string(&PolicyParams::from(policy)).unwrap(), json);
            let read: PolicyParams = serde_json::from_str(json).unwrap();
            assert_eq!(Policy::from(read), policy);
        }
    }
}
