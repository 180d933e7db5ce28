//! Queues of events: what waits, what is left out, and what was lost. State machines without locks and clocks.

mod backlog;
mod track;

pub(crate) use backlog::{Arriving, Backlog, Class, Pushed};
pub(crate) use track::{Track, Tracks, UNNUMBERED};
