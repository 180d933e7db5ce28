//! The rows of the answers, one sort after the other.

use std::cmp::Ordering;
use std::time::Instant;

use sig_core::ClientId;

use super::query::{Cursor, Order, Page, Query};
use super::rates::Rates;
use super::{Busy, ClientReport, Deep, EventReport, Links, RouterReport, SenderReport, Stats, millis};
use crate::clock;
use crate::hub::{EventRecord, Hub, Owner, SenderRecord};

/// Most events of one sender in an answer.
const MOST_EVENTS: usize = 1000;

/// How many rows the statistics have of each sort.
const TOP: usize = 10;

pub(super) fn info(hub: &Hub, links: Option<&dyn Links>, began: Instant) -> RouterReport {
    let (router_id, epoch) = links.map(Links::identity).unwrap_or_default();
    let traffic = links.map(|links| links.total(&mut |_, _| {})).unwrap_or_default();
    RouterReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        router_id,
        epoch,
        uptime_ms: millis(clock::now().saturating_duration_since(began)),
        clients: links.map_or(0, Links::count_clients),
        carriers: links.map_or(0, |links| links.carriers().len()),
        senders: hub.count_senders(),
        listeners: hub.count_listeners(),
        events_in: traffic.events_in,
        bytes_in: traffic.bytes_in,
        events_out: traffic.events_out,
        bytes_out: traffic.bytes_out,
        waiting: traffic.waiting,
        lost: traffic.lost,
        skipped: traffic.skipped,
    }
}

pub(super) fn clients(links: &dyn Links, rates: &Rates, query: &Query) -> Page<ClientReport> {
    let after = match query.order() {
        Order::Id => query.after_number(),
        Order::Rate | Order::Waiting => 0,
    };
    let mut ids: Vec<(f64, ClientId)> = Vec::new();
    let mut total = 0;
    links.each_client(&mut |id, traffic| {
        total += 1;
        let weight = match query.order() {
            Order::Id => 0.0,
            Order::Rate => rates
                .of_client(id)
                .map_or(0.0, |rates| rates.events_in + rates.events_out),
            Order::Waiting => depth(traffic.waiting),
        };
        if id.get() > after {
            ids.push((weight, id));
        }
    });
    ids.sort_by(|(weight, id), (other, other_id)| heavier(*weight, *other).then(id.cmp(other_id)));
    let more = ids.len() > query.most();
    ids.truncate(query.most());
    let next = ids.last().filter(|_| more && query.order() == Order::Id);
    let next = next.map(|(_, id)| Cursor::Number(id.get()));
    let now = clock::now();
    let rows = ids.into_iter().filter_map(|(_, id)| {
        let report = links.client(id, now)?;
        let rates = rates.of_client(id);
        Some(ClientReport {
            rate_in: rates.map(|rates| rates.events_in),
            rate_out: rates.map(|rates| rates.events_out),
            ..report
        })
    });
    Page {
        rows: rows.collect(),
        total,
        next,
        interval_ms: None,
    }
}

pub(super) fn senders(hub: &Hub, rates: &Rates, query: &Query) -> Page<SenderReport> {
    let mut records = hub.records();
    records.retain(|record| query.includes_router() || !record.name.is_reserved());
    let total = records.len();
    if query.order() == Order::Id {
        let after = query.after_name().unwrap_or_default();
        records.retain(|record| record.name.as_str() > after);
    } else {
        let mut weighed: Vec<_> = records
            .into_iter()
            .map(|record| (rate_of(&record, rates).unwrap_or(0.0), record))
            .collect();
        weighed.sort_by(|(rate, a), (other, b)| heavier(*rate, *other).then_with(|| a.name.cmp(&b.name)));
        records = weighed.into_iter().map(|(_, record)| record).collect();
    }
    let (mut rows, mut left) = (Vec::new(), query.most());
    let mut waiting = records.iter();
    while left > 0 {
        let Some(record) = waiting.next() else { break };
        let row = sender(record, rates);
        left = left.saturating_sub(1.max(row.events.len()));
        rows.push(row);
    }
    let more = waiting.next().is_some() && query.order() == Order::Id;
    let next = rows.last().filter(|_| more).map(|row| Cursor::Name(row.name.clone()));
    Page {
        rows,
        total,
        next,
        interval_ms: None,
    }
}

fn sender(record: &SenderRecord, rates: &Rates) -> SenderReport {
    let mut report = SenderReport {
        name: record.name.to_string(),
        held_up: !record.gate.is_open(),
        listeners: record.count_listeners(),
        rate: rate_of(record, rates),
        ..SenderReport::default()
    };
    for (name, event) in record.events.lock().iter().filter(|(name, _)| !name.is_presence()) {
        if report.events.len() == MOST_EVENTS {
            report.more_events += 1;
            continue;
        }
        report.events.push(EventReport {
            event: name.to_string(),
            declared: false,
            number: event.number(),
            rate: rates.of_event(event.alias),
            listeners: event.count_listeners(),
        });
    }
    if let Some(connection) = &*record.lane.lock() {
        report.connected = true;
        report.client = match connection.owner {
            Owner::Client(client) => Some(client.get()),
            Owner::Local | Owner::Router => None,
        };
        connection.carrier.clone_into(&mut report.carrier);
        report.generation = connection.generation;
        report.requests = connection.requests.names();
        for event in &mut report.events {
            event.declared = connection.declared.contains(event.event.as_str());
        }
    }
    report
}

/// That of all events of a sender.
fn rate_of(record: &SenderRecord, rates: &Rates) -> Option<f64> {
    let events = record.events.lock();
    let rates = events.values().filter_map(|event| rates.of_event(event.alias));
    rates.fold(None, |sum: Option<f64>, rate| Some(sum.unwrap_or(0.0) + rate))
}

pub(super) fn stats(hub: &Hub, links: Option<&dyn Links>, rates: &Rates) -> Stats {
    let mut busiest: Vec<Busy> = Vec::new();
    for record in hub.records().iter().filter(|record| !record.name.is_reserved()) {
        for event in record.events.lock().values() {
            let rate = rates.of_event(event.alias).unwrap_or(0.0);
            if rate > 0.0 {
                keep_top(&mut busiest, busy(event, rate), |a, b| heavier(a.rate, b.rate));
            }
        }
    }
    let mut deepest: Vec<Deep> = Vec::new();
    if let Some(links) = links {
        links.each_client(&mut |id, traffic| {
            let deep = Deep {
                client: id.get(),
                waiting: traffic.waiting,
            };
            if deep.waiting > 0 {
                keep_top(&mut deepest, deep, |a, b| b.waiting.cmp(&a.waiting));
            }
        });
    }
    let total = rates.total();
    let per_second = total.rates.unwrap_or_default();
    Stats {
        interval_ms: rates.interval_ms(),
        clients: links.map_or(0, Links::count_clients),
        senders: hub.count_senders(),
        listeners: hub.count_listeners(),
        events_in: per_second.events_in,
        bytes_in: per_second.bytes_in,
        events_out: per_second.events_out,
        bytes_out: per_second.bytes_out,
        waiting: total.now.waiting,
        lost: total.now.lost,
        skipped: total.now.skipped,
        busiest,
        deepest,
    }
}

fn busy(event: &EventRecord, rate: f64) -> Busy {
    Busy {
        sender: event.sender.name.to_string(),
        event: event.name().to_string(),
        rate,
    }
}

fn keep_top<T>(top: &mut Vec<T>, row: T, order: impl Fn(&T, &T) -> Ordering) {
    if top.len() < TOP || top.last().is_some_and(|last| order(&row, last) == Ordering::Less) {
        top.truncate(TOP - 1);
        top.push(row);
        top.sort_by(order);
    }
}

/// The larger one first.
fn heavier(weight: f64, other: f64) -> Ordering {
    other.total_cmp(&weight)
}

#[expect(clippy::cast_precision_loss, reason = "only compared")]
fn depth(waiting: usize) -> f64 {
    waiting as f64
}
