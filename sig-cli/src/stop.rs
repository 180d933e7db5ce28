//! Being told to end: Ctrl-C and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sig_core::{CancellationToken, Tasks};

use crate::exit::{Code, Failure};

/// How long a clean end may take.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// Whether the command was told to end. The first signal asks for a clean end, the second one ends it at once; so does
/// a clean end that takes too long, because a blocked standard output must not keep the process.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    token: CancellationToken,
    terminated: Arc<AtomicBool>,
}

impl Stop {
    /// Takes the signals over.
    pub(crate) fn install(tasks: &Tasks) -> Result<Self, Failure> {
        let mut signals = Signals::new().map_err(|error| Failure::system("cannot handle signals", &error))?;
        let stop = Self {
            token: CancellationToken::new(),
            terminated: Arc::new(AtomicBool::new(false)),
        };
        let told = stop.clone();
        tasks.spawn("signals", async move {
            told.terminated
                .store(signals.next().await == Code::Terminated, Ordering::Relaxed);
            told.token.cancel();
            let code = tokio::select! {
                code = signals.next() => code,
                () = tokio::time::sleep(GRACE * 3) => told.code(),
            };
            std::process::exit(code.number().into());
        });
        Ok(stop)
    }

    /// Waits until the command is told to end.
    pub(crate) async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// The exit code of work that was cut short.
    pub(crate) fn code(&self) -> Code {
        if self.terminated.load(Ordering::Relaxed) {
            Code::Terminated
        } else {
            Code::Interrupted
        }
    }

    /// The end of work that was cut short.
    pub(crate) fn failure(&self) -> Failure {
        Failure::new(self.code(), "interrupted", "interrupted before the work was done")
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Code {
        tokio::select! {
            _ = self.interrupt.recv() => Code::Interrupted,
            _ = self.terminate.recv() => Code::Terminated,
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    close: tokio::signal::windows::CtrlClose,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: tokio::signal::windows::ctrl_c()?,
            close: tokio::signal::windows::ctrl_close()?,
        })
    }

    async fn next(&mut self) -> Code {
        tokio::select! {
            _ = self.interrupt.recv() => Code::Interrupted,
            _ = self.close.recv() => Code::Terminated,
        }
    }
}
