//! Runs `sig` and reads what it says. Nothing here waits for a time to pass: it waits for lines.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a test waits for anything before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most lines that wait to be read by the test.
const LINES: usize = 64 * 1024;

/// A place of its own for the sockets of one test.
pub(crate) struct Sandbox {
    dir: TempDir,
}

/// A finished command.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A running command, ended when it is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    out: Lines,
    err: Lines,
}

/// The lines of one of its streams.
struct Lines {
    arriving: Receiver<String>,
    seen: Vec<String>,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The address of a local socket in the sandbox.
    pub(crate) fn socket(&self) -> String {
        format!("ipc://{}", self.path().join("sig.sock").display())
    }

    /// The command, with nothing of the surroundings that could change what it does.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sig"));
        command.args(args).stdin(Stdio::null());
        for name in [
            "SIG_URL",
            "SIG_LOG",
            "COLUMNS",
            "NO_COLOR",
            "CLICOLOR",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(name);
        }
        for name in ["XDG_RUNTIME_DIR", "TMPDIR", "HOME"] {
            command.env(name, self.path());
        }
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Finished {
        self.start(args).finish()
    }

    /// Starts the command without anything on its standard input.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::spawn(&mut self.command(args))
    }

    /// Starts the command with a standard input to write to.
    pub(crate) fn start_with_input(&self, args: &[&str]) -> Running {
        Running::spawn(self.command(args).stdin(Stdio::piped()))
    }
}

impl Running {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self {
            stdin: child.stdin.take(),
            child,
            out: Lines::read(out),
            err: Lines::read(err),
        }
    }

    /// Waits for a line of standard output that contains the text.
    pub(crate) fn line(&mut self, text: &str) -> String {
        self.out.until(text).unwrap_or_else(|| self.give_up(text))
    }

    /// Waits for a line of standard error that contains the text.
    pub(crate) fn note(&mut self, text: &str) -> String {
        self.err.until(text).unwrap_or_else(|| self.give_up(text))
    }

    /// Writes lines to its standard input.
    pub(crate) fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("started with input");
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Sends it a signal, such as `INT`.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(sent.success(), "kill -s {name} {pid}");
    }

    /// Its process id.
    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it without any warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        drop(self.stdin.take());
        // Its streams end with it, so reading them to the end is waiting for it.
        let (out, err) = (self.out.rest(), self.err.rest());
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let code = self
            .child
            .try_wait()
            .unwrap()
            .expect("it closed its streams and did not end")
            .code();
        Finished { code, out, err }
    }

    fn give_up(&mut self, text: &str) -> ! {
        let _ = self.child.kill();
        let (out, err) = (self.out.rest(), self.err.rest());
        panic!("no line with {text:?}\n--- standard output\n{out}\n--- standard error\n{err}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    fn read(stream: impl Read + Send + 'static) -> Self {
        let (lines, arriving) = sync_channel(LINES);
        std::thread::spawn(move || pass(stream, &lines));
        Self {
            arriving,
            seen: Vec::new(),
        }
    }

    fn next(&mut self, deadline: Instant) -> Option<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.arriving.recv_timeout(left) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("nothing more within {PATIENCE:?}, after:\n{}", self.seen.join("\n"))
            }
        }
    }

    fn until(&mut self, text: &str) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        std::iter::from_fn(|| self.next(deadline)).find(|line| line.contains(text))
    }

    /// Everything it ever said.
    fn rest(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        while self.next(deadline).is_some() {}
        self.seen.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn pass(stream: impl Read, lines: &SyncSender<String>) {
    let read = BufReader::new(stream).lines().map_while(Result::ok);
    // An error means that the test reads no more.
    let _ = { read }.try_for_each(|line| lines.send(line));
}

impl Finished {
    /// Checks the exit code; says all there is to know if it is another.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Checks that standard error contains each of the texts.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "{text:?} is missing in {self:#?}");
        }
        self
    }
}
