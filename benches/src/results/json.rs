//! Rows for other programs: work, system, metric, value; the median, and the rounds that it is of.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use super::{Results, median};
use crate::error::Failure;

#[derive(Serialize)]
struct Row<'a> {
    work: &'a str,
    system: &'a str,
    metric: &'a str,
    value: f64,
    rounds: &'a [f64],
}

/// Writes one line for each row.
pub(crate) fn write(results: &Results, to: &Path) -> Result<(), Failure> {
    let file = File::create(to).map_err(|error| Failure::of(format!("cannot write {}", to.display()), error))?;
    let mut file = BufWriter::new(file);
    for (work, systems) in &results.values {
        for system in systems {
            for (metric, rounds) in &system.metrics {
                let row = Row {
                    work,
                    system: system.name,
                    metric,
                    value: median(rounds),
                    rounds,
                };
                serde_json::to_writer(&mut file, &row)?;
                file.write_all(b"\n")?;
            }
        }
    }
    Ok(file.flush()?)
}
