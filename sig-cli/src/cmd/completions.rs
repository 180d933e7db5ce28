//! `sig completions`

use clap::CommandFactory as _;

use crate::args::{Cli, Completions};
use crate::exit::{Code, Failure};
use crate::output::Output;

/// Prints the script. It is made in memory first: the generator panics when its output is closed.
pub(crate) fn run(args: &Completions, out: &mut Output) -> Result<Code, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sig", &mut script);
    out.raw(&script)?;
    Ok(Code::Done)
}
