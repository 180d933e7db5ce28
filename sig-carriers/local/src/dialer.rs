//! The dialling end.

use std::io;
use std::sync::Arc;

use sig_core::{Batch, Carrier, CarrierError, ClientId, Disconnect, Profile, Uplink, async_trait};

use crate::ends::{Ends, serve};
use crate::hub::Door;
use crate::pipe::Pipe;

/// The dialling end: connects to the [`Local`](crate::Local) that made it.
#[derive(Debug)]
pub struct Dialer {
    door: Door,
    ends: Ends,
}

impl Dialer {
    pub(crate) fn new(door: Door) -> Self {
        Self {
            door,
            ends: Ends::default(),
        }
    }

    /// This side's end of a new link. Fails when the hub does not run, so that the router tries again later.
    async fn connect(&self) -> Result<Pipe, CarrierError> {
        let refused = || CarrierError::Connect {
            address: "local://hub".to_owned(),
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        let (ours, theirs) = Pipe::new();
        let door = self.door.open().ok_or_else(refused)?;
        door.send(theirs).await.map_err(|_| refused())?;
        Ok(ours)
    }
}

#[async_trait]
impl Carrier for Dialer {
    fn name(&self) -> &'static str {
        "local"
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        let stop = router.stop_token();
        let pipe = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            pipe = self.connect() => pipe?,
        };
        serve(&*self, &self.ends, &router, stop, pipe, "local://hub").await
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        self.ends.send(client, batch).await
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        self.ends.close(client, why);
    }

    fn profile(&self) -> Profile {
        Profile::default().dialling(true)
    }
}
