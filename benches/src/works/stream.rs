//! Events as fast as they go.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Budget, Figures, LONGEST, Work, number};
use crate::error::Failure;
use crate::process::{cpu_seconds, forget_peak, peak_kib};
use crate::results::Results;
use crate::systems::{Broker, PATIENCE, Side, System};

/// The first row of the table, from which others take their load.
pub(super) const FIRST: &str = "1to1-64";

/// How many deliveries a fan makes for each second that there is, and how many events at most.
const FAN_DELIVERIES_PER_S: f64 = 2e6;
const MOST_FAN_EVENTS_PER_S: f64 = 1e6;

/// How many send what to how many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    pub(crate) size: usize,
    pub(crate) publishers: u64,
    pub(crate) subscribers: u64,
    pub(crate) topics: u64,
    /// All subscribers are raw connections of one process.
    pub(crate) is_fan: bool,
    /// Events per second, instead of as many as there is room for.
    pub(crate) rate: Option<f64>,
}

impl Default for Shape {
    fn default() -> Self {
        Self::of(64)
    }
}

impl Shape {
    pub(crate) const fn of(size: usize) -> Self {
        Self {
            size,
            publishers: 1,
            subscribers: 1,
            topics: 1,
            is_fan: false,
            rate: None,
        }
    }

    pub(crate) const fn to(self, subscribers: u64) -> Self {
        Self { subscribers, ..self }
    }

    pub(crate) const fn from(self, publishers: u64) -> Self {
        Self { publishers, ..self }
    }

    pub(crate) const fn fan(self, subscribers: u64) -> Self {
        Self {
            subscribers,
            is_fan: true,
            ..self
        }
    }

    /// Whether the system can do it, in reasonable time.
    pub(crate) fn suits(&self, system: &dyn System) -> bool {
        let is_plain = *self == Self::of(self.size);
        match system.name() {
            // The subscriber of this one is the listening end.
            "socket" => is_plain,
            "pysig" => is_plain && self.size <= 64,
            _ if self.is_fan => system.has("fan"),
            _ => system.has("sub"),
        }
    }

    fn words(&self, seconds: Option<f64>, count: u64) -> Vec<String> {
        let mut words = Vec::new();
        let mut say = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        say("size", self.size.to_string());
        say("publishers", self.publishers.to_string());
        say("topics", self.topics.to_string());
        match seconds {
            Some(seconds) => say("seconds", seconds.to_string()),
            None => say("count", count.to_string()),
        }
        if let Some(rate) = self.rate {
            say("rate", (rate / self.publishers as f64).to_string());
        }
        words
    }

    /// Runs it for about this long.
    pub(crate) fn run_for(&self, system: &dyn System, broker: &Broker, seconds: f64) -> Result<Figures, Failure> {
        if self.is_fan {
            // By number: a publisher that nobody holds up would leave minutes of work behind.
            let events =
                (FAN_DELIVERIES_PER_S * seconds / self.subscribers as f64).min(MOST_FAN_EVENTS_PER_S * seconds);
            return self.run(system, broker, None, events as u64);
        }
        self.run(system, broker, Some(seconds), 0)
    }

    /// Runs it for this long, or until each publisher has sent so many.
    pub(crate) fn run(
        &self,
        system: &dyn System,
        broker: &Broker,
        seconds: Option<f64>,
        count: u64,
    ) -> Result<Figures, Failure> {
        let words = self.words(seconds, count);
        let with_subscribers = || {
            let mut words = words.clone();
            words.extend(["--subscribers".to_owned(), self.subscribers.to_string()]);
            words
        };
        let mut subscribers = Vec::new();
        let mut publisher;
        if system.is_one_process() {
            publisher = system.party("pub", &broker.url, &with_subscribers())?;
        } else {
            if self.is_fan {
                subscribers.push(system.party("fan", &broker.url, &with_subscribers())?);
            } else {
                for _ in 0..self.subscribers {
                    subscribers.push(system.party("sub", &broker.url, &words)?);
                }
            }
            for subscriber in &mut subscribers {
                subscriber.ready(PATIENCE)?;
            }
            publisher = system.party("pub", &broker.url, &words)?;
        }
        publisher.ready(PATIENCE)?;
        let measured = broker.pid();
        let cpu = || measured.and_then(cpu_seconds);
        measured.inspect(|pid| forget_peak(*pid));
        let before = cpu();
        publisher.go()?;
        // For all of them together.
        let until = Instant::now() + LONGEST + Duration::from_secs_f64(seconds.unwrap_or(0.0));
        let left = || until.saturating_duration_since(Instant::now());
        let mut rows = vec![publisher.row(left())?];
        for subscriber in &mut subscribers {
            rows.push(subscriber.row(left())?);
        }
        if system.is_one_process() {
            for _ in 0..self.subscribers {
                rows.push(publisher.row(left())?);
            }
        }
        let used = cpu().zip(before).map(|(after, before)| after - before);
        // In one process the publisher's row may come behind those of its subscribers.
        let (sent, heard): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row["role"] == "pub");
        let sent = sent
            .first()
            .ok_or_else(|| Failure::new("the publisher says nothing of what it sent"))?;
        Ok(self.figures(sent, &heard, used, measured.and_then(peak_kib)))
    }

    fn figures(&self, sent: &Value, heard: &[Value], cpu: Option<f64>, peak: Option<f64>) -> Figures {
        let sum = |name: &str| heard.iter().map(|row| number(row, name)).sum::<f64>();
        let most = |name: &str| heard.iter().map(|row| number(row, name)).fold(f64::NAN, f64::max);
        let received = sum("received");
        let seconds = (most("last_ns") - number(sent, "begun_ns")) / 1e9;
        let expected = number(sent, "sent") * self.subscribers as f64;
        let mut figures = vec![
            ("deliveries_per_s", received / seconds),
            ("events_per_s", received / self.subscribers as f64 / seconds),
            ("mb_per_s", sum("bytes") / seconds / 1e6),
            ("lost", expected - received),
            ("corrupt", sum("corrupt") + sum("disordered")),
        ];
        figures.extend(cpu.map(|cpu| ("broker_us_per_delivery", cpu * 1e6 / received)));
        figures.extend(peak.map(|peak| ("broker_peak_kib", peak)));
        for (name, figure) in [("p50_us", "delivery_p50_us"), ("p99_us", "delivery_p99_us")] {
            let value = most(name);
            figures.extend(value.is_finite().then_some((figure, value)));
        }
        figures
    }
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Stream {
    name: &'static str,
    title: &'static str,
    shape: Shape,
}

impl Stream {
    pub(super) fn new(name: &'static str, title: &'static str, shape: Shape) -> Self {
        Self { name, title, shape }
    }
}

impl Work for Stream {
    fn name(&self) -> &str {
        self.name
    }

    fn title(&self) -> &str {
        self.title
    }

    fn metric(&self) -> (&'static str, bool) {
        ("deliveries_per_s", true)
    }

    fn suits(&self, system: &dyn System) -> bool {
        self.shape.suits(system)
    }

    fn is_quick(&self, system: &dyn System) -> bool {
        // A hundred sessions of zenoh take half a minute to come up.
        let takes_long = system.side() == Side::Middle
            || ["mosquitto", "pysig", "ideal-ipc"].contains(&system.name())
            || (self.shape.publishers > 1 && system.name() == "zenoh");
        self.name == FIRST || !takes_long
    }

    fn run(&self, system: &dyn System, broker: &Broker, budget: Budget, _: &Results) -> Result<Figures, Failure> {
        self.shape.run_for(system, broker, budget.seconds)
    }
}

/// The most events per second that a peer gave in the first row.
pub(super) fn best_peer(results: &Results) -> Option<f64> {
    const EVENTS: &str = "events_per_s";
    let best = results.best(FIRST, EVENTS, true, |side| side == Side::Peer)?;
    results.median(FIRST, best, EVENTS)
}
