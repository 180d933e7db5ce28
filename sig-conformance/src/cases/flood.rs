//! Sending without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sig_core::{CarrierError, EventMessage};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::pair::End;
use crate::probe::wire;
use crate::{Finding, Probe};

/// Without progress for so long, a writer is stuck.
const STUCK: Duration = Duration::from_millis(300);

/// A task that sends batches to one client, one after the other.
pub(super) struct Flood {
    task: JoinSet<Result<(), CarrierError>>,
    sent: Arc<AtomicU64>,
}

impl Flood {
    /// Small events in batches of a hundred, until it fails.
    pub(super) fn of_small(probe: &Probe, end: &End) -> Self {
        let batches = (0..u64::MAX / 100).map(|batch| (batch * 100..(batch + 1) * 100).map(wire::event).collect());
        Self::start(probe, end, batches)
    }

    /// So many large events, each in a batch of its own.
    pub(super) fn of_large(probe: &Probe, end: &End, events: u64) -> Self {
        Self::start(
            probe,
            end,
            (0..events).map(|number| vec![wire::event_of(number, LARGE)]),
        )
    }

    fn start(
        probe: &Probe,
        (id, peer): &End,
        batches: impl Iterator<Item = Vec<EventMessage>> + Send + 'static,
    ) -> Self {
        let (carrier, id, peer) = (Arc::clone(probe.carrier()), *id, peer.clone());
        let sent = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&sent);
        let mut task = JoinSet::new();
        task.spawn(async move {
            for events in batches {
                let mut batch = wire::batch(&*carrier, &peer, events)?;
                carrier.handle_tx(id, &mut batch).await?;
                count.fetch_add(1, Ordering::Relaxed);
                tokio::task::consume_budget().await;
            }
            Ok(())
        });
        Self { task, sent }
    }

    /// Waits until it does not get on any more. False when it came to its end instead.
    pub(super) async fn is_stuck(&mut self) -> Result<bool, Finding> {
        loop {
            let before = self.sent.load(Ordering::Relaxed);
            match timeout(STUCK, self.task.join_next()).await {
                Err(_) if self.sent.load(Ordering::Relaxed) == before => return Ok(true),
                Err(_) => {}
                Ok(Some(Ok(Ok(())))) | Ok(None) => return Ok(false),
                Ok(Some(Ok(Err(error)))) => {
                    return Err(Finding::new(format!(
                        "handle_tx failed for a client that is connected: {error}"
                    )));
                }
                Ok(Some(Err(panic))) => return Err(Finding::new(format!("handle_tx panicked: {panic}"))),
            }
        }
    }

    /// Waits until handle_tx has failed.
    pub(super) async fn failed(mut self, patience: Duration, why: &str) -> Result<(), Finding> {
        match timeout(patience, self.task.join_next()).await {
            Ok(Some(Ok(Err(_)))) => Ok(()),
            Ok(Some(Err(panic))) => Err(Finding::new(format!("handle_tx panicked: {panic}"))),
            Ok(_) => Err(Finding::new(format!("handle_tx took everything, though {why}"))),
            Err(_) => Err(Finding::new(format!(
                "handle_tx still waits {patience:?} after {why}; it has to be woken"
            ))),
        }
    }

    /// Waits until everything is sent.
    pub(super) async fn done(mut self, patience: Duration) -> Result<(), Finding> {
        match timeout(patience, self.task.join_next()).await {
            Ok(None | Some(Ok(Ok(())))) => Ok(()),
            Ok(Some(Ok(Err(error)))) => Err(Finding::new(format!("handle_tx failed: {error}"))),
            Ok(Some(Err(panic))) => Err(Finding::new(format!("handle_tx panicked: {panic}"))),
            Err(_) => Err(Finding::new(format!(
                "handle_tx still waits {patience:?} after the peer reads again"
            ))),
        }
    }
}

/// The size of a large event's frame: packed by a codec that doubles it, it still passes before a hello.
pub(super) const LARGE: usize = 32 * 1024;
