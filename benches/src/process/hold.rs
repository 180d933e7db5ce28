//! `sig-bench hold COMMAND...`: runs a command that knows nothing of us, and ends it when standard input ends. So nothing
//! outlives the benchmark, however that ends.

use std::ffi::OsString;
use std::io::{Read, Write, stdin, stdout};
use std::process::{Command, Stdio};

use crate::error::Failure;

/// Runs the command. The first line on standard output is the number of its process; what the command writes follows.
pub(crate) fn hold(mut command: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let program = command.next().ok_or_else(|| Failure::new("hold: which command?"))?;
    let name = program.to_string_lossy().into_owned();
    let mut child = Command::new(program)
        .args(command)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| Failure::of(format!("cannot start {name}"), error))?;
    let mut out = stdout().lock();
    writeln!(out, "{}", child.id())?;
    out.flush()?;
    drop(out);
    let mut rest = [0; 64];
    while matches!(stdin().lock().read(&mut rest), Ok(read) if read > 0) {}
    let _ = child.kill();
    child.wait()?;
    Ok(())
}
