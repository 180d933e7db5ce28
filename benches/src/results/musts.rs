//! What is promised of the speed, beside what was measured.

use super::Results;
use super::table::lines;
use crate::systems::Side;

const OURS: &str = "sig-tcp";
const LOCAL: &str = "sig-local";

/// One promise.
struct Must {
    what: &'static str,
    /// The measured figure, with what it is compared to worked in.
    measured: fn(&Results) -> Option<f64>,
    /// The promised one, and the one that is aimed at.
    must: f64,
    aim: Option<f64>,
    more_is_better: bool,
}

/// So many times the best peer.
fn times_peer(results: &Results, work: &str, metric: &str, more_is_better: bool) -> Option<f64> {
    let best = results.best(work, metric, more_is_better, |side| side == Side::Peer)?;
    results.ratio(work, metric, OURS, best)
}

/// So many times another system.
fn times(results: &Results, work: &str, metric: &str, other: &str) -> Option<f64> {
    results.ratio(work, metric, OURS, other)
}

/// The worst ratio of ipc to TCP over all rows that tell how fast it is: at least 1 where ipc is better everywhere.
fn worst_of_ipc(results: &Results) -> Option<f64> {
    let ratios = ["1to1-64", "1to8-64", "1to1-1k", "1to8-1k", "1to1000-64", "100to1-64"]
        .map(|work| ratio_of_ipc(results, work, "deliveries_per_s"))
        .into_iter()
        .chain(
            ["event-trip", "request-trip"].map(|work| ratio_of_ipc(results, work, "p50_us").map(|ratio| 1.0 / ratio)),
        );
    ratios.flatten().reduce(f64::min)
}

fn ratio_of_ipc(results: &Results, work: &str, metric: &str) -> Option<f64> {
    results.ratio(work, metric, "sig-ipc", OURS)
}

/// The worse ratio of ZeroMQ to TCP.
fn worst_of_zmq(results: &Results) -> Option<f64> {
    let ratios = ["1to1-64", "1to8-64"].map(|work| results.ratio(work, DELIVERIES, "sig-zmq", OURS));
    ratios.into_iter().flatten().reduce(f64::min)
}

/// Our forwarder beside libzmq's proxy, with the same clients: the worse ratio of both makes of them.
fn worst_of_forwarder(results: &Results) -> Option<f64> {
    let ratio = |ours, theirs| results.ratio("1to1-64", DELIVERIES, ours, theirs);
    let ratios = [ratio("forward", "zmq"), ratio("forward-omq", "zmq-omq")];
    ratios.into_iter().flatten().reduce(f64::min)
}

/// The worse round trip, of events and of requests.
fn trip_of_forwarder(results: &Results, ours: &str, theirs: &str) -> Option<f64> {
    let ratios = ["event-trip", "request-trip"].map(|work| results.ratio(work, "p50_us", ours, theirs));
    ratios.into_iter().flatten().reduce(f64::max)
}

const DELIVERIES: &str = "deliveries_per_s";

const MUSTS: &[Must] = &[
    more("64 B, 1 -> 1: x best peer", 2.5, Some(3.0), |r| {
        times_peer(r, "1to1-64", DELIVERIES, true)
    }),
    more("64 B, 1 -> 1: x ideal broker", 0.0, Some(0.6), |r| {
        times(r, "1to1-64", DELIVERIES, "ideal")
    }),
    more("64 B, 1 -> 8: x best peer", 2.5, Some(3.0), |r| {
        times_peer(r, "1to8-64", DELIVERIES, true)
    }),
    more("1 KiB, 1 -> 1: x best peer", 1.5, Some(2.0), |r| {
        times_peer(r, "1to1-1k", DELIVERIES, true)
    }),
    more("1 KiB, 1 -> 8: x best peer", 1.9, Some(2.5), |r| {
        times_peer(r, "1to8-1k", DELIVERIES, true)
    }),
    more("64 B over ZeroMQ: x TCP", 0.5, None, worst_of_zmq),
    more(
        "forwarder, 64 B, 1 -> 1: x libzmq's proxy",
        1.0,
        None,
        worst_of_forwarder,
    ),
    less(
        "forwarder, round trip p50 with omq clients: x libzmq's proxy",
        0.6,
        None,
        |r| trip_of_forwarder(r, "forward-omq", "zmq-omq"),
    ),
    less(
        "forwarder, round trip p50 with libzmq clients: x libzmq's proxy",
        0.8,
        None,
        |r| trip_of_forwarder(r, "forward", "zmq"),
    ),
    more("64 B, 1 -> 1,000: x nats", 2.0, Some(3.0), |r| {
        times(r, "1to1000-64", DELIVERIES, "nats")
    }),
    more("64 B, 100 -> 1: x best peer", 2.0, Some(3.0), |r| {
        times_peer(r, "100to1-64", DELIVERIES, true)
    }),
    less(
        "64 B, 1 -> 1: broker CPU per delivery, x best peer",
        0.5,
        Some(0.333),
        |r| times_peer(r, "1to1-64", "broker_us_per_delivery", false),
    ),
    less(
        "64 B, 1 -> 8: broker CPU per delivery, x best peer",
        0.5,
        Some(0.333),
        |r| times_peer(r, "1to8-64", "broker_us_per_delivery", false),
    ),
    less("event round trip p50, x nats", 1.0, None, |r| {
        times(r, "event-trip", "p50_us", "nats")
    }),
    less("event round trip p99, x nats", 1.0, None, |r| {
        times(r, "event-trip", "p99_us", "nats")
    }),
    less(
        "event round trip p50, x two round trips on a socket",
        f64::INFINITY,
        Some(2.5),
        |r| times(r, "event-trip", "p50_us", "socket").map(|ratio| ratio / 2.0),
    ),
    less("request round trip p50, x nats", 1.0, Some(0.8), |r| {
        times(r, "request-trip", "p50_us", "nats")
    }),
    less("delivery p99 at half load, x best peer", 1.0, None, |r| {
        times_peer(r, "half-load", "delivery_p99_us", false)
    }),
    more("ipc instead of TCP, worst row", 1.0, None, worst_of_ipc),
    less("10,000 idle clients: router KiB each", 8.0, Some(4.0), |r| {
        r.median("idle", OURS, "kib_per_client")
    }),
    less("10,000 idle clients: time to connect, x nats", 1.0, None, |r| {
        times(r, "idle", "connect_s", "nats")
    }),
    less("10,000 idle clients: percent of a core", 2.0, None, |r| {
        r.median("idle", OURS, "idle_core_percent")
    }),
    less("in process: one listener, ns", 25.0, None, |r| {
        r.median("in-process", LOCAL, "one_listener_ns")
    }),
    less("in process: each further listener, ns", 5.0, None, |r| {
        r.median("in-process", LOCAL, "further_listener_ns")
    }),
    less("in process: once a stream exists, ns", 45.0, None, |r| {
        r.median("in-process", LOCAL, "stream_elsewhere_ns")
    }),
    less("in process: once a remote listener exists, ns", 45.0, None, |r| {
        r.median("in-process", LOCAL, "remote_elsewhere_ns")
    }),
    less("slow subscriber: events lost", 0.0, None, |r| {
        r.median("slow-subscriber", OURS, "lost")
    }),
    less("slow subscriber: router grows by KiB", 1024.0, None, |r| {
        r.median("slow-subscriber", OURS, "grown_kib")
    }),
    less("slow subscriber: p50 of another pair, x alone", 1.5, None, |r| {
        let of = |metric| r.median("slow-subscriber", OURS, metric);
        Some(of("p50_us")? / of("alone_p50_us")?)
    }),
];

const fn more(what: &'static str, must: f64, aim: Option<f64>, measured: fn(&Results) -> Option<f64>) -> Must {
    Must {
        what,
        measured,
        must,
        aim,
        more_is_better: true,
    }
}

const fn less(what: &'static str, must: f64, aim: Option<f64>, measured: fn(&Results) -> Option<f64>) -> Must {
    Must {
        more_is_better: false,
        ..more(what, must, aim, measured)
    }
}

impl Must {
    fn row(&self, results: &Results) -> Option<Vec<String>> {
        let measured = (self.measured)(results)?;
        let reaches = |wanted: f64| {
            if self.more_is_better {
                measured >= wanted
            } else {
                measured <= wanted
            }
        };
        let is_set = self.must.is_finite() && !(self.more_is_better && self.must == 0.0);
        let verdict = match self.aim {
            Some(aim) if reaches(aim) => "aim",
            _ if !is_set => "",
            _ if reaches(self.must) => "ok",
            _ => "SHORT",
        };
        let shown = |value: f64| format!("{value:.2}");
        Some(vec![
            self.what.to_owned(),
            shown(measured),
            if is_set { shown(self.must) } else { String::new() },
            self.aim.map(shown).unwrap_or_default(),
            verdict.to_owned(),
        ])
    }
}

/// The table of what could be judged.
pub(crate) fn show(results: &Results) -> String {
    let head = ["sig over TCP, if nothing else is said", "measured", "must", "aim", ""].map(str::to_owned);
    let rows: Vec<_> = MUSTS.iter().filter_map(|must| must.row(results)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let all: Vec<_> = [head.to_vec()].into_iter().chain(rows).collect();
    lines(&all)
}
