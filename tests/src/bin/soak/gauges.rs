//! What the program itself takes: memory and tasks.

use std::fmt;
use std::fs;

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
            resident: resident(),
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

/// Pages that are resident, by 4 KiB.
fn resident() -> Option<usize> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4 / 1024)
}
