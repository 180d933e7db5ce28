//! A carrier's clients come in here.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use sig_core::{Carrier, CarrierError, ClientId, Disconnect, Inbound, LinkReport, PeerInfo, Receiver};

use super::Shared;
use super::client::{ClientSession, HELLO_PATIENCE};
use crate::outbox::Outbox;

/// How many clients beyond the most allowed may wait to be refused.
const TOLD_IN_WORDS: usize = 64;

/// The server's side of one run of a carrier.
#[derive(Debug)]
pub(super) struct CarrierInbound {
    shared: Arc<Shared>,
    carrier: Arc<dyn Carrier>,
    /// The carrier's id.
    id: u64,
    roster: Arc<Roster>,
}

/// The clients of one run of a carrier, each until it is retired.
#[derive(Debug, Default)]
pub(super) struct Roster(Mutex<HashSet<ClientId>>);

impl Roster {
    fn enter(&self, id: ClientId) {
        self.0.lock().insert(id);
    }

    pub(super) fn leave(&self, id: ClientId) {
        self.0.lock().remove(&id);
    }

    fn take_all(&self) -> HashSet<ClientId> {
        std::mem::take(&mut self.0.lock())
    }
}

impl CarrierInbound {
    pub(super) fn new(shared: Arc<Shared>, carrier: Arc<dyn Carrier>, id: u64) -> Self {
        Self {
            shared,
            carrier,
            id,
            roster: Arc::default(),
        }
    }

    /// Lets go of clients that the carrier forgot to report.
    pub(super) fn retire_all(&self, why: &Disconnect) {
        for id in self.roster.take_all() {
            let session = self.shared.client(id);
            if let Some(session) = session {
                session.retire(why.clone());
            }
        }
    }
}

impl Inbound for CarrierInbound {
    fn admit(&self, id: ClientId, peer: PeerInfo) -> Result<Arc<dyn Receiver>, CarrierError> {
        let shared = &self.shared;
        if shared.closing.load(Ordering::Acquire) {
            return Err(CarrierError::Closed);
        }
        // Up to the limit and a little more: those are told in words that there is no place for them.
        if shared.clients.len() >= shared.max_clients + TOLD_IN_WORDS {
            return Err(CarrierError::Refused(format!(
                "{} clients are connected, the most that this router takes",
                shared.max_clients
            )));
        }
        let outbox = Outbox::new(id, Arc::clone(&self.carrier), peer, Arc::clone(shared.hub.stalls()));
        let session = ClientSession::new(
            id,
            Arc::downgrade(shared),
            Arc::clone(&shared.hub),
            outbox,
            Arc::clone(&self.roster),
            &shared.tasks,
        );
        shared.clients.insert(id, Arc::clone(&session));
        self.roster.enter(id);
        session.plan(HELLO_PATIENCE);
        tracing::debug!(client = %id, address = session.outbox().peer().address, "client connected");
        session.peer().start_sending();
        Ok(session)
    }

    fn all_disconnected(&self, why: Disconnect) {
        self.retire_all(&why);
    }

    fn link(&self, report: LinkReport) {
        self.shared.link_is(self.id, report);
    }
}

/// Gives a shared server that may be gone.
pub(super) fn upgrade(shared: &Weak<Shared>) -> Result<Arc<Shared>, CarrierError> {
    shared.upgrade().ok_or(CarrierError::Closed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ServerRouter;

    #[tokio::test]
    async fn promise_10_nothing_is_kept_of_clients_that_left() {
        let server = ServerRouter::new().unwrap();
        let shared = Arc::clone(&server.owner.shared);
        let (hub, _dialer) = sig_carrier_local::pair();
        let inbound = CarrierInbound::new(Arc::clone(&shared), Arc::new(hub), 1);
        for _ in 0..100 {
            let peer = PeerInfo::new("somebody", sig_core::Encoding::Values);
            let client = inbound.admit(ClientId::next(), peer).unwrap();
            client.retire(Disconnect::closed());
        }
        assert!(inbound.roster.0.lock().is_empty());
        assert!(shared.clients.is_empty());
        server.close(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn promise_3_only_the_same_secret_is_the_same_program() {
        let server = ServerRouter::new().unwrap();
        let shared = Arc::clone(&server.owner.shared);
        let (hub, _dialer) = sig_carrier_local::pair();
        let inbound = CarrierInbound::new(Arc::clone(&shared), Arc::new(hub), 1);
        let id = ClientId::next();
        let peer = PeerInfo::new("somebody", sig_core::Encoding::Values);
        let _client = inbound.admit(id, peer).unwrap();
        let session = shared.client(id).unwrap();
        let [one, two] = ["one", "two"].map(crate::session::Secret::from_text);
        assert!(!session.is_of(&one), "it has not said yet which one it is");
        session.set_instance(&one);
        // Whatever their hashes are.
        assert!(session.is_of(&one) && !session.is_of(&two));
        server.close(Duration::from_secs(1)).await;
    }
}
