//! The listening end.

use std::sync::Arc;

use parking_lot::Mutex;
use sig_core::{Batch, Carrier, CarrierError, ClientId, Disconnect, Uplink, async_trait};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::Dialer;
use crate::ends::{Ends, serve};
use crate::pipe::Pipe;

/// Dialers that may wait to be let in.
const BACKLOG: usize = 64;

/// Where dialers knock: open while the hub runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Door(Arc<Mutex<Option<mpsc::Sender<Pipe>>>>);

impl Door {
    pub(crate) fn open(&self) -> Option<mpsc::Sender<Pipe>> {
        self.0.lock().clone()
    }

    fn shut(&self) {
        *self.0.lock() = None;
    }
}

/// Closes the door when the run ends, also when it is dropped.
struct Closing<'a>(&'a Door);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.shut();
    }
}

/// The listening end: takes any number of [`dialer`](Self::dialer)s.
#[derive(Debug, Default)]
pub struct Local {
    door: Door,
    ends: Ends,
}

impl Local {
    /// A hub without clients.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A carrier that connects to this hub. It may outlive it.
    #[must_use]
    pub fn dialer(&self) -> Dialer {
        Dialer::new(self.door.clone())
    }
}

#[async_trait]
impl Carrier for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        let (door, mut arrivals) = mpsc::channel(BACKLOG);
        *self.door.0.lock() = Some(door);
        let closing = Closing(&self.door);
        let (stop, links) = (router.stop_token().clone(), TaskTracker::new());
        loop {
            let pipe = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(pipe) = arrivals.recv() => pipe,
            };
            let (this, uplink, stop) = (Arc::clone(&self), router.clone(), stop.clone());
            let life = async move {
                if let Err(error) = serve(&*this, &this.ends, &uplink, &stop, pipe, "local://dialer").await {
                    debug!(%error, "a local link ended");
                }
            };
            router.spawn("local", links.track_future(life));
        }
        drop(closing);
        links.close();
        links.wait().await;
        Ok(())
    }

    async fn stop_accepting(&self) {
        self.door.shut();
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        self.ends.send(client, batch).await
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        self.ends.close(client, why);
    }
}
