//! What a pysig process said so far, and waiting for it to say more.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Lines kept for tests to look at. A test that lets more pile up is told so, instead of the machine's memory.
const MAX_EVENTS: usize = 1_000_000;
const MAX_STDERR_LINES: usize = 200;

/// What the process said, shared by its readers and whoever waits.
#[derive(Debug, Default)]
pub(super) struct Lines {
    said: Mutex<Said>,
    changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) answers: HashMap<u64, Value>,
    pub(super) events: VecDeque<Value>,
    stderr: VecDeque<String>,
    /// How many of stdout and stderr came to their end; both, so that a last traceback is not missed.
    ended: u8,
}

impl Lines {
    pub(super) fn said_so_far(&self) -> MutexGuard<'_, Said> {
        // A test that panicked with the lock held is reported by itself; the lines are still whole.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn wait<T>(
        &self,
        within: Duration,
        what: &str,
        mut take: impl FnMut(&mut Said) -> Option<T>,
    ) -> T {
        let found = timeout(within, async {
            loop {
                let changed = self.changed.notified();
                {
                    let mut said = self.said_so_far();
                    if let Some(found) = take(&mut said) {
                        return Some(found);
                    }
                    if said.ended == 2 {
                        return None;
                    }
                }
                changed.await;
            }
        });
        let why = match found.await {
            Ok(Some(found)) => return found,
            Ok(None) => "its process ended".to_owned(),
            Err(_) => format!("nothing for {within:?}"),
        };
        let said = self.said_so_far();
        let latest: Vec<_> = said
            .events
            .iter()
            .rev()
            .take(20)
            .rev()
            .map(ToString::to_string)
            .collect();
        panic!(
            "pysig: waiting for {what}: {why}\nlines not taken: {}\n{}\nstderr:\n{}",
            said.events.len(),
            latest.join("\n"),
            said.stderr()
        );
    }

    pub(super) fn said(&self, line: Option<&str>) {
        let mut said = self.said_so_far();
        match line.map(serde_json::from_str::<Value>) {
            None => said.ended += 1,
            Some(Ok(line)) => match line["cmd_id"].as_u64() {
                Some(id) => drop(said.answers.insert(id, line)),
                None if said.events.len() < MAX_EVENTS => said.events.push_back(line),
                None => said.complain(&format!("lost, since {MAX_EVENTS} lines were not taken: {line}")),
            },
            // Python's print from somewhere else: nothing to act on, but worth seeing when something fails.
            Some(Err(_)) => said.complain(line.unwrap_or_default()),
        }
        drop(said);
        self.changed.notify_waiters();
    }

    pub(super) fn complained(&self, line: Option<&str>) {
        let mut said = self.said_so_far();
        match line {
            Some(line) => said.complain(line),
            None => said.ended += 1,
        }
        drop(said);
        self.changed.notify_waiters();
    }
}

impl Said {
    pub(super) fn take_event(&mut self, mut wanted: impl FnMut(&Value) -> bool) -> Option<Value> {
        let at = self.events.iter().position(&mut wanted)?;
        self.events.remove(at)
    }

    fn complain(&mut self, line: &str) {
        if self.stderr.len() == MAX_STDERR_LINES {
            self.stderr.pop_front();
        }
        self.stderr.push_back(line.to_owned());
    }

    pub(super) fn stderr(&self) -> String {
        self.stderr.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

pub(super) async fn read(from: impl AsyncRead + Unpin, to: Arc<Lines>, report: fn(&Lines, Option<&str>)) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        report(&to, Some(&line));
    }
    report(&to, None);
}
