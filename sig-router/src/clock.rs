//! The time, from one place.

use std::time::Instant;

/// What time it is: inside a tokio runtime whose clock is paused, as in simulations, that clock's.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
