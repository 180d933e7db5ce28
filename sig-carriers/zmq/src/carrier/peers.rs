//! What is known of the peers of one ROUTER socket.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use sig_core::{Client, ClientId};
use tokio::time::Instant;

use super::link::Registered;

/// One peer that has said something.
#[derive(Debug)]
pub(super) enum Peer {
    /// A client.
    Open { client: Client, link: Registered },
    /// A client that sent what cannot be read: it is being told so, and the router then lets go of it.
    Refused { client: Client, link: Registered },
    /// It is no client any more; its link is to go.
    Parting,
}

/// The peers of one ROUTER socket, by the number of their link.
#[derive(Debug, Default)]
pub(super) struct Peers {
    table: HashMap<u64, Peer>,
    by_route: HashMap<Bytes, u64>,
    by_client: HashMap<ClientId, u64>,
    /// When the links of those that part are dropped, unless they go by themselves; in the order of time.
    deadlines: VecDeque<(Instant, u64)>,
}

impl Peers {
    pub(super) fn get(&self, number: u64) -> Option<&Peer> {
        self.table.get(&number)
    }

    pub(super) fn insert(&mut self, number: u64, client: Client, link: Registered) {
        if let Some(route) = link.route() {
            self.by_route.insert(route.clone(), number);
        }
        self.by_client.insert(link.id(), number);
        self.table.insert(number, Peer::Open { client, link });
    }

    /// Takes a peer out.
    pub(super) fn remove(&mut self, number: u64) -> Option<Peer> {
        let peer = self.table.remove(&number);
        if let Some(Peer::Open { link, .. } | Peer::Refused { link, .. }) = &peer {
            self.by_client.remove(&link.id());
        }
        if let Some(Peer::Open { link, .. } | Peer::Refused { link, .. }) = &peer
            && let Some(route) = link.route().filter(|route| self.by_route.get(*route) == Some(&number))
        {
            self.by_route.remove(route);
        }
        peer
    }

    /// The client that has this identity now.
    pub(super) fn with_route(&self, route: &[u8]) -> Option<u64> {
        self.by_route.get(route).copied()
    }

    /// The number of a client's link.
    pub(super) fn with_client(&self, id: ClientId) -> Option<u64> {
        self.by_client.get(&id).copied()
    }

    /// From now on the client is being told why it cannot stay.
    pub(super) fn refuse(&mut self, number: u64, deadline: Instant) {
        if let Some(peer) = self.table.remove(&number) {
            let peer = match peer {
                Peer::Open { client, link } => Peer::Refused { client, link },
                other => other,
            };
            self.table.insert(number, peer);
            self.deadlines.push_back((deadline, number));
        }
    }

    /// The link of a former client is to go.
    pub(super) fn part(&mut self, number: u64, deadline: Instant) {
        self.table.insert(number, Peer::Parting);
        self.deadlines.push_back((deadline, number));
    }

    /// When the next link is to be dropped.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }

    /// A link whose time is up.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Option<u64> {
        let (deadline, number) = *self.deadlines.front()?;
        if deadline > now {
            return None;
        }
        self.deadlines.pop_front();
        Some(number)
    }

    /// Whether nobody is left who may still go by itself.
    pub(super) fn has_parted(&self) -> bool {
        !self.table.values().any(|peer| matches!(peer, Peer::Parting))
    }

    /// The clients, by the number of their link.
    pub(super) fn clients(&self) -> impl Iterator<Item = (u64, &Client, &Registered)> {
        self.table.iter().filter_map(|(number, peer)| match peer {
            Peer::Open { client, link } | Peer::Refused { client, link } => Some((*number, client, link)),
            Peer::Parting => None,
        })
    }
}
