//! The `sig` command.

mod args;
mod carriers;
mod cmd;
mod connect;
mod context;
mod duration;
mod exit;
mod exposure;
mod host;
mod inspect;
mod links;
mod output;
mod policy;
mod serving;
mod stop;
mod taken;
mod unmatched;

use std::process::ExitCode;

use args::Cli;
use clap::Parser as _;
use exit::{Code, Failure};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_a_command(&error),
    };
    log(cli.common.verbose);
    let code = cmd::run(&cli.command, cli.common).unwrap_or_else(|failure| {
        output::report(cli.common.json, &failure);
        failure.code
    });
    code.into()
}

/// Help that was asked for, or a command line that cannot be read.
fn not_a_command(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Whether the reader takes all of the help or closes the pipe is its own affair.
        let _ = error.print();
        return Code::Done.into();
    }
    if std::env::args_os().any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        output::report(true, &Failure::new(Code::Usage, "usage", text));
    } else {
        let _ = error.print();
    }
    Code::Usage.into()
}

/// Logs to standard error, as much as was asked for; `SIG_LOG` (such as `sig_router=debug`) is more precise.
fn log(verbose: u8) {
    let filter = match (verbose, std::env::var("SIG_LOG")) {
        (0, Ok(filter)) => EnvFilter::new(filter),
        (0, Err(_)) => return,
        (1, _) => EnvFilter::new("info"),
        (2, _) => EnvFilter::new("debug"),
        _ => EnvFilter::new("trace"),
    };
    let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
}
