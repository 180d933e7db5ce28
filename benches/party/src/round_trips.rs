//! Round trips, one at a time.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::latency::Latencies;
use crate::{Args, row};

/// Of all round trips this share warms up.
const WARM: u32 = 10;

#[derive(Serialize)]
struct Row {
    role: String,
    trips: u64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    p999_us: Option<f64>,
}

/// The numbers of round trips until count or time are over, and how long they took.
#[derive(Debug)]
pub struct RoundTrips {
    args: Args,
    began: Instant,
    latencies: Latencies,
    done: u64,
    warm: bool,
    measured: u64,
}

impl RoundTrips {
    /// It begins now.
    #[must_use]
    pub fn new(args: &Args) -> Self {
        Self {
            args: args.clone(),
            began: Instant::now(),
            latencies: Latencies::default(),
            done: 0,
            warm: false,
            measured: 0,
        }
    }

    /// The number of the one to be made now.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        (!self.is_over(1)).then_some(self.done)
    }

    /// It was made.
    pub fn took(&mut self, time: Duration) {
        self.done += 1;
        if self.warm {
            self.latencies.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
            self.measured += 1;
        }
        self.warm = self.warm || self.is_over(WARM);
    }

    /// Says the row.
    pub fn say(self) {
        row(&Row {
            role: self.args.role,
            trips: self.measured,
            p50_us: self.latencies.percentile_us(0.5),
            p99_us: self.latencies.percentile_us(0.99),
            p999_us: self.latencies.percentile_us(0.999),
        });
    }

    /// Whether this share is.
    fn is_over(&self, share: u32) -> bool {
        match self.args.seconds.map(Duration::from_secs_f64) {
            Some(seconds) => self.began.elapsed() * share >= seconds,
            None => self.done * u64::from(share) >= self.args.count,
        }
    }
}

/// Makes round trips until count or time are over, and says the row. `trip` makes the one with this number and returns
/// how long it took.
///
/// # Errors
///
/// The first one of `trip`.
pub async fn round_trips<E>(args: &Args, mut trip: impl AsyncFnMut(u64) -> Result<Duration, E>) -> Result<(), E> {
    let mut trips = RoundTrips::new(args);
    while let Some(number) = trips.next() {
        trips.took(trip(number).await?);
    }
    trips.say();
    Ok(())
}
