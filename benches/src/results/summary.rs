//! All rows in one table, for a document.

use super::Results;
use super::table::{figure, lines};
use crate::systems::Side;

/// The systems across, as they are measured and as people call them.
const SYSTEMS: [(&str, &str); 11] = [
    ("sig-tcp", "sig tcp"),
    ("sig-ipc", "sig ipc"),
    ("sig-zmq", "sig zmq"),
    ("sig-local", "sig local"),
    ("nats", "NATS"),
    ("zmq", "ZeroMQ"),
    ("zenoh", "zenoh"),
    ("mosquitto", "mosquitto"),
    ("pysig", "pysig"),
    ("ideal", "*ideal*"),
    ("ideal-ipc", "*ideal ipc*"),
];

const MORE: bool = true;
const LESS: bool = false;

/// What each line says, of which work and metric, and whether more is better.
const LINES: &[(&str, &str, &str, bool)] = &[
    ("1 -> 1, events/s", "1to1-64", "deliveries_per_s", MORE),
    ("1 -> 8, deliveries/s", "1to8-64", "deliveries_per_s", MORE),
    ("1 KiB, 1 -> 1, events/s", "1to1-1k", "deliveries_per_s", MORE),
    ("1 KiB, 1 -> 8, deliveries/s", "1to8-1k", "deliveries_per_s", MORE),
    (
        "1 -> 1,000 raw subscribers, deliveries/s",
        "1to1000-64",
        "deliveries_per_s",
        MORE,
    ),
    ("100 publishers -> 1, events/s", "100to1-64", "deliveries_per_s", MORE),
    (
        "broker CPU of a delivery, 1 -> 1, us",
        "1to1-64",
        "broker_us_per_delivery",
        LESS,
    ),
    (
        "broker CPU of a delivery, 1 -> 8, us",
        "1to8-64",
        "broker_us_per_delivery",
        LESS,
    ),
    ("event round trip, p50, us", "event-trip", "p50_us", LESS),
    ("event round trip, p99, us", "event-trip", "p99_us", LESS),
    ("request round trip, p50, us", "request-trip", "p50_us", LESS),
    ("request round trip, p99, us", "request-trip", "p99_us", LESS),
    ("delivery at half load, p50, us", "half-load", "delivery_p50_us", LESS),
    ("delivery at half load, p99, us", "half-load", "delivery_p99_us", LESS),
    ("broker's peak memory, 1 -> 1, KiB", "1to1-64", "broker_peak_kib", LESS),
    ("broker's memory of an idle client, KiB", "idle", "kib_per_client", LESS),
    ("connecting 10,000 clients, s", "idle", "connect_s", LESS),
    ("10,000 idle clients, % of a core", "idle", "idle_core_percent", LESS),
];

/// One line for each row that was measured; after ours, how it compares to the best peer.
pub(crate) fn show(results: &Results) -> String {
    let systems: Vec<_> = SYSTEMS
        .iter()
        .filter(|(system, _)| {
            LINES
                .iter()
                .any(|(_, work, metric, _)| results.median(work, system, metric).is_some())
        })
        .collect();
    let mut head = vec!["64-byte payloads unless said".to_owned()];
    for (at, (_, called)) in systems.iter().enumerate() {
        head.push((*called).to_owned());
        if at == 0 {
            head.push("x best peer".to_owned());
        }
    }
    let mut rows = vec![head];
    for (title, work, metric, more_is_better) in LINES {
        let best = results.best(work, metric, *more_is_better, |side| side == Side::Peer);
        let mut row = vec![(*title).to_owned()];
        for (at, (system, _)) in systems.iter().enumerate() {
            let value = results.median(work, system, metric);
            row.push(value.map_or_else(String::new, |value| {
                cell(metric, value) + &losses(results, work, system, metric)
            }));
            if at == 0 {
                let ratio = best.and_then(|best| results.ratio(work, metric, system, best));
                row.push(ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")));
            }
        }
        if row.iter().skip(1).any(|cell| !cell.is_empty()) {
            rows.push(row);
        }
    }
    lines(&rows)
}

fn cell(metric: &str, value: f64) -> String {
    if metric != "broker_peak_kib" && value >= 1e6 {
        format!("{:.2} M", value / 1e6)
    } else if metric != "broker_peak_kib" && value >= 1e4 {
        format!("{:.0} k", value / 1e3)
    } else {
        figure(metric, value)
    }
}

/// What was lost of the events that are counted here.
fn losses(results: &Results, work: &str, system: &str, metric: &str) -> String {
    match results.median(work, system, "lost") {
        Some(lost) if lost > 0.0 && metric == "deliveries_per_s" => format!(" ({} lost)", figure("lost", lost)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_line_for_what_was_measured_and_losses_show() {
        let mut results = Results::default();
        let figures = |rate, lost| vec![("deliveries_per_s", rate), ("lost", lost)];
        results.add("1to1-64", "sig-tcp", Side::Ours, &figures(4.5e6, 0.0));
        results.add("1to1-64", "nats", Side::Peer, &figures(1.5e6, 7.0));
        let text = show(&results);
        assert_eq!(text.lines().count(), 3, "{text}");
        let row: Vec<_> = text
            .lines()
            .last()
            .unwrap_or_default()
            .split('|')
            .map(str::trim)
            .collect();
        assert_eq!(row, ["", "1 -> 1, events/s", "4.50 M", "3.00", "1.50 M (7 lost)", ""]);
    }
}
