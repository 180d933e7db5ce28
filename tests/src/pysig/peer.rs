//! One pysig process and what it said so far.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;

use super::lines::{Lines, read};

/// Longer than pysig's own wait of ten seconds for a reply.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Longer than several rounds of pysig's reconnect, which sleeps five seconds.
const EVENT_WITHIN: Duration = Duration::from_secs(30);

/// A process that runs a real pysig router, see [`Pysig::spawn`](super::Pysig::spawn).
///
/// Every wait ends: a test whose peer does not answer, or dies, panics with what the process wrote to its stderr.
#[derive(Debug)]
pub struct Peer {
    heard: Arc<Lines>,
    stdin: tokio::sync::Mutex<ChildStdin>,
    child: tokio::sync::Mutex<Child>,
    next_id: AtomicU64,
    // Reads the process's output; aborted with the peer.
    _readers: JoinSet<()>,
}

/// A Python exception that a command ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The exception's class, such as `NameError`.
    pub kind: String,
    /// Its text.
    pub text: String,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.text)
    }
}

impl std::error::Error for Raised {}

/// One call of a listener in the process.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// `info["sender"]`.
    pub sender: Value,
    /// `info["event"]`.
    pub event: Value,
    /// What was triggered.
    pub data: Value,
    /// All of `info`.
    pub info: Value,
}

/// A command that runs in a thread of its own, see [`Peer::start`].
#[derive(Debug)]
#[must_use = "the command's answer is what tells how it went"]
pub struct Pending {
    heard: Arc<Lines>,
    id: u64,
}

impl Peer {
    pub(super) async fn spawn(python: &Path, pythonpath: &Path) -> Self {
        let mut command = Command::new(python);
        command
            .arg("-u")
            .arg("-B")
            .arg(crate::python::scripts(super::NAME).join("peer.py"));
        command
            .env("PYTHONPATH", pythonpath)
            .env("PYTHONIOENCODING", "utf-8")
            .kill_on_drop(true);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", python.display()));

        let heard = Arc::new(Lines::default());
        let mut readers = JoinSet::new();
        let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        readers.spawn(read(stdout, Arc::clone(&heard), Lines::said));
        readers.spawn(read(stderr, Arc::clone(&heard), Lines::complained));
        let stdin = tokio::sync::Mutex::new(child.stdin.take().expect("piped"));
        let peer = Self {
            heard,
            stdin,
            child: tokio::sync::Mutex::new(child),
            next_id: AtomicU64::new(1),
            _readers: readers,
        };
        peer.next_event("its ready line", |line| line["ready"] == true).await;
        peer
    }

    /// Runs a command of `pysig/README.md` and waits for its answer; `fields` is an object of what else it takes.
    ///
    /// # Errors
    ///
    /// The Python exception the command raised.
    ///
    /// # Panics
    ///
    /// When the process ended or does not answer within a minute.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the command may run or not, and half a line may have been sent.
    pub async fn command(&self, command: &str, fields: Value) -> Result<Value, Raised> {
        self.send(command, fields, false).await.answer().await
    }

    /// As [`command`](Self::command), for a command that must not fail.
    ///
    /// # Panics
    ///
    /// When the command raises, and as [`command`](Self::command) does.
    ///
    /// # Cancel safety
    ///
    /// As [`command`](Self::command).
    pub async fn ok(&self, command: &str, fields: Value) -> Value {
        let shown = fields.to_string();
        self.command(command, fields)
            .await
            .unwrap_or_else(|raised| panic!("pysig: {command} {shown} raised {raised}"))
    }

    /// Starts a command in a thread of its own, so that others run while it waits.
    ///
    /// # Panics
    ///
    /// When the process ended.
    ///
    /// # Cancel safety
    ///
    /// As [`command`](Self::command).
    pub async fn start(&self, command: &str, fields: Value) -> Pending {
        self.send(command, fields, true).await
    }

    /// Waits for the first line not yet taken that nobody asked for and that `wanted` accepts, and takes it. `what` is for the message.
    ///
    /// # Panics
    ///
    /// When none comes within half a minute, or the process ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn next_event(&self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        self.heard
            .wait(EVENT_WITHIN, what, |said| said.take_event(&mut wanted))
            .await
    }

    /// Waits for the next call of the listener with this id.
    ///
    /// # Panics
    ///
    /// As [`next_event`](Self::next_event).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn heard(&self, listener: &str) -> Heard {
        let mut line = self
            .next_event(&format!("a call of listener {listener}"), |line| {
                line["listener"] == listener
            })
            .await;
        let (info, data) = (line["info"].take(), line["data"].take());
        Heard {
            sender: info["sender"].clone(),
            event: info["event"].clone(),
            data,
            info,
        }
    }

    /// Takes every line that nobody asked for and that came so far.
    #[must_use]
    pub fn take_events(&self) -> Vec<Value> {
        self.heard.said_so_far().events.drain(..).collect()
    }

    /// What the process wrote to its stderr: the last lines.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.heard.said_so_far().stderr()
    }

    /// Ends the process as `kill -9` does, and waits until it is gone.
    ///
    /// # Panics
    ///
    /// When the system refuses.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the process is dying once this was polled.
    pub async fn kill(&self) {
        self.child
            .lock()
            .await
            .kill()
            .await
            .expect("a process of our own can be killed");
    }

    async fn send(&self, command: &str, mut fields: Value, own_thread: bool) -> Pending {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        fields["cmd"] = command.into();
        fields["cmd_id"] = id.into();
        fields["async"] = own_thread.into();
        let sent = self
            .stdin
            .lock()
            .await
            .write_all(format!("{fields}\n").as_bytes())
            .await;
        if let Err(error) = sent {
            panic!("pysig: cannot send {command}: {error}\n{}", self.stderr());
        }
        Pending {
            heard: Arc::clone(&self.heard),
            id,
        }
    }
}

impl Pending {
    /// Waits for the command's answer.
    ///
    /// # Errors
    ///
    /// The Python exception the command raised.
    ///
    /// # Panics
    ///
    /// When the process ended or does not answer within a minute.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, but the answer is lost with the `Pending`.
    pub async fn answer(self) -> Result<Value, Raised> {
        let mut answer = self
            .heard
            .wait(ANSWER_WITHIN, "an answer", |said| said.answers.remove(&self.id))
            .await;
        match answer.get("error") {
            None => Ok(answer["ok"].take()),
            Some(error) => {
                let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
                Err(Raised {
                    kind: text("type"),
                    text: text("text"),
                })
            }
        }
    }
}
