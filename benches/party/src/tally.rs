//! What a subscriber counts.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::latency::Latencies;
use crate::now_ns;
use crate::payload::{LAST, check, publisher_of, sequence_of};

/// For how long nothing may come, after the first event, before a subscriber takes the rest for lost.
pub const QUIET: Duration = Duration::from_secs(3);
/// For how long the first event may take.
const FIRST: Duration = Duration::from_secs(20);
/// How many events one timer is for: one for each would cost more than the event.
const BURST: u32 = 4096;
/// Of how many events one is timed, so that it is known when the last one came where the marked one is lost.
const LOOK: u64 = 64;

/// Counts events, and checks number and checksum of each.
#[derive(Debug)]
pub struct Tally {
    publishers: Vec<Publisher>,
    going: usize,
    received: u64,
    corrupt: u64,
    /// Numbers that came again, or too late.
    disordered: u64,
    bytes: u64,
    first_ns: u64,
    last_ns: u64,
    latencies: Latencies,
}

#[derive(Debug, Clone, Default)]
struct Publisher {
    next: u64,
    missing: u64,
    ended: bool,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
struct Row {
    role: &'static str,
    received: u64,
    lost: u64,
    corrupt: u64,
    disordered: u64,
    /// Whether the last event of every publisher came.
    ended: bool,
    bytes: u64,
    first_ns: u64,
    last_ns: u64,
    per_second: f64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    p999_us: Option<f64>,
}

impl Tally {
    /// For the events of so many publishers.
    #[must_use]
    pub fn new(publishers: u64) -> Self {
        let publishers = usize::try_from(publishers.max(1)).unwrap_or(usize::MAX);
        Self {
            publishers: vec![Publisher::default(); publishers],
            going: publishers,
            received: 0,
            corrupt: 0,
            disordered: 0,
            bytes: 0,
            first_ns: 0,
            last_ns: 0,
            latencies: Latencies::default(),
        }
    }

    /// Counts an event. True when the last one of the last publisher came.
    pub fn take(&mut self, payload: &[u8]) -> bool {
        if self.received == 0 {
            self.first_ns = now_ns();
        }
        self.received += 1;
        self.bytes += payload.len() as u64;
        if self.received.is_multiple_of(LOOK) {
            self.last_ns = now_ns();
        }
        let Ok(seen) = check(payload) else {
            self.corrupt += 1;
            return false;
        };
        if seen.sent_ns > 0 {
            self.latencies.add(now_ns().saturating_sub(seen.sent_ns));
        }
        let from = usize::try_from(publisher_of(seen.number)).unwrap_or(usize::MAX);
        let Some(publisher) = self.publishers.get_mut(from) else {
            self.corrupt += 1;
            return false;
        };
        let sequence = sequence_of(seen.number);
        if sequence < publisher.next {
            self.disordered += 1;
        } else {
            publisher.missing += sequence - publisher.next;
            publisher.next = sequence + 1;
        }
        if seen.number & LAST != 0 && !publisher.ended {
            publisher.ended = true;
            self.going -= 1;
        }
        if self.going == 0 {
            self.last_ns = now_ns();
        }
        self.going == 0
    }

    /// How many came.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Adds what another subscriber to the same events counted.
    pub fn absorb(&mut self, other: &Self) {
        self.publishers.extend(other.publishers.iter().cloned());
        self.going += other.going;
        self.received += other.received;
        self.corrupt += other.corrupt;
        self.disordered += other.disordered;
        self.bytes += other.bytes;
        if other.received > 0 {
            self.first_ns = self.first_ns.min(other.first_ns);
        }
        self.last_ns = self.last_ns.max(other.last_ns);
        self.latencies.absorb(&other.latencies);
    }

    /// Says the row. What was lost behind the last event that came only the publisher knows.
    pub fn say(&self) {
        let seconds = self.last_ns.saturating_sub(self.first_ns) as f64 / 1e9;
        crate::row(&Row {
            role: "sub",
            received: self.received,
            lost: self.publishers.iter().map(|publisher| publisher.missing).sum(),
            corrupt: self.corrupt,
            disordered: self.disordered,
            ended: self.going == 0,
            bytes: self.bytes,
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            per_second: (self.received as f64 / seconds).round(),
            p50_us: self.latencies.percentile_us(0.5),
            p99_us: self.latencies.percentile_us(0.99),
            p999_us: self.latencies.percentile_us(0.999),
        });
    }

    /// Takes events until the last one came, nothing more comes for [`QUIET`], or there are none any more, and says the
    /// row. `next` takes one event, hands it to [`take`](Self::take) and returns whether to go on: not after the last
    /// one, and not when the stream is over.
    ///
    /// # Cancel safety
    ///
    /// As that of `next`, which must be cancel safe itself.
    pub async fn listen(mut self, next: impl AsyncFnMut(&mut Self) -> bool) {
        self.take_all(next).await;
        self.say();
    }

    /// As [`listen`](Self::listen), without saying anything.
    ///
    /// # Cancel safety
    ///
    /// As that of `next`.
    pub async fn take_all(&mut self, mut next: impl AsyncFnMut(&mut Self) -> bool) {
        let mut since = (self.received, Instant::now());
        loop {
            let patience = if self.received == 0 { FIRST } else { QUIET };
            let burst = async {
                for _ in 0..BURST {
                    if !next(self).await {
                        return false;
                    }
                }
                true
            };
            match tokio::time::timeout(patience, burst).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) if self.received > since.0 => {}
                Err(_) if since.1.elapsed() < patience => {}
                Err(_) => break,
            }
            since = (self.received, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stamper;

    #[test]
    fn gaps_repetitions_and_damage_are_counted() {
        let (one, two) = (Stamper::new(64, 0), Stamper::new(64, 1));
        let mut tally = Tally::new(2);
        assert!(!tally.take(&one.make(0, false, 0)));
        assert!(!tally.take(&one.make(3, false, 0)));
        assert!(!tally.take(&one.make(3, false, 0)));
        assert!(!tally.take(&[1; 64]));
        assert!(!tally.take(&two.make(0, true, 0)));
        assert!(tally.take(&one.make(4, true, 0)));
        assert_eq!((tally.received, tally.corrupt, tally.disordered), (6, 1, 1));
        assert_eq!(tally.publishers[0].missing, 2);
    }
}
