//! What a server tells of its clients and carriers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use sig_core::{ClientId, Disconnect, LinkReport};

use super::attach::CarrierState;
use super::client::ClientSession;
use super::{ClientInfo, Shared};
use crate::clock;
use crate::hub::Hub;
use crate::inspect::{
    CarrierReport, ClientConnected, ClientDisconnected, ClientReport, Inspection, Links, News, Story, Traffic, millis,
    tell, unix_ms,
};

/// Most links that are remembered. Carriers watch a few each: it is there for one that goes wrong.
const MOST_LINKS: usize = 10_000;

/// What a server keeps to tell how it fares.
#[derive(Debug, Default)]
pub(super) struct Watched {
    news: Arc<News>,
    /// The counts of the clients that have left.
    departed: Mutex<Traffic>,
    /// The carriers that were attached and not stopped, in this order.
    carriers: Mutex<Vec<CarrierReport>>,
    last_carrier: AtomicU64,
    /// The newest report of each link, by the carrier's id and the address.
    links: Mutex<BTreeMap<(u64, String), LinkReport>>,
}

impl Shared {
    /// Gives the router its own sender, and begins to tell what happens.
    pub(super) fn watch(self: &Arc<Self>, hub: &Arc<Hub>) {
        let weak = Arc::downgrade(self);
        Inspection::install(hub, Some(weak));
        let news = Arc::clone(&self.watched.news);
        hub.stalls().set_watch(Arc::clone(&news) as _);
        let stop = self.tasks.stop_token().clone();
        self.tasks.spawn("news", tell(Arc::downgrade(hub), news, stop));
    }

    /// A client is there.
    pub(super) fn client_came(&self, client: ClientConnected) {
        self.watched.news.add(Story::Connected(client));
    }

    /// A client is not there any more; `None` if it was not.
    pub(super) fn remove_client(&self, id: ClientId) -> Option<Arc<ClientSession>> {
        // Under the lock of the counts, so that nobody counts it twice or not at all.
        let mut departed = self.watched.departed.lock();
        let (_, client) = self.clients.remove(&id)?;
        departed.add(Traffic {
            waiting: 0,
            ..client.traffic()
        });
        Some(client)
    }

    /// It was there, and spoke this dialect.
    pub(super) fn client_left(&self, client: &ClientSession, dialect: &str, why: &Disconnect) {
        let traffic = client.traffic();
        self.watched.news.add(Story::Disconnected(ClientDisconnected {
            id: client.id().get(),
            carrier: client.carrier_name().to_owned(),
            address: client.outbox().peer().address.clone(),
            dialect: dialect.to_owned(),
            reason: why.reason.as_str().to_owned(),
            text: why.detail.clone(),
            age_ms: millis(clock::now().saturating_duration_since(client.opened())),
            events_in: traffic.events_in,
            events_out: traffic.events_out,
            lost: traffic.lost,
            dropped: client.outbox().tally().dropped,
        }));
    }

    /// A carrier was attached: its id.
    pub(super) fn carrier_came(&self, name: &str) -> u64 {
        let id = self.watched.last_carrier.fetch_add(1, Ordering::Relaxed) + 1;
        let report = CarrierReport {
            id,
            name: name.to_owned(),
            ..CarrierReport::default()
        };
        self.watched.carriers.lock().push(report);
        self.carrier_is(id, &CarrierState::Running);
        id
    }

    /// How a carrier fares from now on.
    pub(super) fn carrier_is(&self, id: u64, state: &CarrierState) {
        let mut carriers = self.watched.carriers.lock();
        let Some(index) = carriers.iter().position(|carrier| carrier.id == id) else {
            return;
        };
        let carrier = &mut carriers[index];
        let (word, retry_ms) = match state {
            CarrierState::Running => ("running", None),
            CarrierState::Restarting { error, retry_in } => {
                carrier.error = Some(error.clone());
                carrier.failures += 1;
                ("restarting", Some(millis(*retry_in)))
            }
            CarrierState::Stopped => ("stopped", None),
        };
        (carrier.state, carrier.retry_ms) = (word.to_owned(), retry_ms);
        let report = carrier.clone();
        if *state == CarrierState::Stopped {
            carriers.remove(index);
            self.watched.links.lock().retain(|(carrier, _), _| *carrier != id);
        }
        drop(carriers);
        self.watched.news.add(Story::Carrier(report));
    }
}

impl Shared {
    /// How a link of a carrier fares from now on.
    pub(super) fn link_is(&self, carrier: u64, report: LinkReport) {
        let mut links = self.watched.links.lock();
        let key = (carrier, report.address.clone());
        if links.len() < MOST_LINKS || links.contains_key(&key) {
            links.insert(key, report.clone());
        }
        drop(links);
        self.watched.news.add(Story::Link(report));
    }
}

impl Links for Shared {
    fn identity(&self) -> (String, u64) {
        (self.router_id.clone(), self.epoch)
    }

    fn each_client(&self, visit: &mut dyn FnMut(ClientId, Traffic)) {
        self.clients
            .iter()
            .for_each(|client| visit(*client.key(), client.traffic()));
    }

    fn total(&self, visit: &mut dyn FnMut(ClientId, Traffic)) -> Traffic {
        let departed = self.watched.departed.lock();
        let mut total = *departed;
        self.each_client(&mut |id, traffic| {
            total.add(traffic);
            visit(id, traffic);
        });
        drop(departed);
        total
    }

    fn count_clients(&self) -> usize {
        self.clients.len()
    }

    fn client(&self, id: ClientId, now: Instant) -> Option<ClientReport> {
        let client = self.clients.get(&id).map(|client| Arc::clone(&client))?;
        let age = clock::now().saturating_duration_since(client.opened());
        let (heartbeat, silent) = client.peer().pulse(now);
        let traffic = client.traffic();
        let ClientInfo {
            id,
            carrier,
            address,
            dialect,
            senders,
            listeners,
            ..
        } = client.info();
        Some(ClientReport {
            id: id.get(),
            carrier: carrier.to_owned(),
            address,
            dialect: dialect.to_owned(),
            since: unix_ms(SystemTime::now().checked_sub(age)),
            age_ms: millis(age),
            senders,
            listeners,
            events_in: traffic.events_in,
            bytes_in: traffic.bytes_in,
            events_out: traffic.events_out,
            bytes_out: traffic.bytes_out,
            rate_in: None,
            rate_out: None,
            waiting: traffic.waiting,
            lost: traffic.lost,
            skipped: traffic.skipped,
            lagging: client.outbox().is_lagging(),
            heartbeat_ms: heartbeat.map_or(0, millis),
            silent_ms: millis(silent),
        })
    }

    fn carriers(&self) -> Vec<CarrierReport> {
        self.watched.carriers.lock().clone()
    }

    fn links(&self) -> Vec<LinkReport> {
        self.watched.links.lock().values().cloned().collect()
    }
}

impl ClientSession {
    /// What went over the link so far, and waits.
    pub(super) fn traffic(&self) -> Traffic {
        let (events_in, bytes_in) = self.peer().received();
        let outbox = self.outbox();
        let tally = outbox.tally();
        Traffic {
            events_in,
            bytes_in,
            events_out: tally.flushed,
            bytes_out: tally.bytes,
            lost: outbox.lost(),
            skipped: outbox.skipped(),
            waiting: outbox.unsent(),
        }
    }
}
