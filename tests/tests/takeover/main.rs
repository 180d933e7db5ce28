//! A program that connects anew takes over from its former link (promise 3).

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod links;
mod steps;
mod support;
