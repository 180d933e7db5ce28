//! What the routers log, for tests to read.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tracing_subscriber::fmt::MakeWriter;

/// The log of this thread, from `capture` on: use it in tests on a current-thread runtime.
#[derive(Debug)]
pub struct Log {
    written: Arc<Written>,
    _guard: tracing::subscriber::DefaultGuard,
    /// With one dispatcher alone, a place in the code that another thread comes by first would be switched off for all.
    _second: tracing::Dispatch,
}

#[derive(Debug, Default)]
struct Written {
    text: Mutex<String>,
    more: Notify,
}

impl Written {
    fn text(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Captures what this thread logs, from debug on, until this is dropped.
    #[must_use]
    pub fn capture() -> Self {
        let written = Arc::<Written>::default();
        let second = tracing::Dispatch::new(tracing_subscriber::registry());
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(To(Arc::clone(&written)))
            .finish();
        Self {
            written,
            _guard: tracing::subscriber::set_default(subscriber),
            _second: second,
        }
    }

    /// Waits for a line with this in it.
    pub async fn line(&self, with: &str) -> String {
        loop {
            let more = self.written.more.notified();
            if let Some(line) = self.written.text().lines().find(|line| line.contains(with)) {
                return line.to_owned();
            }
            more.await;
        }
    }
}

#[derive(Debug)]
struct To(Arc<Written>);

impl MakeWriter<'_> for To {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl io::Write for To {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.text().push_str(&String::from_utf8_lossy(bytes));
        self.0.more.notify_waiters();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
