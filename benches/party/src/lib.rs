//! What the parties of a measurement share, ours and those of the peers alike, so that all of them do the same work per
//! event: make the payload, check it, count, and say what came of it as one row of JSON.

mod args;
mod clock;
mod latency;
mod payload;
mod round_trips;
mod say;
mod source;
mod tally;

pub use args::{Args, BadArgs};
pub use clock::now_ns;
pub use latency::Latencies;
pub use payload::{Corrupt, LAST, SMALLEST, Seen, Stamper, check, publisher_of, sequence_of};
pub use round_trips::{RoundTrips, round_trips};
pub use say::{published, ready, ready_to_publish, row};
pub use source::Source;
pub use tally::{QUIET, Tally};
