//! Links that are cut, black-holed and refused: clients heal by themselves, or say why not (promises 3 and 5, W6).

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod cuts;
mod many_events;
mod names;
mod offline;
mod offline_policy;
mod refusals;
mod series;
mod silence;
