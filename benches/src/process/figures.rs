//! What the system knows of a process.

use std::fs::{read_to_string, write};

/// What a process used of all cores so far, in seconds: user and system.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may hold blanks.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Some((ticks(11)? + ticks(12)?) / per_second)
}

/// Its resident memory in KiB.
pub(crate) fn resident_kib(pid: u32) -> Option<f64> {
    status(pid, "VmRSS:")
}

/// The most that its resident memory was, in KiB, since [`forget_peak`].
pub(crate) fn peak_kib(pid: u32) -> Option<f64> {
    status(pid, "VmHWM:")
}

/// Lets the peak begin anew.
pub(crate) fn forget_peak(pid: u32) {
    // Where that is not allowed the peak is the one since the start.
    let _ = write(format!("/proc/{pid}/clear_refs"), "5");
}

fn status(pid: u32, name: &str) -> Option<f64> {
    let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// How much of all cores was busy since the system started, in seconds.
pub(crate) fn busy_seconds() -> Option<f64> {
    let stat = read_to_string("/proc/stat").ok()?;
    let fields: Vec<f64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // All but idle and waiting for disks.
    let busy: f64 = fields.iter().take(8).sum::<f64>() - fields.get(3)? - fields.get(4)?;
    Some(busy / rustix::param::clock_ticks_per_second() as f64)
}
