//! `sig-bench hold COMMAND...`: runs a command that knows nothing of us, and ends it when standard input ends. So nothing
//! outlives the benchmark, however that ends.

use std::ffi::OsString;
use std::io::{Read, Write, copy, stdin, stdout};
use std::process::{Command, Stdio};
use std::thread;

use crate::error::Failure;

/// Runs the command. The first line on standard output is the number of its process; what the command writes follows.
pub(crate) fn hold(mut command: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let program = command.next().ok_or_else(|| Failure::new("hold: which command?"))?;
    let name = program.to_string_lossy().into_owned();
    let mut child = Command::new(program)
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::of(format!("cannot start {name}"), error))?;
    writeln!(stdout(), "{}", child.id())?;
    if let Some(mut said) = child.stdout.take() {
        thread::spawn(move || copy(&mut said, &mut stdout()));
    }
    let mut rest = [0; 64];
    while matches!(stdin().lock().read(&mut rest), Ok(read) if read > 0) {}
    let _ = child.kill();
    child.wait()?;
    Ok(())
}
