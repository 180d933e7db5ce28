//! A picture of the rows that count deliveries: one group each, one bar for each system.

use std::fmt::Write as _;
use std::path::Path;

use super::{Results, style};
use crate::error::Failure;
use crate::systems::Side;
use crate::works::Work;

const WIDTH: f64 = 720.0;
const NAMES: f64 = 80.0;
const FIGURES: f64 = 70.0;
const BAR: f64 = 11.0;
const GAP: f64 = 3.0;
const TITLE: f64 = 24.0;

/// They are so far behind that their bars would not be seen, or would hide that those of the others differ.
const LEFT_OUT: [&str; 4] = ["mosquitto", "pysig", "socket", "sig-local"];

/// Writes an SVG; nothing when no such row was measured.
pub(crate) fn write(results: &Results, works: &[Box<dyn Work>], to: &Path) -> Result<(), Failure> {
    let mut body = String::new();
    let mut top = 4.0;
    for work in works.iter().filter(|work| work.metric().0 == "deliveries_per_s") {
        let mut bars: Vec<(&str, Side, f64)> = results
            .of(work.name())
            .iter()
            .filter(|system| !LEFT_OUT.contains(&system.name))
            .filter_map(|system| Some((system.name, system.side, system.median("deliveries_per_s")?)))
            .collect();
        if bars.is_empty() {
            continue;
        }
        bars.sort_by(|one, other| other.2.total_cmp(&one.2));
        let most = bars.first().map_or(1.0, |bar| bar.2);
        let _ = writeln!(
            body,
            r#"<text class="title" x="{NAMES}" y="{:.0}">{}: deliveries per second</text>"#,
            top + 15.0,
            work.title().replace("->", "&#8594;")
        );
        top += TITLE;
        for (name, side, value) in bars {
            let length = (WIDTH - NAMES - FIGURES) * value / most;
            // Here names tell the peers apart, and colors the sides.
            let class = match side {
                Side::Ours => "ours",
                Side::Peer | Side::Middle => "peer",
                Side::Limit => "limit",
            };
            let baseline = top + BAR - 2.0;
            let _ = writeln!(
                body,
                r#"<text x="{:.0}" y="{baseline:.0}" text-anchor="end">{name}</text><rect class="{class}" x="{NAMES}" y="{top:.0}" width="{length:.0}" height="{BAR}"/><text x="{:.0}" y="{baseline:.0}">{}</text>"#,
                NAMES - 6.0,
                NAMES + length + 5.0,
                short(value),
            );
            top += BAR + GAP;
        }
        top += 8.0;
    }
    if body.is_empty() {
        return Ok(());
    }
    style::write(to, WIDTH, top, &body)
}

/// With three digits that count.
fn short(value: f64) -> String {
    if value >= 1e7 {
        format!("{:.1} M", value / 1e6)
    } else if value >= 1e6 {
        format!("{:.2} M", value / 1e6)
    } else if value >= 1e3 {
        format!("{:.0} k", value / 1e3)
    } else {
        format!("{value:.0}")
    }
}
