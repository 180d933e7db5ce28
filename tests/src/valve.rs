//! A carrier that tests can hold up.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sig_core::{
    Batch, Carrier, CarrierError, ClientId, Codec, CodecError, Disconnect, Message, PeerInfo, Profile, Uplink,
    async_trait,
};
use tokio::sync::Semaphore;

/// A carrier around another one, that sends only as many batches as it is let. What peers send arrives all the same.
#[derive(Debug)]
pub struct Valve {
    inner: Arc<dyn Carrier>,
    batches: Semaphore,
}

impl Valve {
    /// An open valve around this carrier.
    #[must_use]
    pub fn around(inner: impl Carrier) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(inner),
            batches: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    /// Sends nothing more.
    pub fn close(&self) {
        self.batches.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Sends so many batches more.
    pub fn let_out(&self, batches: usize) {
        self.batches.add_permits(batches);
    }
}

#[async_trait]
impl Carrier for Valve {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        Arc::clone(&self.inner).run(router).await
    }

    async fn stop_accepting(&self) {
        self.inner.stop_accepting().await;
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        let permit = self.batches.acquire().await.map_err(|_| CarrierError::Closed)?;
        permit.forget();
        self.inner.handle_tx(client, batch).await
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        self.inner.close_client(client, why);
    }

    fn profile(&self) -> Profile {
        self.inner.profile()
    }

    fn codec(&self) -> &dyn Codec {
        self.inner.codec()
    }

    fn pack(&self, peer: &PeerInfo, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        self.inner.pack(peer, message, out)
    }

    fn unpack(&self, peer: &PeerInfo, frame: Bytes) -> Result<Message, CodecError> {
        self.inner.unpack(peer, frame)
    }
}
