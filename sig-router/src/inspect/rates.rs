//! Rates, from counters that are read now and then: nothing is counted for their sake.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sig_core::ClientId;

use super::{Links, Traffic};
use crate::hub::Hub;

/// Readings that are younger than this are used again.
const FRESH: Duration = Duration::from_millis(900);

/// After so much time without a question the readings are thrown away.
const UNUSED: Duration = Duration::from_secs(60);

/// What was read last, and the rates since the reading before.
#[derive(Debug, Default)]
pub(super) struct Rates {
    read: Option<Instant>,
    interval: Duration,
    events: HashMap<u32, Counted>,
    clients: HashMap<ClientId, Flow>,
    total: Flow,
}

/// The counter of an event.
#[derive(Debug, Clone, Copy)]
struct Counted {
    series: u64,
    number: u64,
    rate: Option<f64>,
}

/// The counters of a client or of all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flow {
    pub(super) now: Traffic,
    pub(super) rates: Option<FlowRates>,
}

/// Per second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FlowRates {
    pub(super) events_in: f64,
    pub(super) bytes_in: f64,
    pub(super) events_out: f64,
    pub(super) bytes_out: f64,
}

impl Rates {
    /// Reads the counters, unless that was done just now.
    pub(super) fn refresh(&mut self, now: Instant, hub: &Hub, links: Option<&dyn Links>) {
        let interval = self.read.map(|read| now.saturating_duration_since(read));
        if interval.is_some_and(|interval| interval < FRESH) {
            return;
        }
        self.interval = interval.unwrap_or_default();
        self.read = Some(now);
        let events = std::mem::take(&mut self.events);
        for record in hub.records() {
            for event in record
                .events
                .lock()
                .values()
                .filter(|event| !event.name().is_presence())
            {
                let (series, number) = (event.series(), event.number());
                let before = events.get(&event.alias).filter(|before| before.series == series);
                let rate = before.and_then(|before| per_second(before.number, number, interval));
                self.events.insert(event.alias, Counted { series, number, rate });
            }
        }
        let Some(links) = links else { return };
        let clients = std::mem::take(&mut self.clients);
        let total = links.total(&mut |id, traffic| {
            let before = clients.get(&id).map(|before| before.now);
            self.clients.insert(id, Flow::since(before, traffic, interval));
        });
        self.total = Flow::since(Some(self.total.now), total, interval);
    }

    /// Throws the readings away if nobody has asked for a while.
    pub(super) fn forget_unused(&mut self, now: Instant) {
        if self
            .read
            .is_some_and(|read| now.saturating_duration_since(read) > UNUSED)
        {
            *self = Self::default();
        }
    }

    /// Whether there are two readings to compare.
    pub(super) fn are_there(&self) -> bool {
        !self.interval.is_zero()
    }

    pub(super) fn interval_ms(&self) -> u64 {
        u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX)
    }

    /// That of the event with this alias.
    pub(super) fn of_event(&self, alias: u32) -> Option<f64> {
        self.events.get(&alias)?.rate
    }

    pub(super) fn of_client(&self, client: ClientId) -> Option<FlowRates> {
        self.clients.get(&client)?.rates
    }

    pub(super) fn total(&self) -> Flow {
        self.total
    }
}

impl Flow {
    fn since(before: Option<Traffic>, now: Traffic, interval: Option<Duration>) -> Self {
        let rates = before.and_then(|before| {
            Some(FlowRates {
                events_in: per_second(before.events_in, now.events_in, interval)?,
                bytes_in: per_second(before.bytes_in, now.bytes_in, interval)?,
                events_out: per_second(before.events_out, now.events_out, interval)?,
                bytes_out: per_second(before.bytes_out, now.bytes_out, interval)?,
            })
        });
        Self { now, rates }
    }
}

/// So many per second, with three decimals.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_second(before: u64, now: u64, interval: Option<Duration>) -> Option<f64> {
    let seconds = interval.filter(|interval| !interval.is_zero())?.as_secs_f64();
    Some((now.saturating_sub(before) as f64 / seconds * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_was_added_by_the_time_that_passed() {
        assert_eq!(per_second(10, 25, Some(Duration::from_secs(3))), Some(5.0));
        assert_eq!(per_second(0, 1, Some(Duration::from_secs(3))), Some(0.333));
        assert_eq!(per_second(25, 10, Some(Duration::from_secs(1))), Some(0.0));
        assert_eq!(per_second(1, 2, Some(Duration::ZERO)), None);
        assert_eq!(per_second(1, 2, None), None);
    }
}
