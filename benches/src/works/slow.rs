//! A publisher that outruns a subscriber, which reads slowly and wants everything: nothing may be lost, the router's
//! memory stays where it is, and another pair does not notice.

use std::thread;
use std::time::{Duration, Instant};

use super::{Budget, Figures, LONGEST, Work, number};
use crate::error::Failure;
use crate::process::resident_kib;
use crate::results::Results;
use crate::systems::{Broker, PATIENCE, Side, System};

/// How long the subscriber takes for each event.
const PAUSE_US: u64 = 1000;

#[derive(Debug)]
pub(super) struct SlowSubscriber;

impl SlowSubscriber {
    /// Round trips of the other pair.
    fn trips(system: &dyn System, broker: &Broker, seconds: f64) -> Result<(f64, f64), Failure> {
        let words = ["--seconds".to_owned(), seconds.to_string()];
        let mut asking = system.party("ping", &broker.url, &words)?;
        let row = asking.row(LONGEST + Duration::from_secs_f64(seconds))?;
        Ok((number(&row, "p50_us"), number(&row, "p99_us")))
    }
}

impl Work for SlowSubscriber {
    fn name(&self) -> &str {
        "slow-subscriber"
    }

    fn title(&self) -> &str {
        "64 B, a publisher that outruns a Block subscriber, and another pair beside them"
    }

    fn metric(&self) -> (&'static str, bool) {
        ("lost", false)
    }

    fn suits(&self, system: &dyn System) -> bool {
        system.side() == Side::Ours && !system.is_one_process()
    }

    fn is_quick(&self, system: &dyn System) -> bool {
        system.name() == "sig-tcp"
    }

    /// The publisher waits most of the time, so one core is enough; and on one core a round trip is the path.
    fn is_pinned(&self) -> bool {
        true
    }

    fn rounds(&self, _: Budget) -> usize {
        1
    }

    fn run(&self, system: &dyn System, broker: &Broker, budget: Budget, _: &Results) -> Result<Figures, Failure> {
        let pid = broker.pid().ok_or_else(|| Failure::new("it has no broker"))?;
        let seconds = if budget.quick { 8.0 } else { 60.0 };
        let alone = if budget.quick { 1.0 } else { 5.0 };
        let mut answering = system.party("pong", &broker.url, &[])?;
        answering.ready(PATIENCE)?;
        let (alone_p50, alone_p99) = Self::trips(system, broker, alone)?;

        let words = |more: &[(&str, String)]| -> Vec<String> {
            more.iter()
                .flat_map(|(name, value)| [format!("--{name}"), value.clone()])
                .collect()
        };
        let slow = words(&[("seconds", seconds.to_string()), ("slow-us", PAUSE_US.to_string())]);
        let mut subscriber = system.party("sub", &broker.url, &slow)?;
        subscriber.ready(PATIENCE)?;
        let mut publisher = system.party("pub", &broker.url, &words(&[("seconds", seconds.to_string())]))?;
        publisher.ready(PATIENCE)?;
        publisher.go()?;
        // Until the queues are full.
        thread::sleep(Duration::from_millis(1500));
        let settled = resident_kib(pid).unwrap_or(f64::NAN);
        let watch = thread::spawn(move || {
            let until = Instant::now() + Duration::from_secs_f64(seconds - 2.0);
            let mut most = 0f64;
            while Instant::now() < until {
                most = most.max(resident_kib(pid).unwrap_or(f64::NAN));
                thread::sleep(Duration::from_millis(50));
            }
            most
        });
        let beside = Self::trips(system, broker, (seconds - 4.0).clamp(1.0, 20.0))?;
        let most = watch.join().unwrap_or(f64::NAN);
        let longest = LONGEST + Duration::from_secs_f64(seconds);
        let sent = publisher.row(longest)?;
        let heard = subscriber.row(longest)?;
        Ok(vec![
            ("lost", number(&sent, "sent") - number(&heard, "received")),
            ("corrupt", number(&heard, "corrupt") + number(&heard, "disordered")),
            ("events_per_s", number(&heard, "per_second")),
            ("settled_kib", settled),
            ("grown_kib", most - settled),
            ("alone_p50_us", alone_p50),
            ("alone_p99_us", alone_p99),
            ("p50_us", beside.0),
            ("p99_us", beside.1),
        ])
    }
}
