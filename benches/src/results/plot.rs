//! A picture of the rows that count deliveries: one panel each, one bar for each system.

use std::fmt::Write as _;
use std::path::Path;

use super::{Results, side_color};
use crate::error::Failure;
use crate::systems::Side;
use crate::works::Work;

const WIDTH: f64 = 760.0;
const NAMES: f64 = 110.0;
const FIGURES: f64 = 120.0;
const BAR: f64 = 16.0;
const GAP: f64 = 5.0;
const TITLE: f64 = 34.0;

/// Writes an SVG; nothing when no such row was measured.
pub(crate) fn write(results: &Results, works: &[Box<dyn Work>], to: &Path) -> Result<(), Failure> {
    let mut body = String::new();
    let mut top = 8.0;
    for work in works.iter().filter(|work| work.metric().0 == "deliveries_per_s") {
        let mut bars: Vec<(&str, Side, f64)> = results
            .of(work.name())
            .iter()
            .filter_map(|system| Some((system.name, system.side, system.median("deliveries_per_s")?)))
            .collect();
        if bars.is_empty() {
            continue;
        }
        bars.sort_by(|one, other| other.2.total_cmp(&one.2));
        let most = bars.first().map_or(1.0, |bar| bar.2);
        let _ = writeln!(
            body,
            r#"<text class="title" x="0" y="{:.0}">{}: deliveries per second</text>"#,
            top + 18.0,
            work.title().replace("->", "&#8594;")
        );
        top += TITLE;
        for (name, side, value) in bars {
            let length = (WIDTH - NAMES - FIGURES) * value / most;
            // Here names tell the peers apart, and colors the sides.
            let color = side_color(side, if side == Side::Peer { 3 } else { 0 });
            let middle = top + BAR - 4.0;
            let _ = writeln!(
                body,
                r#"<text x="{:.0}" y="{middle:.0}" text-anchor="end">{name}</text><rect x="{NAMES}" y="{top:.0}" width="{length:.1}" height="{BAR}" fill="{color}"/><text x="{:.1}" y="{middle:.0}">{}</text>"#,
                NAMES - 8.0,
                NAMES + length + 6.0,
                short(value),
            );
            top += BAR + GAP;
        }
        top += 10.0;
    }
    if body.is_empty() {
        return Ok(());
    }
    let text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{top:.0}\" viewBox=\"0 0 {WIDTH} {top:.0}\">\n\
         <style>text {{ font: 12px sans-serif; fill: #555 }} .title {{ font-weight: bold; font-size: 14px }}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    );
    std::fs::write(to, text).map_err(|error| Failure::of(format!("cannot write {}", to.display()), error))
}

/// With three digits that count.
fn short(value: f64) -> String {
    if value >= 1e6 {
        format!("{:.2} M", value / 1e6)
    } else if value >= 1e3 {
        format!("{:.0} k", value / 1e3)
    } else {
        format!("{value:.0}")
    }
}
