//! The task that hands a peer's batches to its carrier.

use std::sync::Arc;

use sig_core::{Batch, CarrierError};

use super::{Outbox, Take};

impl Outbox {
    /// Sends what is put in, until the outbox is closed and empty or the link fails.
    ///
    /// # Errors
    ///
    /// The carrier's.
    pub(crate) async fn send_all(self: Arc<Self>) -> Result<(), CarrierError> {
        let mut batch = Batch::new(self.peer.encoding);
        loop {
            self.pull();
            match self.take(&mut batch) {
                Take::Ready => {
                    self.carrier.handle_tx(self.id, &mut batch).await?;
                    self.sent();
                    if batch.encoding() == self.peer.encoding {
                        batch.clear();
                    } else {
                        // The carrier looked at it in another way, and it stays that.
                        batch = Batch::new(self.peer.encoding);
                    }
                }
                Take::GaveUp(id) => {
                    tracing::warn!(client = ?self, id, "the peer did not answer in ten seconds; what it was sent is lost");
                }
                Take::At(due) => {
                    let woken = self.wake.notified();
                    // In a box: few peers ever wait like this, and all have this future.
                    drop(Box::pin(tokio::time::timeout_at(due.into(), woken)).await);
                }
                Take::Empty => {
                    self.wake.notified().await;
                }
                Take::Closed => return Ok(()),
            }
        }
    }
}
