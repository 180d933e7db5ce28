//! Notices a peer that vanished without a sign, and shows such a peer that this side is there.

use std::time::{Duration, Instant};

/// What is due on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// Nothing.
    Quiet,
    /// This side was silent for a period: send a heartbeat. Counts as sent.
    Beat,
    /// The peer was silent for too long: give it up.
    Dead,
}

/// The heartbeat of one link.
///
/// A beat is due after one period of own silence. With [`tick`](Self::tick) called at least four times in a period, beats
/// are at most 1.25 periods apart, and a dead peer is noticed within 2.5 periods after its last sign: [`DEAD_AFTER`] and
/// one tick.
#[derive(Debug, Clone)]
pub(crate) struct Heartbeat {
    /// `None`: no heartbeat on this link.
    period: Option<Duration>,
    heard: Instant,
    sent: Instant,
    ticked: Instant,
}

/// After how much silence a peer is held for dead, in quarters of a period.
const DEAD_AFTER: u32 = 9;

impl Heartbeat {
    /// A heartbeat with this period for a link that came up at `now`. Without a period, or with one of zero, nothing
    /// is ever due.
    pub(crate) fn new(period: Option<Duration>, now: Instant) -> Self {
        Self {
            period: period.filter(|period| !period.is_zero()),
            heard: now,
            sent: now,
            ticked: now,
        }
    }

    /// The period, if there is one.
    pub(crate) fn period(&self) -> Option<Duration> {
        self.period
    }

    /// How long the peer has been silent.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }

    /// Something arrived from the peer, whatever it was.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = self.heard.max(now);
    }

    /// Something went out to the peer, whatever it was.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.sent = self.sent.max(now);
    }

    /// How long until the next [`tick`](Self::tick) at most; `None` where nothing is ever due.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.period.map(|period| period / 4)
    }

    /// What is due now.
    pub(crate) fn tick(&mut self, now: Instant) -> Pulse {
        let Some(period) = self.period else {
            return Pulse::Quiet;
        };
        if now.saturating_duration_since(self.ticked) > period {
            // This side itself stood still and could not hear: signs of life may wait in the socket. Leave time to
            // read them before the peer is judged.
            self.heard = self.heard.max(now.checked_sub(period * 2).unwrap_or(now));
        }
        self.ticked = self.ticked.max(now);
        if now.saturating_duration_since(self.heard) >= period.saturating_mul(DEAD_AFTER) / 4 {
            return Pulse::Dead;
        }
        if now.saturating_duration_since(self.sent) >= period {
            self.sent = now;
            return Pulse::Beat;
        }
        Pulse::Quiet
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(800);

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn without_a_period_nothing_is_ever_due() {
        let start = Instant::now();
        for period in [None, Some(Duration::ZERO)] {
            let mut heartbeat = Heartbeat::new(period, start);
            assert_eq!(heartbeat.tick(at(start, 1_000_000)), Pulse::Quiet);
        }
    }

    #[test]
    fn absurd_periods_do_not_panic() {
        let start = Instant::now();
        for period in [Duration::MAX, Duration::from_nanos(1)] {
            let mut heartbeat = Heartbeat::new(Some(period), start);
            assert_eq!(heartbeat.tick(start), Pulse::Quiet);
        }
        let mut heartbeat = Heartbeat::new(Some(PERIOD), at(start, 1000));
        assert_eq!(heartbeat.tick(start), Pulse::Quiet, "a clock that went back");
    }

    #[test]
    fn a_beat_follows_one_period_of_own_silence() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Some(PERIOD), start);
        heartbeat.sent(at(start, 300));
        for (millis, pulse) in [
            (700, Pulse::Quiet),
            (1099, Pulse::Quiet),
            (1100, Pulse::Beat),
            (1200, Pulse::Quiet),
        ] {
            heartbeat.heard(at(start, millis));
            assert_eq!(heartbeat.tick(at(start, millis)), pulse, "at {millis} ms");
        }
    }

    #[test]
    fn t3_a_silent_peer_is_dead_within_two_and_a_half_periods() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Some(PERIOD), start);
        let mut died = None;
        for millis in (0..4000).step_by(100) {
            if heartbeat.tick(at(start, millis)) == Pulse::Dead {
                died = died.or(Some(millis));
            }
        }
        assert_eq!(died, Some(1800), "2.25 periods");
    }

    #[test]
    fn who_stood_still_itself_hears_before_it_judges() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Some(PERIOD), start);
        assert_eq!(heartbeat.tick(at(start, 60_000)), Pulse::Beat);
        assert_eq!(heartbeat.tick(at(start, 60_100)), Pulse::Quiet);
        assert_eq!(
            heartbeat.tick(at(start, 60_200)),
            Pulse::Dead,
            "a quarter of a period later"
        );
        heartbeat.heard(at(start, 60_250));
        assert_eq!(heartbeat.tick(at(start, 60_300)), Pulse::Quiet);
    }

    proptest! {
        /// Two sides that tick a little late, over a link with delay: no false alarm while both live; when one dies,
        /// the other notices in time.
        #[test]
        fn both_ends_agree_on_who_lives(
            late in prop::collection::vec(0u64..20, 300),
            delay in 0u64..50,
            traffic in prop::collection::vec(any::<bool>(), 300),
            dies in 1000u64..20_000,
        ) {
            let start = Instant::now();
            let (mut here, mut there) = (Heartbeat::new(Some(PERIOD), start), Heartbeat::new(Some(PERIOD), start));
            let mut arriving: Vec<u64> = Vec::new();
            let mut last_sign = 0;
            let mut noticed = None;
            for (step, (late, talks)) in late.iter().zip(&traffic).enumerate() {
                let millis = step as u64 * 100 + late;
                if millis < dies {
                    there.heard(at(start, millis));
                    let beats = there.tick(at(start, millis)) == Pulse::Beat;
                    if *talks {
                        there.sent(at(start, millis));
                    }
                    if beats || *talks {
                        arriving.push(millis + delay);
                        last_sign = millis + delay;
                    }
                }
                let (arrived, on_the_way) = arriving.into_iter().partition::<Vec<_>, _>(|sign| *sign <= millis);
                arriving = on_the_way;
                for sign in arrived {
                    here.heard(at(start, sign));
                }
                if here.tick(at(start, millis)) == Pulse::Dead && noticed.is_none() {
                    noticed = Some(millis);
                }
            }
            let noticed = noticed.expect("noticed within the 30 seconds of the test");
            prop_assert!(noticed >= dies, "dead at {noticed} ms, alive until {dies} ms");
            prop_assert!(noticed - last_sign <= 2000, "last sign {last_sign} ms, noticed at {noticed} ms");
        }
    }
}
