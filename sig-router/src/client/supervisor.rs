//! Keeps the link: makes it, registers everything over it, makes it again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use sig_core::{CarrierError, ClientId, Disconnect, Inbound, PeerInfo, Receiver};

use super::link::Link;
use super::senders::RemoteEntry;
use super::shared::Shared;
use super::state::LinkState;
use crate::clock;
use crate::outbox::Outbox;
use crate::peer::TICK;
use crate::run::run_carrier;
use crate::session::{Backoff, Reconnect, Want};

/// How long a link that is given up may take to let go.
const LINK_GRACE: Duration = Duration::from_secs(2);

/// A link that lasted this long was a good one: the next attempt is at once. A router that throws out whom it welcomed
/// is asked with growing pauses.
const PROVEN: Duration = Duration::from_secs(1);

/// How often the router is asked once more for a name that was taken.
const RETRY: Duration = Duration::from_secs(1);

/// Starts the background tasks of a client router.
pub(super) fn start(shared: &Arc<Shared>, reconnect: Reconnect) {
    shared.tasks.spawn("link", keep(Arc::clone(shared), reconnect));
    shared.tasks.spawn("ticker", tick(Arc::downgrade(shared)));
}

/// Makes the link again and again, until the router is closed or refuses for good.
async fn keep(shared: Arc<Shared>, reconnect: Reconnect) {
    let mut backoff = Backoff::new(reconnect);
    while !shared.is_closing() && !shared.tasks.is_stopped() {
        shared.set_state(LinkState::Connecting);
        let inbound = Arc::new(ClientInbound {
            shared: Arc::downgrade(&shared),
            last: Mutex::new(None),
        });
        let error = run_once(&shared, &inbound).await;
        let last = inbound.last.lock().take();
        if let Some(refuse) = last.as_ref().and_then(|link| link.refused_for_good()) {
            tracing::error!(code = %refuse.code, text = refuse.text, "the router refused this client for good");
            shared.refused(refuse);
            return;
        }
        if last
            .as_ref()
            .is_some_and(|link| link.was_open() && link.age() >= PROVEN)
        {
            backoff.succeeded();
        }
        let error = last
            .and_then(|link| link.peer().ending().map(|(why, _)| why.to_string()))
            .unwrap_or(error);
        if shared.is_closing() || shared.tasks.is_stopped() {
            break;
        }
        let retry_in = backoff.next(fastrand::f64());
        tracing::debug!(carrier = ?shared.carrier, error, ?retry_in, "no link");
        if !retry_in.is_zero() {
            shared.set_state(LinkState::Waiting { error, retry_in });
            let _ = shared
                .tasks
                .stop_token()
                .run_until_cancelled(tokio::time::sleep(retry_in))
                .await;
        }
    }
}

/// One run of the carrier. Gives the reason for its end, in words.
async fn run_once(shared: &Arc<Shared>, inbound: &Arc<ClientInbound>) -> String {
    let from_here = Arc::clone(inbound) as Arc<dyn Inbound>;
    run_carrier(&shared.carrier, from_here, &shared.tasks, LINK_GRACE, |_| {})
        .await
        .err()
        .map_or_else(|| "the link ended".to_owned(), |error| error.to_string())
}

/// A carrier's links come in here.
#[derive(Debug)]
struct ClientInbound {
    shared: Weak<Shared>,
    /// The newest link.
    last: Mutex<Option<Arc<Link>>>,
}

impl Inbound for ClientInbound {
    fn admit(&self, id: ClientId, peer: PeerInfo) -> Result<Arc<dyn Receiver>, CarrierError> {
        let shared = self
            .shared
            .upgrade()
            .filter(|shared| !shared.is_closing())
            .ok_or(CarrierError::Closed)?;
        let outbox = Outbox::new(id, Arc::clone(&shared.carrier), peer, Arc::clone(shared.local.stalls()));
        let link = Link::new(id, &shared, outbox);
        shared.set_newest(&link);
        *self.last.lock() = Some(Arc::clone(&link));
        link.peer().start_sending();
        link.greet();
        Ok(link)
    }

    fn all_disconnected(&self, why: Disconnect) {
        let left = self.last.lock().clone();
        if let Some(link) = left.filter(|link| !link.peer().gone().is_cancelled()) {
            link.retire(why);
        }
    }
}

/// The router at the other end takes calls now: registers everything that is wanted, in one batch.
pub(super) fn opened(link: &Arc<Link>) {
    let shared = link.shared();
    link.set_open();
    let mut listeners = Vec::new();
    let mut senders = Vec::new();
    {
        // Under the ledger's lock, so that what is added meanwhile is registered either here or there.
        let mut ledger = shared.ledger.lock();
        shared.set_link(link);
        for want in ledger.replay() {
            match want {
                Want::Listener(topic, want) => {
                    let subscription = shared.subscriptions.get(&topic).map(|entry| Arc::clone(&entry));
                    let id = want.listener_id.unwrap_or_default();
                    listeners.extend(subscription.map(|entry| (entry.send(link, &topic, &want), entry, id)));
                }
                Want::Sender(want) => {
                    let entry = shared.senders.get(&want.sender).map(|entry| Arc::clone(&entry));
                    senders.extend(entry.map(|entry| (entry.send(link, &want), entry)));
                }
            }
        }
    }
    let link = Arc::clone(link);
    shared.tasks.spawn("registering", async move {
        for (pending, subscription, id) in listeners {
            subscription.finish(&link, id, pending).await;
        }
        for (pending, entry) in senders {
            entry.finish(&link, pending).await;
        }
        let shared = link.shared();
        // Under the ledger's lock, as the loss of a link is.
        let _ledger = shared.ledger.lock();
        if shared.is_current(&link) {
            shared.set_state(LinkState::Connected);
        }
    });
}

/// What depends on time, until the router is gone or told to stop.
async fn tick(shared: Weak<Shared>) {
    let Some(stop) = shared.upgrade().map(|shared| shared.tasks.stop_token().clone()) else {
        return;
    };
    let (mut pause, mut asked) = (TICK, clock::now());
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        let Some(shared) = shared.upgrade() else { return };
        let now = clock::now();
        pause = shared.newest().map_or(TICK, |link| link.tick(now));
        if now.duration_since(asked) >= RETRY {
            asked = now;
            RemoteEntry::retry_refused(&shared);
        }
    }
}
