//! Random senders, listeners, policies, payloads and cuts over every carrier, for as long as one likes, and continuous
//! checks: nothing is lost unreported, nothing reordered, memory and tasks stay as they are.
//!
//! `soak --minutes 10`, `soak --seconds 20 --seed 7`. Prints a line every ten seconds, and at the end what was shown; ends
//! with status 1, the seed and what failed as soon as anything does.

mod books;
mod chaos;
mod failure;
mod flat;
mod forwarded;
mod gauges;
mod hear;
mod publish;
mod world;

use std::alloc::System;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts what is in use. What the system has given says less: an allocator keeps most of what it ever had.
#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Random senders, listeners, policies, payloads and cuts over every carrier, checked all the time.
#[derive(Debug, Parser)]
struct Args {
    /// How many minutes to run.
    #[arg(long, default_value_t = 0)]
    minutes: u64,
    /// How many seconds to run, added to the minutes.
    #[arg(long, default_value_t = 0)]
    seconds: u64,
    /// Repeats a run's choices, if not its timing.
    #[arg(long)]
    seed: Option<u64>,
    /// Let all clients come over this carrier.
    #[arg(long, value_enum)]
    over: Option<Over>,
}

/// A carrier, or what else there is to come over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Over {
    Tcp,
    Ipc,
    Local,
    Zmq,
    /// Without a router: publishers, listeners and workers at three forwarders.
    Forwarder,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(1..1_000_000));
    let lasts = match args.minutes * 60 + args.seconds {
        0 => Duration::from_secs(20),
        seconds => Duration::from_secs(seconds),
    };
    let over = args.over.map(|over| format!(" --over {over:?}").to_lowercase());
    println!(
        "soak --seconds {} --seed {seed}{}",
        lasts.as_secs(),
        over.unwrap_or_default()
    );
    let outcome = match args.over {
        Some(Over::Forwarder) => forwarded::run(seed, lasts).await,
        over => chaos::run(seed, lasts, over).await,
    };
    match outcome {
        Ok(flat) => {
            println!("nothing was lost unreported, and nothing reordered");
            println!("{flat}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            println!("FAILED with --seed {seed}: {what}");
            ExitCode::FAILURE
        }
    }
}
