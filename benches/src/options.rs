//! The arguments of the benchmark.

use std::path::PathBuf;

use clap::Parser;

/// Measure sig beside its peers, everything interleaved and each party in a process of its own.
///
/// Without arguments all rows of the table are measured, which takes about ten minutes; peers that are not installed are
/// left out, and it is said how to install them. The clients of the peers are built on the first run.
#[derive(Debug, Parser)]
#[command(
    name = "sig-bench",
    version,
    after_help = "\
Parties can also be started one by one, beside a `sig serve`:
  sig-bench sub URL [COUNT [SIZE]]     sig-bench pub URL [COUNT [SIZE]]
  sig-bench pong URL                   sig-bench ping URL [COUNT [SIZE]]
  sig-bench rep URL                    sig-bench req URL [COUNT [SIZE]]
and all of ours in one go, alone:
  sig-bench run tcp|ipc [COUNT [SIZE]] [--subscribers N] [--publishers N] [--seconds S] [--rate R]"
)]
pub(crate) struct Options {
    /// Short runs and few rounds: less than two minutes, once everything is built
    #[arg(long)]
    pub(crate) quick: bool,

    /// Measure only rows whose name contains this; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub(crate) work: Vec<String>,

    /// Measure only systems whose name contains this; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Vec<String>,

    /// How often each system has its turn
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) rounds: Option<u8>,

    /// How long one turn takes
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<f64>,

    /// Write every figure as a line of JSON: work, system, metric, value
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the main table into a document, or the tables of `--curves`, between the marks that it has for them:
    /// <!-- table --> and <!-- end of table -->, or <!-- curves --> and <!-- end of curves -->
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,

    /// Draw the deliveries per second as an SVG, for light and dark pages
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,

    /// How cost grows with payload size, subscribers, publishers, topics and connections, instead of the table
    #[arg(long)]
    pub(crate) curves: bool,

    /// Take the programs that were built before
    #[arg(long)]
    pub(crate) no_build: bool,

    /// Say which rows and systems there are
    #[arg(long)]
    pub(crate) list: bool,
}

impl Options {
    /// Whether a name is among those that are wanted.
    pub(crate) fn wants(wanted: &[String], name: &str) -> bool {
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
    }
}
