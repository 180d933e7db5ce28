//! What the program itself takes: memory and tasks.

use std::fs;

use tokio::runtime::Handle;

/// What was taken at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauges {
    /// In MiB; none where the system does not say.
    pub(crate) memory: Option<u64>,
    pub(crate) tasks: usize,
}

impl Gauges {
    pub(crate) fn read() -> Self {
        Self {
            memory: resident(),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }
}

/// Pages that are resident, by 4 KiB.
fn resident() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4 / 1024)
}

/// How the gauges go while the world stays as large.
#[derive(Debug, Default)]
pub(crate) struct Trend {
    readings: Vec<Gauges>,
}

/// So many readings are taken before there is anything to compare with.
const FIRST: usize = 3;

/// How much more memory than at first is no growth: what an allocator keeps, and other payloads.
const SLACK_MIB: u64 = 96;

/// The same for tasks: links and listeners come and go.
const SLACK_TASKS: usize = 100;

impl Trend {
    /// Notes a reading that was taken while nothing happened.
    ///
    /// # Errors
    ///
    /// What has grown.
    pub(crate) fn note(&mut self, now: Gauges) -> Result<(), String> {
        self.readings.push(now);
        if self.readings.len() <= FIRST {
            return Ok(());
        }
        let (first, rest) = self.readings.split_at(FIRST);
        let most = first.iter().filter_map(|gauges| gauges.memory).max();
        // The least of the last ones: a peak is no growth.
        let last = &rest[rest.len().saturating_sub(FIRST)..];
        let least = last.iter().filter_map(|gauges| gauges.memory).min();
        let grown = most
            .zip(least)
            .filter(|(most, least)| *least > most * 3 / 2 + SLACK_MIB);
        if let Some((most, least)) = grown.filter(|_| last.len() == FIRST) {
            return Err(format!("memory grows from {most} MiB to {least} MiB"));
        }
        let most = first.iter().map(|gauges| gauges.tasks).max().unwrap_or(0);
        let least = last.iter().map(|gauges| gauges.tasks).min().unwrap_or(0);
        if last.len() == FIRST && least > most * 3 / 2 + SLACK_TASKS {
            return Err(format!("tasks grow from {most} to {least}"));
        }
        Ok(())
    }
}
