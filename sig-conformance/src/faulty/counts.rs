//! What was injected.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A kind of fault that a [`FaultyCarrier`](crate::FaultyCarrier) injects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// A batch was held back.
    Delay,
    /// A batch was handed on in several.
    Split,
    /// A message was handed on twice.
    Duplicate,
    /// A message was lost.
    Loss,
    /// A link was cut.
    Cut,
    /// A message was swallowed by a half-open link.
    HalfOpen,
    /// A batch had to wait for the rate limit.
    RateLimit,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Delay,
        Self::Split,
        Self::Duplicate,
        Self::Loss,
        Self::Cut,
        Self::HalfOpen,
        Self::RateLimit,
    ];

    fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delay => "delay",
            Self::Split => "split",
            Self::Duplicate => "duplicate",
            Self::Loss => "loss",
            Self::Cut => "cut",
            Self::HalfOpen => "half-open",
            Self::RateLimit => "rate limit",
        })
    }
}

/// How many faults of each kind were injected so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults([u64; Fault::ALL.len()]);

impl Faults {
    /// How many of this kind.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault.index()]
    }

    /// How many of all kinds together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for fault in Fault::ALL.into_iter().filter(|fault| self.of(*fault) > 0) {
            write!(f, "{comma}{fault}: {}", self.of(fault))?;
            comma = ", ";
        }
        if comma.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

/// The counters behind [`Faults`].
#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; Fault::ALL.len()]);

impl Counters {
    pub(super) fn add(&self, fault: Fault, count: u64) {
        self.0[fault.index()].fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Faults {
        Faults(std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed)))
    }
}
