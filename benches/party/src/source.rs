//! What a publisher sends, and how fast.

use std::time::{Duration, Instant};

use crate::payload::Stamper;
use crate::{Args, now_ns};

/// How often the clock is looked at, in events: small payloads only, large ones look each time.
const LOOK: u64 = 64;
/// Where a rate is given, events are due in bursts of this long: the resolution of a runtime's timers.
const TICK: Duration = Duration::from_millis(1);

/// The payloads of one publisher, until its count or its time is over.
///
/// ```
/// use sig_bench_party::{Args, Source};
///
/// let args = Args::parse(["pub", "nowhere", "3", "64"].map(String::from))?;
/// let mut source = Source::new(&args, 0);
/// let mut sent = 0;
/// while let Some(payload) = source.next() {
///     assert_eq!(payload.len(), 64);
///     sent += 1;
/// }
/// assert_eq!(sent, 3);
/// # Ok::<(), sig_bench_party::BadArgs>(())
/// ```
#[derive(Debug)]
pub struct Source {
    stamper: Stamper,
    /// Whether payloads say when they were sent: a clock is read for each of them then.
    timed: bool,
    next: u64,
    count: u64,
    seconds: Option<Duration>,
    look: u64,
    began: Instant,
    /// Events per tick.
    pace: Option<f64>,
    due: u64,
    finished: bool,
}

impl Source {
    /// The payloads of the publisher with this number. Its time begins now.
    #[must_use]
    pub fn new(args: &Args, publisher: u64) -> Self {
        let pace = args.rate.map(|rate| rate * TICK.as_secs_f64());
        Self {
            stamper: Stamper::new(args.size, publisher),
            timed: args.rate.is_some(),
            next: 0,
            count: if args.seconds.is_some() { u64::MAX } else { args.count },
            seconds: args.seconds.map(Duration::from_secs_f64),
            look: if args.size > 16 * 1024 { 1 } else { LOOK },
            began: Instant::now(),
            pace,
            due: 0,
            finished: false,
        }
    }

    /// The next payload; none after the last one, which is marked as such.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator's adaptors would hide the pause"
    )]
    pub fn next(&mut self) -> Option<Vec<u8>> {
        if self.finished {
            return None;
        }
        let sequence = self.next;
        self.next += 1;
        let over = || self.seconds.is_some_and(|seconds| self.began.elapsed() >= seconds);
        let last = self.next >= self.count || (sequence.is_multiple_of(self.look) && sequence > 0 && over());
        self.finished = last;
        let now = if self.timed { now_ns() } else { 0 };
        Some(self.stamper.make(sequence, last, now))
    }

    /// How long to sleep before the next event, where a rate was given and it is not due yet.
    pub fn pause(&mut self) -> Option<Duration> {
        let pace = self.pace?;
        if self.next < self.due || self.finished {
            return None;
        }
        let elapsed = self.began.elapsed();
        let ticks = (elapsed.as_secs_f64() / TICK.as_secs_f64()).floor() + 1.0;
        self.due = (ticks * pace) as u64;
        (self.next >= self.due).then(|| TICK.mul_f64(ticks).saturating_sub(elapsed))
    }

    /// How many were made.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{LAST, check};

    #[test]
    fn a_rate_is_kept_and_the_last_one_is_marked() {
        let words = "pub x --rate 20000 --seconds 0.2".split_whitespace();
        let args = Args::parse(words.map(str::to_owned)).unwrap();
        let began = Instant::now();
        let mut source = Source::new(&args, 0);
        let mut last = None;
        while let Some(payload) = source.next() {
            let seen = check(&payload).unwrap();
            assert!(seen.sent_ns > 0);
            last = Some(seen.number);
            while let Some(pause) = source.pause() {
                std::thread::sleep(pause);
            }
        }
        assert_eq!(last.unwrap() & LAST, LAST);
        let rate = source.sent() as f64 / began.elapsed().as_secs_f64();
        assert!((10_000.0..22_000.0).contains(&rate), "{rate}");
    }
}
