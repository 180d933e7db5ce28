//! Curves, as tables and as a picture.

use std::fmt::Write as _;
use std::path::Path;

use super::table::{figure, heading, lines};
use super::{Results, side_color, style};
use crate::curves::{Curve, Point};
use crate::error::Failure;
use crate::systems::Side;
use crate::works::Work as _;

/// One table for each metric of a curve: points down, systems across.
pub(crate) fn show(results: &Results, curve: &Curve) -> String {
    let mut text = String::new();
    let systems = systems(results, curve);
    for metric in [curve.metric].iter().chain(curve.more) {
        let mut rows = vec![vec![curve.name.to_owned()]];
        rows[0].extend(systems.iter().map(|(name, _)| (*name).to_owned()));
        for point in &curve.points {
            let mut row = vec![at(point.at)];
            for (system, _) in &systems {
                let value = results.median(point.name(), system, metric);
                row.push(value.map_or_else(|| "-".to_owned(), |value| figure(metric, value)));
            }
            rows.push(row);
        }
        // Not every system has every metric.
        if rows.iter().skip(1).flatten().any(|cell| cell.as_str() != "-") {
            let _ = writeln!(text, "**{}: {}**\n\n{}", curve.title, heading(metric), lines(&rows));
        }
    }
    text
}

fn systems(results: &Results, curve: &Curve) -> Vec<(&'static str, Side)> {
    let mut found = Vec::new();
    for system in curve.points.iter().flat_map(|point| results.of(point.name())) {
        if !found.iter().any(|(name, _)| *name == system.name) {
            found.push((system.name, system.side));
        }
    }
    found
}

/// A number as people say it.
fn at(value: u64) -> String {
    for (unit, size) in [("Mi", 1u64 << 20), ("Ki", 1 << 10)] {
        if value >= size && value.is_multiple_of(size) {
            return format!("{} {unit}", value / size);
        }
    }
    if value > 1 << 20 {
        return format!("{:.0} Mi", value as f64 / f64::from(1 << 20));
    }
    value.to_string()
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 100.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 30.0;

/// A panel for each curve; both axes are logarithmic.
pub(crate) fn write(results: &Results, curves: &[Curve], to: &Path) -> Result<(), Failure> {
    let mut body = String::new();
    for (number, curve) in curves.iter().enumerate() {
        panel(&mut body, results, curve, number as f64 * HEIGHT);
    }
    style::write(to, WIDTH, HEIGHT * curves.len() as f64, &body)
}

/// A scale of powers.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values.fold((f64::INFINITY, 0.0), |(low, high), value| {
            (value.min(low), value.max(high))
        });
        Self {
            low: low.log10(),
            high: high.log10().max(low.log10() + 0.1),
            from,
            to,
        }
    }

    fn place(&self, value: f64) -> f64 {
        self.from + (value.log10() - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// The powers of ten within.
    fn powers(&self) -> impl Iterator<Item = f64> {
        (self.low.ceil() as i32..=self.high.floor() as i32).map(|power| 10f64.powi(power))
    }
}

fn panel(body: &mut String, results: &Results, curve: &Curve, top: f64) {
    let systems = systems(results, curve);
    let value = |point: &Point, system: &str| {
        let value = results.median(point.name(), system, curve.metric)?;
        (value > 0.0).then_some(value)
    };
    let values: Vec<f64> = systems
        .iter()
        .flat_map(|(system, _)| curve.points.iter().filter_map(|point| value(point, system)))
        .collect();
    if values.is_empty() {
        return;
    }
    let (bottom, right) = (top + HEIGHT - BOTTOM, WIDTH - RIGHT);
    let across = Scale::of(curve.points.iter().map(|point| point.at as f64), LEFT, right);
    let up = Scale::of(values.into_iter(), bottom, top + TOP);
    let _ = writeln!(
        body,
        r#"<text class="title" x="0" y="{:.0}">{}: {}</text>"#,
        top + 18.0,
        curve.title.replace("->", "&#8594;"),
        heading(curve.metric)
    );
    for power in up.powers() {
        let y = up.place(power);
        let _ = writeln!(
            body,
            r#"<line class="grid" x1="{LEFT}" y1="{y:.1}" x2="{right}" y2="{y:.1}"/><text x="{:.0}" y="{:.1}" text-anchor="end">{}</text>"#,
            LEFT - 6.0,
            y + 4.0,
            figure("", power)
        );
    }
    for point in &curve.points {
        let x = across.place(point.at as f64);
        let _ = writeln!(
            body,
            r#"<line class="grid" x1="{x:.1}" y1="{:.1}" x2="{x:.1}" y2="{bottom}"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            top + TOP,
            bottom + 16.0,
            at(point.at)
        );
    }
    let mut labels: Vec<(f64, &str, &str)> = Vec::new();
    for (number, (system, side)) in systems.iter().enumerate() {
        let points: Vec<_> = curve
            .points
            .iter()
            .filter_map(|point| Some((across.place(point.at as f64), up.place(value(point, system)?))))
            .collect();
        let line: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let color = side_color(*side, number);
        let _ = writeln!(body, r#"<polyline stroke="{color}" points="{}"/>"#, line.join(" "));
        if let Some((_, y)) = points.last() {
            labels.push((*y, system, color));
        }
    }
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free = top;
    for (y, system, color) in labels {
        let y = y.max(free);
        free = y + 12.0;
        let _ = writeln!(
            body,
            r#"<text x="{:.0}" y="{:.1}" style="fill:{color}">{system}</text>"#,
            right + 8.0,
            y + 4.0
        );
    }
}
