//! How the command ends: exit codes, and failures that say what to do.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// The part of the help that documents [`Code`].
pub(crate) const HELP: &str = "\
Exit codes:
    0  done; also when a command that runs until stopped (serve, demo, listen, top, forward, relay) was stopped
    1  failed: the handler of a request reported an error, a listener lost an event that was to be
       confirmed, doctor found something, or the system failed
    2  wrong usage: an option, address, topic or JSON text
    3  no router answers
    4  no such sender or method
    5  timed out
    6  refused: a name or address is taken, or not allowed, or the other side is busy
  130  interrupted by Ctrl-C before the work was done, or at once by a second Ctrl-C
  143  the same by SIGTERM";

/// The exit codes of `sig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NoRouter = 3,
    NotFound = 4,
    TimedOut = 5,
    Refused = 6,
    Interrupted = 130,
    Terminated = 143,
}

impl Code {
    /// The number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        code.number().into()
    }
}

/// Why the command ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: Code,
    /// What went wrong, for programs: a word that does not change.
    pub(crate) word: &'static str,
    /// What went wrong, for people.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) fix: Option<String>,
}

impl Failure {
    /// A failure without advice.
    pub(crate) fn new(code: Code, word: &'static str, text: impl fmt::Display) -> Self {
        Self {
            code,
            word,
            text: text.to_string(),
            fix: None,
        }
    }

    /// The failure with what to do about it.
    pub(crate) fn with_fix(self, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }

    /// Standard output cannot be written. That its reader has gone (`sig ls | head`) is a quiet end.
    pub(crate) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Code::Done, "closed_pipe", ""),
            _ => Self::new(
                Code::Failed,
                "output",
                format_args!("cannot write to standard output: {error}"),
            ),
        }
    }

    /// The system refused something.
    pub(crate) fn system(what: &str, error: &io::Error) -> Self {
        Self::new(Code::Failed, "system", format_args!("{what}: {error}"))
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_quiet(&self) -> bool {
        self.text.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented() {
        use Code::{Done, Failed, Interrupted, NoRouter, NotFound, Refused, Terminated, TimedOut, Usage};
        for code in [
            Done,
            Failed,
            Usage,
            NoRouter,
            NotFound,
            TimedOut,
            Refused,
            Interrupted,
            Terminated,
        ] {
            let line = format!("{:>5}  ", code.number());
            assert!(
                HELP.lines().any(|l| l.starts_with(&line)),
                "{code:?} is not in the help"
            );
        }
    }

    #[test]
    fn a_closed_pipe_is_a_quiet_end() {
        let closed = Failure::output(&io::ErrorKind::BrokenPipe.into());
        assert!(closed.is_quiet() && closed.code == Code::Done);
        let full = Failure::output(&io::ErrorKind::StorageFull.into());
        assert!(!full.is_quiet() && full.code == Code::Failed);
    }
}
