//! A carrier's way to its router.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::client::{Client, ClientId, Disconnect, PeerInfo, Receiver};
use crate::error::CarrierError;
use crate::link_report::LinkReport;
use crate::tasks::Tasks;

/// The router's side of a carrier. Routers implement it; carriers reach it through [`Uplink`].
pub trait Inbound: fmt::Debug + Send + Sync {
    /// A client connected: takes it, or says why not.
    ///
    /// # Errors
    ///
    /// When the router takes no more clients or is closing.
    fn admit(&self, id: ClientId, peer: PeerInfo) -> Result<Arc<dyn Receiver>, CarrierError>;

    /// All clients of the carrier are gone.
    fn all_disconnected(&self, why: Disconnect);

    /// How a link of the carrier fares now. Called whenever that changes, for links whose life begins before a client is
    /// there: a serial port, say. Does nothing by default.
    fn link(&self, report: LinkReport) {
        let _ = report;
    }
}

/// A carrier's way to its router: announces clients, owns the carrier's tasks, says when to stop.
///
/// Every run of a carrier gets a new one. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Uplink {
    inbound: Arc<dyn Inbound>,
    tasks: Tasks,
}

impl Uplink {
    /// A way to `inbound`, with the tasks of one run of the carrier.
    #[must_use]
    pub fn new(inbound: Arc<dyn Inbound>, tasks: Tasks) -> Self {
        Self { inbound, tasks }
    }

    /// Announces a client whose writer is registered already.
    ///
    /// # Errors
    ///
    /// When the router does not take it; the carrier then closes the link.
    pub fn admit(&self, id: ClientId, peer: PeerInfo) -> Result<Client, CarrierError> {
        if self.tasks.is_stopped() {
            return Err(CarrierError::Closed);
        }
        Ok(Client::new(id, self.inbound.admit(id, peer)?))
    }

    /// Reports that all clients of this run are gone.
    pub fn all_disconnected(&self, why: Disconnect) {
        self.inbound.all_disconnected(why);
    }

    /// Reports how a link fares now, whether or not a client is at its end: whoever asks the router is told.
    pub fn report(&self, report: LinkReport) {
        self.inbound.link(report);
    }

    /// Runs `future` in the background, owned by the router: it must end soon after [`stopped`](Self::stopped).
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(name, future);
    }

    /// Waits until the carrier is told to stop.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn stopped(&self) {
        self.tasks.stop_token().cancelled().await;
    }

    /// The token that is cancelled when the carrier is told to stop.
    #[must_use]
    pub fn stop_token(&self) -> &CancellationToken {
        self.tasks.stop_token()
    }
}
