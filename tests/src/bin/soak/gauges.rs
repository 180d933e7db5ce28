//! What the program itself takes: memory and tasks.

use std::fmt;

use sig_tests::strangers::memory;
use tokio::runtime::Handle;

/// What was taken at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauges {
    /// What is in use, in KiB.
    pub(crate) in_use: usize,
    /// What the system has given, in MiB; none where it does not say.
    pub(crate) resident: Option<usize>,
    pub(crate) tasks: usize,
}

impl Gauges {
    pub(crate) fn read() -> Self {
        let stats = crate::MEMORY.stats();
        Self {
            in_use: stats.bytes_allocated.saturating_sub(stats.bytes_deallocated) / 1024,
            resident: memory().map(|bytes| bytes >> 20),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }
}

impl fmt::Display for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB in use", self.in_use)?;
        if let Some(resident) = self.resident {
            write!(f, " of {resident} MiB")?;
        }
        write!(f, ", {} tasks", self.tasks)
    }
}
