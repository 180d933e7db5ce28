//! What the pictures have in common. They have no background, and colors for light and for dark pages.

use std::path::Path;

use crate::error::Failure;

const STYLE: &str = "\
text { font: 11px sans-serif; fill: #555 } .title { font-weight: bold; font-size: 12px; fill: #222 }
.grid { stroke: #8884 } polyline { fill: none; stroke-width: 2 }
.ours { fill: #1b7f5c } .peer { fill: #8a8f98 } .limit { fill: #d5b060 }
@media (prefers-color-scheme: dark) {
text { fill: #aaa } .title { fill: #ddd } .ours { fill: #3fb68b } .peer { fill: #6c727c } .limit { fill: #9c8145 }
}";

/// Writes a picture of this size.
pub(super) fn write(to: &Path, width: f64, height: f64, body: &str) -> Result<(), Failure> {
    let text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\">\n<style>\n{STYLE}\n</style>\n{body}</svg>\n"
    );
    std::fs::write(to, text).map_err(|error| Failure::of(format!("cannot write {}", to.display()), error))
}
