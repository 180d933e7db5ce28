//! What the kit says of a carrier.

use thiserror::Error;

/// What a carrier did wrong, in words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Finding(String);

impl Finding {
    /// A finding with this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A promise that a carrier does not keep.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the case {case} fails: {finding}\nThe promise: {promise}")]
#[non_exhaustive]
pub struct Broken {
    /// The name of the case.
    pub case: &'static str,
    /// What every carrier promises.
    pub promise: &'static str,
    /// What this one did.
    pub finding: Finding,
}

/// How a case went that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The carrier keeps the promise.
    Kept,
    /// The promise says nothing about such a carrier, for this reason.
    NotApplicable(&'static str),
}

/// What a case says of a carrier.
pub type Verdict = Result<Outcome, Broken>;

/// Returns a [`Finding`] unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::Finding::new(format!($($text)+)));
        }
    };
}
pub(crate) use ensure;
