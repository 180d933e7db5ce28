//! What depends on time: heartbeats, deadlines, and clients that do not say what they should.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sig_core::{CancellationToken, ClientId};
use tokio::time::sleep;

use super::Shared;
use crate::clock;
use crate::peer::{SHORTEST_TICK, TICK};

/// When which client is to be looked after. Most are quiet, and need that as often as their heartbeat does.
#[derive(Debug)]
pub(super) struct Schedule {
    began: Instant,
    /// By the time, in milliseconds since it began. A client for which it was planned anew may be in there twice.
    due: Mutex<BinaryHeap<Reverse<(u64, ClientId)>>>,
}

/// When one client is to be looked after: the earliest of what was planned.
#[derive(Debug)]
pub(super) struct Planned(AtomicU64);

const NEVER: u64 = u64::MAX;

impl Default for Planned {
    fn default() -> Self {
        Self(AtomicU64::new(NEVER))
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            began: clock::now(),
            due: Mutex::default(),
        }
    }
}

impl Schedule {
    /// A client is to be looked after at this time, or before.
    pub(super) fn plan(&self, client: ClientId, planned: &Planned, now: Instant, after: Duration) {
        let (now, after) = (self.millis(now), millis(after));
        let mut at = now.saturating_add(after);
        if after >= 2 * millis(TICK) {
            // Those that are not in a hurry have their turn together.
            at -= at % millis(TICK);
        }
        if planned.0.fetch_min(at, Ordering::AcqRel) > at {
            self.due.lock().push(Reverse((at, client)));
        }
    }

    /// Takes out those whose time has come.
    fn take_due(&self, now: Instant) -> Vec<(u64, ClientId)> {
        let now = self.millis(now);
        let mut due = self.due.lock();
        let mut taken = Vec::new();
        while let Some(&Reverse((at, client))) = due.peek().filter(|Reverse((at, _))| *at <= now) {
            due.pop();
            taken.push((at, client));
        }
        if due.len() < due.capacity() / 4 {
            due.shrink_to_fit();
        }
        taken
    }

    /// How long the ticker may sleep. Not for long: something may be planned meanwhile.
    fn pause(&self, now: Instant) -> Duration {
        let next = self.due.lock().peek().map_or(NEVER, |Reverse((at, _))| *at);
        let left = Duration::from_millis(next.saturating_sub(self.millis(now)));
        left.clamp(SHORTEST_TICK, TICK)
    }

    fn millis(&self, time: Instant) -> u64 {
        millis(time.saturating_duration_since(self.began))
    }
}

impl Planned {
    /// Whether this is the time that counts. It is not planned any more after that.
    fn take(&self, at: u64) -> bool {
        self.0
            .compare_exchange(at, NEVER, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(NEVER)
}

/// Runs until the server is gone or told to stop.
pub(super) async fn run(shared: Weak<Shared>, stop: CancellationToken) {
    let mut pause = TICK;
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        let Some(shared) = shared.upgrade() else { return };
        let now = clock::now();
        for (at, id) in shared.schedule.take_due(now) {
            // No guard of the table is held while a client is looked after: it may remove itself.
            let client = shared.client(id).filter(|client| client.planned().take(at));
            if let Some(client) = client {
                let after = client.tick(now);
                shared.schedule.plan(id, client.planned(), now, after);
            }
        }
        pause = shared.schedule.pause(clock::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Client(ClientId, Planned);

    impl Client {
        fn new() -> Self {
            Self(ClientId::next(), Planned::default())
        }

        fn plan(&self, schedule: &Schedule, seconds: u32, after: Duration) {
            schedule.plan(self.0, &self.1, schedule.began + SECOND * seconds, after);
        }

        /// How often it is its turn at this second.
        fn turns(&self, schedule: &Schedule, seconds: u32) -> usize {
            let due = schedule.take_due(schedule.began + SECOND * seconds);
            due.iter().filter(|(at, id)| *id == self.0 && self.1.take(*at)).count()
        }
    }

    #[test]
    fn the_earliest_plan_counts_and_each_turn_is_had_once() {
        let (schedule, client) = (Schedule::default(), Client::new());
        client.plan(&schedule, 0, SECOND * 5);
        client.plan(&schedule, 0, SECOND * 9);
        client.plan(&schedule, 1, SECOND);
        assert_eq!(
            schedule.due.lock().len(),
            2,
            "nothing is planned for later than the next turn"
        );
        assert_eq!(client.turns(&schedule, 1), 0);
        assert_eq!(client.turns(&schedule, 2), 1);
        client.plan(&schedule, 2, SECOND * 10);
        // The first plan is void.
        assert_eq!(client.turns(&schedule, 11), 0);
        assert_eq!(client.turns(&schedule, 12), 1);
        assert!(schedule.due.lock().is_empty());
    }

    #[test]
    fn the_ticker_sleeps_until_the_next_turn_but_not_for_long() {
        let (schedule, client) = (Schedule::default(), Client::new());
        assert_eq!(schedule.pause(schedule.began), TICK);
        client.plan(&schedule, 0, Duration::from_millis(100));
        assert_eq!(schedule.pause(schedule.began), Duration::from_millis(100));
        assert_eq!(schedule.pause(schedule.began + SECOND), SHORTEST_TICK);
        let quiet = Client::new();
        quiet.plan(&schedule, 10, SECOND * 60);
        assert_eq!(schedule.take_due(schedule.began + SECOND).len(), 1);
        assert_eq!(schedule.pause(schedule.began + SECOND), TICK);
    }

    #[test]
    fn clients_in_no_hurry_have_their_turn_together_and_none_too_late() {
        let schedule = Schedule::default();
        for millis in 0..1000 {
            let client = Client::new();
            let now = schedule.began + Duration::from_millis(millis);
            schedule.plan(client.0, &client.1, now, SECOND * 4);
            let at = Duration::from_millis(client.1.0.load(Ordering::Relaxed));
            assert!(schedule.began + at <= now + SECOND * 4 && schedule.began + at + TICK > now + SECOND * 4);
        }
        let mut times: Vec<_> = schedule.due.lock().iter().map(|Reverse((at, _))| *at).collect();
        times.dedup();
        times.sort_unstable();
        times.dedup();
        assert!(times.len() <= 5, "{times:?}");
    }
}
