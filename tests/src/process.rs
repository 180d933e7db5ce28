//! Other processes, and the lines that they print.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout_at};

use crate::rig::WAIT;

/// A process of a test. It is killed when this is dropped, and ends by itself when its standard input does.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Process {
    /// Starts a program.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(program: impl AsRef<Path>, args: &[&str]) -> Self {
        let mut command = Command::new(program.as_ref());
        command.args(args);
        Self::of(&args.join(" "), command)
    }

    /// Starts a command, under a name for what goes wrong.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn of(name: &str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("piped");
        Self {
            name: name.to_owned(),
            stdin: child.stdin.take(),
            child,
            lines: BufReader::new(stdout).lines(),
            said: Vec::new(),
        }
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    ///
    /// When it does not read any more.
    pub async fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("piped");
        let written = stdin.write_all(format!("{line}\n").as_bytes()).await;
        written.unwrap_or_else(|error| panic!("{}: {error}; it said:\n  {}", self.name, self.said.join("\n  ")));
    }

    /// Its id.
    ///
    /// # Panics
    ///
    /// When it was waited for already.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Takes lines until one is as wanted, and gives what was made of it.
    ///
    /// # Panics
    ///
    /// When no such line comes in time, or the process ends.
    pub async fn says<T>(&mut self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + WAIT;
        loop {
            let line = timeout_at(deadline, self.lines.next_line()).await;
            let failed = match line {
                Ok(Ok(Some(line))) => {
                    let found = wanted(&line);
                    self.said.push(line);
                    match found {
                        Some(found) => return found,
                        None => continue,
                    }
                }
                Ok(Ok(None)) => "it ended",
                Ok(Err(_)) => "it does not print text",
                Err(_) => "not in time",
            };
            let said = self.said[self.said.len().saturating_sub(30)..].join("\n  ");
            panic!("{}: waited for {what}: {failed}; it said:\n  {said}", self.name);
        }
    }

    /// Takes lines until this one.
    ///
    /// # Panics
    ///
    /// As [`says`](Self::says).
    pub async fn says_line(&mut self, wanted: &str) {
        self.says(wanted, |line| (line == wanted).then_some(())).await;
    }

    /// Kills it (`kill -9`) and waits until it is gone.
    ///
    /// # Panics
    ///
    /// When it cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it runs");
    }
}
