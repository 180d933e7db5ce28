//! Measures sig beside its peers. See `docs/PERFORMANCE.md`.

mod compare;
mod curves;
mod error;
mod limits;
mod options;
mod parties;
mod process;
mod results;
mod run;
mod stream;
mod systems;
mod wire;
mod works;

use std::process::ExitCode;

use clap::Parser as _;
use sig_bench_party::Args;

use crate::error::Failure;
use crate::options::Options;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("sig-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The first argument tells a party from the benchmark, whose arguments are all options.
fn start() -> Result<(), Failure> {
    let first = std::env::args().nth(1).unwrap_or_default();
    if first.is_empty() || first.starts_with('-') {
        let options = Options::parse();
        return if options.curves {
            curves::run(&options)
        } else {
            compare::run(&options)
        };
    }
    if first == "hold" {
        return process::hold(std::env::args_os().skip(2));
    }
    let args = Args::of_process()?;
    match first.as_str() {
        "run" => run::run(&args),
        "fan" | "idle" => wire::run(&args),
        role if role.starts_with("ideal-") || role.starts_with("raw-") => limits::run(&args),
        _ => parties::run(&args),
    }
}
