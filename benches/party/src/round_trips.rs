//! Round trips, one at a time.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::latency::Latencies;
use crate::{Args, row};

/// Of all round trips this share warms up.
const WARM: u64 = 10;

#[derive(Serialize)]
struct Row {
    role: String,
    trips: u64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    p999_us: Option<f64>,
}

/// Makes round trips until count or time are over, and says the row. `trip` makes the one with this number and returns
/// how long it took.
///
/// # Errors
///
/// The first one of `trip`.
pub async fn round_trips<E>(args: &Args, mut trip: impl AsyncFnMut(u64) -> Result<Duration, E>) -> Result<(), E> {
    let mut latencies = Latencies::default();
    let began = Instant::now();
    let seconds = args.seconds.map(Duration::from_secs_f64);
    let over = |done: u64, share: u64| match seconds {
        Some(seconds) => began.elapsed() * u32::try_from(share).unwrap_or(1) >= seconds,
        None => done * share >= args.count,
    };
    let mut done = 0;
    let mut warm = false;
    let mut measured = 0;
    while !over(done, 1) {
        let took = trip(done).await?;
        done += 1;
        if warm {
            latencies.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            measured += 1;
        }
        warm = warm || over(done, WARM);
    }
    row(&Row {
        role: args.role.clone(),
        trips: measured,
        p50_us: latencies.percentile_us(0.5),
        p99_us: latencies.percentile_us(0.99),
        p999_us: latencies.percentile_us(0.999),
    });
    Ok(())
}
