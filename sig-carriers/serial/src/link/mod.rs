//! Two routers over a line: a reliable stream of bytes on frames that may be lost.
//!
//! The [`Engine`] is the whole protocol, without a line and without a clock. [`Drive`] lets it run on a [`Line`](crate::Line),
//! and a [`Stream`] is what a router gets of it. docs/WIRE.md has the segments.

mod dialer;
mod drive;
mod end;
mod engine;
mod pace;
mod receiving;
mod segment;
mod sending;
mod stream;
#[cfg(test)]
mod tests;

pub use dialer::Dialer;
pub use drive::{Drive, Event};
pub use end::LinkEnd;
pub use engine::Engine;
pub use pace::Pace;
pub use stream::Stream;
