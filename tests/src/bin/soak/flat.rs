//! Whether what the program takes grows while the world stays as large.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::gauges::Gauges;

/// How long everything may take to come to rest; far more than it needs.
pub(crate) const SETTLED: Duration = Duration::from_secs(30);

/// How memory and tasks go: whenever everybody has left they are to be what they were at first.
pub(crate) struct Flat {
    tasks: usize,
    empty: Trend,
    resting: Trend,
    resident: Trend,
}

impl Flat {
    /// So many tasks run for those who stay.
    pub(crate) fn new(tasks: usize) -> Self {
        Self {
            tasks,
            empty: Trend::new("in use when everybody has left", "KiB", 2 * 1024),
            resting: Trend::new("in use when all rest", "KiB", 16 * 1024),
            resident: Trend::new("given by the system", "MiB", 256),
        }
    }

    /// Notes what was taken while all rested, and, as soon as it is so, what is now that everybody has left; gives that.
    ///
    /// # Errors
    ///
    /// What has grown.
    pub(crate) async fn note(&mut self, resting: Gauges, patience: Duration) -> Result<Gauges, String> {
        tasks_end("everybody has left", self.tasks, patience).await?;
        let empty = Gauges::read();
        self.resting.note(resting.in_use);
        self.empty.note(empty.in_use);
        empty
            .resident
            .into_iter()
            .for_each(|resident| self.resident.note(resident));
        [&self.empty, &self.resting, &self.resident]
            .into_iter()
            .try_for_each(Trend::check)?;
        Ok(empty)
    }
}

impl fmt::Display for Flat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tasks,
            empty,
            resting,
            resident,
        } = self;
        write!(
            f,
            "nothing grows: {tasks} tasks at most whenever everybody has left; {empty}; {resting}; {resident}"
        )
    }
}

/// Waits until no more than so many tasks run.
///
/// # Errors
///
/// That more do, after all this time.
pub(crate) async fn tasks_end(when: &str, expected: usize, patience: Duration) -> Result<(), String> {
    let began = Instant::now();
    while Gauges::read().tasks > expected {
        if began.elapsed() > patience {
            let now = Gauges::read();
            return Err(format!("{when}, and {} tasks run instead of {expected}", now.tasks));
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A figure that is read again and again, and is not to grow.
///
/// Its least reading in the last third of the run is compared with the greatest one in the first third: it may go up and
/// down, and something that is lost each time shows all the more the longer the run takes.
#[derive(Debug)]
struct Trend {
    what: &'static str,
    unit: &'static str,
    /// What is no growth: what is remembered for a while fills up, payloads differ, and allocators keep what they had.
    slack: usize,
    readings: Vec<usize>,
}

impl Trend {
    fn new(what: &'static str, unit: &'static str, slack: usize) -> Self {
        Self {
            what,
            unit,
            slack,
            readings: Vec::new(),
        }
    }

    fn note(&mut self, reading: usize) {
        self.readings.push(reading);
    }

    /// The first third of the readings, and the last one.
    fn thirds(&self) -> (&[usize], &[usize]) {
        let third = self.readings.len().div_ceil(3);
        (&self.readings[..third], &self.readings[self.readings.len() - third..])
    }

    /// That it is flat.
    ///
    /// # Errors
    ///
    /// That it grows.
    fn check(&self) -> Result<(), String> {
        let (first, last) = self.thirds();
        let grown = first.iter().max().zip(last.iter().min());
        match grown.filter(|(before, now)| **now > **before + self.slack) {
            Some(_) => Err(format!("it grows: {self}")),
            None => Ok(()),
        }
    }
}

/// From where to where it went.
impl fmt::Display for Trend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.thirds();
        let range = |third: &[usize]| Some(format!("{} to {}", third.iter().min()?, third.iter().max()?));
        let (first, last) = (range(first).unwrap_or_default(), range(last).unwrap_or_default());
        write!(
            f,
            "{}: {first} {} in the first third, {last} in the last",
            self.what, self.unit
        )
    }
}
