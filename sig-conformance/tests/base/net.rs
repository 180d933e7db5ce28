//! A network of pipes.

use parking_lot::Mutex;
use sig_core::CarrierError;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Bytes that fit into a pipe, each way.
const ROOM: usize = 64 * 1024;

/// One address at which somebody may listen.
#[derive(Debug, Default)]
pub(crate) struct Net(Mutex<Option<mpsc::Sender<DuplexStream>>>);

/// The listening end; dropping it closes the address.
pub(crate) struct Arrivals<'a>(&'a Net, mpsc::Receiver<DuplexStream>);

impl Net {
    pub(crate) fn open(&self) -> Arrivals<'_> {
        let (give, take) = mpsc::channel(64);
        *self.0.lock() = Some(give);
        Arrivals(self, take)
    }

    pub(crate) async fn connect(&self) -> Result<DuplexStream, CarrierError> {
        let refused = || CarrierError::Connect {
            address: "base://".to_owned(),
            source: std::io::ErrorKind::ConnectionRefused.into(),
        };
        let (ours, theirs) = tokio::io::duplex(ROOM);
        let door = self.0.lock().clone().ok_or_else(refused)?;
        door.send(theirs).await.map_err(|_| refused())?;
        Ok(ours)
    }
}

impl Arrivals<'_> {
    pub(crate) async fn next(&mut self) -> Option<DuplexStream> {
        self.1.recv().await
    }
}

impl Drop for Arrivals<'_> {
    fn drop(&mut self) {
        *self.0.0.lock() = None;
    }
}
