//! The built-in sender `host`: figures of this machine.

mod figures;
mod sample;
mod sender;

pub(crate) use sender::{Host, NAME};
