//! A carrier that keeps a port open, and lets nobody in.

use std::sync::Arc;

use sig_core::{Batch, Carrier, CarrierError, ClientId, Disconnect, Uplink, async_trait};
use tokio::io::AsyncReadExt as _;

use crate::port::{Opened, Port};

/// Opens a port whenever it is there, and drops what arrives.
#[derive(Debug)]
pub(crate) struct Watcher {
    port: Port,
}

impl Watcher {
    pub(crate) fn new(port: Port) -> Self {
        Self { port }
    }
}

#[async_trait]
impl Carrier for Watcher {
    fn name(&self) -> &'static str {
        crate::SCHEME
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        let mut port = self.port.clone();
        let watching = async {
            loop {
                drain(port.next(&router).await).await;
            }
        };
        tokio::select! {
            () = router.stopped() => Ok(()),
            () = watching => Ok(()),
        }
    }

    async fn handle_tx(&self, client: ClientId, _: &mut Batch) -> Result<(), CarrierError> {
        Err(CarrierError::UnknownClient(client))
    }

    fn close_client(&self, _: ClientId, _: &Disconnect) {}
}

/// Reads to the end.
async fn drain(opened: Opened) {
    let Opened { mut line, life, .. } = opened;
    let mut dropped = vec![0; 4096];
    let why = loop {
        match line.read(&mut dropped).await {
            Ok(0) => break "the device was pulled out".to_owned(),
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    life.lost(&why);
}
