//! Processes that end with this one.

mod child;
mod figures;
mod hold;
mod place;

pub(crate) use child::Child;
pub(crate) use figures::{busy_seconds, cpu_seconds, forget_peak, peak_kib, resident_kib};
pub(crate) use hold::hold;
pub(crate) use place::Pinned;
