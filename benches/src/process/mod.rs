//! Processes that end with this one.

mod child;
mod hold;

pub(crate) use child::{Child, cpu_seconds};
pub(crate) use hold::hold;
