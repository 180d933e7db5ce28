//! The tables, as Markdown.

use std::fmt::Write as _;

use super::{OfSystem, Results};
use crate::systems::Side;
use crate::works::Work;

/// The table of a work, if it was measured at all.
pub(crate) fn show(results: &Results, work: &dyn Work) -> String {
    let systems = results.of(work.name());
    if systems.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    let _ = writeln!(text, "**{}** (`{}`)\n", work.title(), work.name());
    text.push_str(&lines(&rows(results, work, systems)));
    text
}

fn rows(results: &Results, work: &dyn Work, systems: &[OfSystem]) -> Vec<Vec<String>> {
    let (decides, more_is_better) = work.metric();
    let best = results.best(work.name(), decides, more_is_better, |side| side == Side::Peer);
    let limit = results.median(work.name(), "ideal", decides).map(|_| "ideal");
    let mut metrics: Vec<&str> = Vec::new();
    for (metric, _) in systems.iter().flat_map(|system| &system.metrics) {
        if !metrics.contains(metric) {
            metrics.push(metric);
        }
    }
    let mut head = vec!["system".to_owned()];
    for metric in &metrics {
        head.push(heading(metric));
        if *metric == decides {
            head.extend(best.map(|_| "x best peer".to_owned()));
            head.extend(limit.map(|_| "x ideal".to_owned()));
        }
    }
    let mut rows = vec![head];
    for system in systems {
        let mut row = vec![system.name.to_owned()];
        for metric in &metrics {
            let value = system.median(metric);
            row.push(value.map_or_else(|| "-".to_owned(), |value| figure(metric, value)));
            if *metric == decides {
                for other in [best, limit].into_iter().flatten() {
                    let ratio = results.ratio(work.name(), decides, system.name, other);
                    row.push(ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")));
                }
            }
        }
        rows.push(row);
    }
    rows
}

/// What a metric is called in a table.
pub(super) fn heading(metric: &str) -> String {
    metric
        .replace("_per_", "/")
        .replace("_us", " us")
        .replace("_ns", " ns")
        .replace("_kib", " KiB")
        .replace('_', " ")
}

/// A figure with as many digits as count.
pub(super) fn figure(metric: &str, value: f64) -> String {
    match metric {
        _ if !value.is_finite() => "-".to_owned(),
        "lost" | "corrupt" | "trips" => grouped(value),
        _ if value.abs() >= 1000.0 => grouped(value),
        _ if value.abs() >= 100.0 => format!("{value:.0}"),
        _ if value.abs() >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A whole number with commas.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    if value <= -0.5 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Columns of the same width; all but the first to the right.
pub(super) fn lines(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(String::len)
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        for (column, width) in widths.iter().enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            let _ = if column == 0 {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
        if at == 0 {
            for (column, width) in widths.iter().enumerate() {
                let dashes = "-".repeat(*width);
                let _ = write!(
                    text,
                    "| {} ",
                    if column == 0 {
                        dashes
                    } else {
                        format!("{}:", &dashes[1..])
                    }
                );
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        for (metric, value, text) in [
            ("x", 1_234_567.4, "1,234,567"),
            ("x", 12.34, "12.3"),
            ("x", 0.123, "0.12"),
            ("lost", 3.0, "3"),
            ("lost", -0.0, "0"),
            ("x", f64::NAN, "-"),
        ] {
            assert_eq!(figure(metric, value), text);
        }
        assert_eq!(heading("broker_us_per_delivery"), "broker us/delivery");
    }

    #[test]
    fn columns_line_up() {
        let rows = [["a", "bb"], ["ccc", "d"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(lines(&rows), "| a   | bb |\n| --- | -: |\n| ccc |  d |\n");
    }
}
