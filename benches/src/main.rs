//! Measures sig. See `docs/PERFORMANCE.md`.

mod error;
mod parties;
mod process;
mod quick;

use std::process::ExitCode;

use sig_bench_party::{Args, quit_with_parent};

use crate::error::Failure;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("sig-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    if std::env::args().nth(1).as_deref() == Some("hold") {
        return process::hold(std::env::args_os().skip(2));
    }
    let args = Args::of_process()?;
    if args.role == "run" {
        return quick::run(&args);
    }
    if args.held && args.role != "pub" {
        quit_with_parent();
    }
    parties::run(args)
}
