//! The wrapper as a carrier, and as what the inner carrier takes for its router.

use std::sync::Arc;
use std::time::Duration;

use sig_core::bytes::{Bytes, BytesMut};
use sig_core::{
    Batch, Carrier, CarrierError, ClientId, Codec, CodecError, Disconnect, Inbound, LinkReport, Message, PeerInfo,
    Profile, Receiver, Tasks, Uplink, async_trait,
};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::FaultyCarrier;
use super::link::Link;

/// How long a dialler knocks at a network that swallows everything.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// How long tasks of the inner carrier may take to end after its run has.
const GRACE: Duration = Duration::from_secs(5);

impl FaultyCarrier {
    /// Waits while a dialler would get no connection.
    async fn passable(&self, router: &Uplink) -> Result<(), CarrierError> {
        if !self.profile().dials {
            return Ok(());
        }
        let mut half_open = self.half_open.subscribe();
        let healed = timeout(CONNECT_PATIENCE, half_open.wait_for(|half_open| !half_open));
        tokio::select! {
            biased;
            () = router.stopped() => Err(CarrierError::Closed),
            passed = healed => match passed {
                Ok(_) => Ok(()),
                Err(_) => Err(CarrierError::Timeout {
                    what: "the peer behind a half-open network".to_owned(),
                    after: CONNECT_PATIENCE,
                }),
            },
        }
    }
}

#[async_trait]
impl Carrier for FaultyCarrier {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        match self.passable(&router).await {
            Err(CarrierError::Closed) => return Ok(()),
            passable => passable?,
        }
        let tasks = Tasks::new().map_err(|error| CarrierError::Other(error.to_string()))?;
        let _guard = AbortOnDrop(tasks.clone());
        let pumps = TaskTracker::new();
        let between = Between {
            carrier: Arc::clone(&self),
            router: router.clone(),
            pumps: pumps.clone(),
        };
        let run = Arc::clone(&self.inner).run(Uplink::new(Arc::new(between), tasks.clone()));
        let stopped = async {
            router.stopped().await;
            tasks.stop();
            std::future::pending().await
        };
        let ended = tokio::select! {
            ended = run => ended,
            () = stopped => Ok(()),
        };
        tasks.shutdown(GRACE).await;
        pumps.close();
        pumps.wait().await;
        ended
    }

    async fn stop_accepting(&self) {
        self.inner.stop_accepting().await;
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        let link = self.links.get(&client).map(|entry| Arc::clone(&entry));
        match link {
            Some(link) => link.send(batch).await,
            None => self.inner.handle_tx(client, batch).await,
        }
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        let link = self.links.get(&client).map(|entry| Arc::clone(&entry));
        if let Some(link) = link {
            link.close(why);
        }
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

    async fn handle_all_clients_disconnected(&self, router: &Uplink, why: Disconnect) {
        self.inner.handle_all_clients_disconnected(router, why).await;
    }
}

/// What the inner carrier takes for its router.
#[derive(Debug)]
struct Between {
    carrier: Arc<FaultyCarrier>,
    router: Uplink,
    pumps: TaskTracker,
}

impl Inbound for Between {
    fn admit(&self, id: ClientId, peer: PeerInfo) -> Result<Arc<dyn Receiver>, CarrierError> {
        let link = Link::new(Arc::clone(&self.carrier), id, self.carrier.dice());
        // First the way out, and only then the client: the router may send at once.
        self.carrier.links.insert(id, Arc::clone(&link));
        match self.router.admit(id, peer) {
            Ok(client) => link.admitted(client),
            Err(error) => {
                self.carrier.links.remove(&id);
                return Err(error);
            }
        }
        let pump = Arc::clone(&link).pump(self.router.clone());
        self.router.spawn("faulty link", self.pumps.track_future(pump));
        Ok(link)
    }

    fn all_disconnected(&self, why: Disconnect) {
        self.router.all_disconnected(why);
    }

    fn link(&self, report: LinkReport) {
        self.router.report(report);
    }
}

/// Ends the inner carrier's tasks when the run is dropped.
struct AbortOnDrop(Tasks);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
