//! The clients of one carrier, and the life of each.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;
use sig_core::{
    Batch, CancellationToken, Carrier, CarrierError, ClientId, Disconnect, Encoding, PeerInfo, Reason, Uplink,
};
use tokio::sync::mpsc;

use crate::pipe::Pipe;

/// The clients of one carrier, by id. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ends(Arc<Mutex<HashMap<ClientId, Arc<End>>>>);

/// The way out to one client.
#[derive(Debug)]
struct End {
    outgoing: mpsc::Sender<Batch>,
    closing: CancellationToken,
    why: Mutex<Option<Disconnect>>,
}

/// A client that is in the table, until this is dropped.
#[derive(Debug)]
struct Registered<'a> {
    ends: &'a Ends,
    id: ClientId,
    end: Arc<End>,
}

impl Ends {
    pub(crate) async fn send(&self, id: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        let end = self.get(id).ok_or(CarrierError::UnknownClient(id))?;
        let place = tokio::select! {
            biased; // There usually is a place at once.
            place = end.outgoing.reserve() => place.ok(),
            () = end.closing.cancelled() => None,
        };
        let place = place
            .filter(|_| !end.closing.is_cancelled())
            .ok_or(CarrierError::UnknownClient(id))?;
        place.send(mem::replace(batch, Batch::new(Encoding::Values)));
        Ok(())
    }

    pub(crate) fn close(&self, id: ClientId, why: &Disconnect) {
        if let Some(end) = self.get(id) {
            end.why.lock().get_or_insert_with(|| why.clone());
            end.closing.cancel();
        }
    }

    fn get(&self, id: ClientId) -> Option<Arc<End>> {
        self.0.lock().get(&id).cloned()
    }

    fn register(&self, outgoing: mpsc::Sender<Batch>) -> Registered<'_> {
        let id = ClientId::next();
        let end = Arc::new(End {
            outgoing,
            closing: CancellationToken::new(),
            why: Mutex::default(),
        });
        self.0.lock().insert(id, Arc::clone(&end));
        Registered { ends: self, id, end }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.ends.0.lock().remove(&self.id);
        self.end.closing.cancel();
    }
}

/// The life of one client of `carrier`, whose clients `ends` are.
pub(crate) async fn serve<C: Carrier>(
    carrier: &C,
    ends: &Ends,
    router: &Uplink,
    stop: &CancellationToken,
    mut pipe: Pipe,
    address: &str,
) -> Result<(), CarrierError> {
    let registered = ends.register(pipe.outgoing.clone());
    let info = PeerInfo::new(address, Encoding::Values);
    let client = match carrier.handle_client_connected(router, registered.id, info).await {
        Ok(client) => client,
        Err(error) => {
            pipe.say_goodbye();
            return Err(error);
        }
    };
    let (why, ended) = loop {
        let batch = tokio::select! {
            biased;
            () = registered.end.closing.cancelled() => {
                let why = registered.end.why.lock().take();
                break (why.unwrap_or_else(Disconnect::closed), Ok(()));
            }
            () = stop.cancelled() => break (Disconnect::new(Reason::Closed, "the carrier was stopped"), Ok(())),
            batch = pipe.incoming.recv() => batch,
        };
        match batch {
            Some(mut batch) => {
                if let Err(error) = carrier.handle_rx(&client, &mut batch).await {
                    break (Disconnect::new(Reason::Kicked, error.to_string()), Err(error));
                }
            }
            None if pipe.heard_goodbye() => break (Disconnect::closed(), Ok(())),
            None => {
                let lost = "the other end was dropped";
                break (Disconnect::link_lost(lost), Err(CarrierError::Other(lost.to_owned())));
            }
        }
    };
    pipe.say_goodbye();
    drop(registered);
    carrier.handle_client_disconnected(client, why).await;
    ended
}
