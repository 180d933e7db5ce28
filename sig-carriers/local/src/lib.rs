#![doc = include_str!("../README.md")]

mod dialer;
mod ends;
mod hub;
mod pipe;

pub use dialer::Dialer;
pub use hub::Local;

/// A hub, and one dialer to it.
#[must_use]
pub fn pair() -> (Local, Dialer) {
    let hub = Local::new();
    let dialer = hub.dialer();
    (hub, dialer)
}
