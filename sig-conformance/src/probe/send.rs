//! What a router does to a carrier: it sends, and it throws out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use sig_core::{CarrierError, ClientId, Disconnect, EventMessage, PeerInfo, Reason};

use super::{Probe, wire};
use crate::Finding;
use crate::finding::ensure;

/// How long [`Probe::kick`] may take: it does nothing but say that a client is to go.
const AT_ONCE: Duration = Duration::from_secs(1);

impl Probe {
    /// Sends events with these numbers to a client that is connected, in one batch.
    ///
    /// # Errors
    ///
    /// When `handle_tx` fails, or does not drain the batch.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a part of the batch may have gone out.
    pub async fn send(
        &self,
        client: ClientId,
        peer: &PeerInfo,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<(), Finding> {
        self.send_events(client, peer, numbers.into_iter().map(wire::event))
            .await
    }

    pub(crate) async fn send_events(
        &self,
        client: ClientId,
        peer: &PeerInfo,
        events: impl IntoIterator<Item = EventMessage>,
    ) -> Result<(), Finding> {
        let sent = self.try_send(client, peer, events).await?;
        sent.map_err(|error| Finding::new(format!("handle_tx failed for {client}, which is connected: {error}")))
    }

    /// What `handle_tx` says to these events.
    ///
    /// # Errors
    ///
    /// When it succeeds without having drained the batch.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a part of the batch may have gone out.
    pub async fn try_send(
        &self,
        client: ClientId,
        peer: &PeerInfo,
        events: impl IntoIterator<Item = EventMessage>,
    ) -> Result<Result<(), CarrierError>, Finding> {
        let batch = wire::batch(&**self.carrier(), peer, events);
        let mut batch = batch.map_err(|error| Finding::new(format!("pack failed: {error}")))?;
        let turn = match self.log.greeting.load(Ordering::Relaxed) {
            true => Some(self.log.turn.lock().await),
            false => None,
        };
        let sent = self.carrier().handle_tx(client, &mut batch).await;
        drop(turn);
        ensure!(
            sent.is_err() || batch.is_empty(),
            "handle_tx returned Ok, but left messages in the batch; it has to drain it"
        );
        Ok(sent)
    }

    /// Throws a client out. Blocks its thread for as long as `close_client` takes, and a second at most.
    ///
    /// # Errors
    ///
    /// When `close_client` does not return at once.
    pub fn kick(&self, client: ClientId) -> Result<(), Finding> {
        // On a thread of its own, and without letting any task of this one run meanwhile: it must not need one.
        let (carrier, handle) = (Arc::clone(self.carrier()), self.handle.clone());
        let (done, returned) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let _entered = handle.enter();
            carrier.close_client(client, &Disconnect::new(Reason::Kicked, "kicked by the test"));
            let _ = done.send(());
        });
        match returned.recv_timeout(AT_ONCE) {
            Ok(()) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(Finding::new(format!("close_client panicked for {client}"))),
            Err(RecvTimeoutError::Timeout) => Err(Finding::new(format!(
                "close_client did not return within {AT_ONCE:?}; it must not wait for anything"
            ))),
        }
    }
}
