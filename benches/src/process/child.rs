//! A party or a broker, as a process of its own.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::Failure;

/// How much of what a process writes to standard error is kept.
const ERRORS_KEPT: usize = 16 * 1024;

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: std::process::Child,
    /// What is measured: the process itself, or the one that it holds.
    pid: u32,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Arc<Mutex<Vec<u8>>>,
}

impl Child {
    /// Starts a program that ends by itself when its standard input does.
    pub(crate) fn start<S: AsRef<OsStr>>(
        name: &str,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Self, Failure> {
        let mut process = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::of(format!("cannot start {name}"), error))?;
        let (sender, lines) = sync_channel(1024);
        if let Some(out) = process.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    // A broker that says more than anybody reads is not to stop at it.
                    let _ = sender.try_send(line);
                }
            });
        }
        let errors = Arc::new(Mutex::new(Vec::new()));
        if let Some(mut from) = process.stderr.take() {
            let to = Arc::clone(&errors);
            thread::spawn(move || {
                let mut some = [0; 1024];
                while let Ok(read @ 1..) = from.read(&mut some) {
                    let mut kept = to.lock().unwrap_or_else(PoisonError::into_inner);
                    if kept.len() < ERRORS_KEPT {
                        kept.extend_from_slice(&some[..read]);
                    }
                }
            });
        }
        Ok(Self {
            name: name.to_owned(),
            pid: process.id(),
            input: process.stdin.take(),
            process,
            lines,
            errors,
        })
    }

    /// Starts a program that knows nothing of us.
    pub(crate) fn hold<S: AsRef<OsStr>>(
        name: &str,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Self, Failure> {
        let mut all = vec![OsString::from("hold"), program.as_ref().to_owned()];
        all.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        let mut child = Self::start(name, std::env::current_exe()?, all)?;
        let pid = child.line(Duration::from_secs(5))?;
        child.pid = pid
            .parse()
            .map_err(|_| Failure::new(format!("{name} is to begin with its process number, not `{pid}`")))?;
        Ok(child)
    }

    /// The next line on its standard output.
    pub(crate) fn line(&mut self, patience: Duration) -> Result<String, Failure> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => Err(self.failed(&format!("says nothing for {patience:?}"))),
            Err(RecvTimeoutError::Disconnected) => {
                // What it wrote last may still be on its way.
                thread::sleep(Duration::from_millis(50));
                Err(self.failed("has ended"))
            }
        }
    }

    /// Waits for the line `ready`.
    pub(crate) fn ready(&mut self, patience: Duration) -> Result<(), Failure> {
        self.wait_for(patience, |line| (line == "ready").then_some(()))
    }

    /// Waits for a row of figures.
    pub(crate) fn row(&mut self, patience: Duration) -> Result<Value, Failure> {
        self.wait_for(patience, |line| {
            serde_json::from_str(line).ok().filter(Value::is_object)
        })
    }

    /// Waits for a line that means something.
    pub(crate) fn wait_for<T>(
        &mut self,
        patience: Duration,
        mut read: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, Failure> {
        let until = Instant::now() + patience;
        loop {
            let line = self.line(until.saturating_duration_since(Instant::now()))?;
            if let Some(found) = read(&line) {
                return Ok(found);
            }
        }
    }

    /// Lets a publisher begin.
    pub(crate) fn go(&mut self) -> Result<(), Failure> {
        let told = self.input.as_mut().map(|input| input.write_all(b"go\n"));
        match told {
            Some(Ok(())) => Ok(()),
            _ => Err(self.failed("cannot be told to begin")),
        }
    }

    /// Which process it is.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// What went wrong, with what it wrote to standard error.
    pub(crate) fn failed(&self, how: &str) -> Failure {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let errors = String::from_utf8_lossy(&errors);
        let errors = errors.trim();
        let said = if errors.is_empty() {
            "its standard error is empty".to_owned()
        } else {
            format!("its standard error:\n{errors}")
        };
        Failure::new(format!("{} {how}; {said}", self.name))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The end of its input ends a party, and what is held; killing at once would leave what is held.
        drop(self.input.take());
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
