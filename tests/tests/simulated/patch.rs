//! Carriers around others: one that can be given another way to go, and one with a heartbeat.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use sig_core::{
    Batch, Carrier, CarrierError, ClientId, Codec, CodecError, Disconnect, Message, PeerInfo, Profile, Uplink,
};

/// A dialling carrier that goes another way whenever it is told to, from the next link on.
#[derive(Debug)]
pub(crate) struct Patch {
    next: Mutex<Arc<dyn Carrier>>,
    running: Mutex<Arc<dyn Carrier>>,
}

impl Patch {
    pub(crate) fn new(way: Arc<dyn Carrier>) -> Arc<Self> {
        Arc::new(Self {
            next: Mutex::new(Arc::clone(&way)),
            running: Mutex::new(way),
        })
    }

    pub(crate) fn set(&self, way: Arc<dyn Carrier>) {
        *self.next.lock().unwrap() = way;
    }

    fn running(&self) -> Arc<dyn Carrier> {
        Arc::clone(&self.running.lock().unwrap())
    }
}

#[async_trait]
impl Carrier for Patch {
    fn name(&self) -> &'static str {
        self.running().name()
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        let way = Arc::clone(&self.next.lock().unwrap());
        *self.running.lock().unwrap() = Arc::clone(&way);
        way.run(router).await
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        self.running().handle_tx(client, batch).await
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        self.running().close_client(client, why);
    }

    fn profile(&self) -> Profile {
        self.running().profile()
    }

    fn pack(&self, peer: &PeerInfo, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        self.running().pack(peer, message, out)
    }

    fn unpack(&self, peer: &PeerInfo, frame: Bytes) -> Result<Message, CodecError> {
        self.running().unpack(peer, frame)
    }

    async fn handle_all_clients_disconnected(&self, router: &Uplink, why: Disconnect) {
        self.running().handle_all_clients_disconnected(router, why).await;
    }
}

/// A carrier with another heartbeat.
#[derive(Debug)]
pub(crate) struct Beats {
    pub(crate) inner: Arc<dyn Carrier>,
    pub(crate) period: Duration,
}

#[async_trait]
impl Carrier for Beats {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        Arc::clone(&self.inner).run(router).await
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        self.inner.handle_tx(client, batch).await
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        self.inner.close_client(client, why);
    }

    fn profile(&self) -> Profile {
        self.inner.profile().with_heartbeat(self.period)
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

    async fn handle_all_clients_disconnected(&self, router: &Uplink, why: Disconnect) {
        self.inner.handle_all_clients_disconnected(router, why).await;
    }
}
