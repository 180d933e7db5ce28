//! Is this the sequence that was sent, and if not, what happened to it?

use std::ops::Range;
use std::time::Duration;

use tokio::time::timeout;

use super::Probe;
use crate::Finding;

/// How many more events, and how long without any, are looked at to tell a lost event from one that was overtaken.
const LOOK_AHEAD: (usize, Duration) = (5_000, Duration::from_millis(200));

/// Receives the events with these numbers, each once and in order.
pub(super) async fn receive(probe: &Probe, numbers: Range<u64>) -> Result<(), Finding> {
    for expected in numbers.clone() {
        let (_, event) = probe
            .event(format_args!("event {expected} of {}..{}", numbers.start, numbers.end))
            .await?;
        if event.number != expected {
            return Err(Finding::new(explain(probe, &numbers, expected, event.number).await));
        }
    }
    Ok(())
}

/// What happened, where `got` came instead of `expected`.
async fn explain(probe: &Probe, numbers: &Range<u64>, expected: u64, got: u64) -> String {
    if (numbers.start..expected).contains(&got) {
        return format!("event {got} came twice");
    }
    if !numbers.contains(&got) {
        return format!("instead of event {expected}, {got} came, which was not sent here");
    }
    for _ in 0..LOOK_AHEAD.0 {
        match timeout(LOOK_AHEAD.1, probe.event("more")).await {
            Ok(Ok((_, event))) if event.number == expected => {
                return format!("event {got} came before event {expected}: the order changed on the way");
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    match expected == numbers.start {
        true => format!("event {expected}, the first, was lost: {got} came instead"),
        false => format!("event {expected} was lost: behind {} came {got}", expected - 1),
    }
}
