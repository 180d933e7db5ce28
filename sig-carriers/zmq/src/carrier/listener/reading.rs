//! The task that reads a ROUTER socket: it tells the clients apart, and when they come and go.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use sig_core::{Carrier as _, CarrierError, Disconnect, Reason, Uplink};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use super::delivering::{End, From};
use super::{Door, Listener};
use crate::Message;
use crate::backend::{Backend, LinkEvent, Monitor};
use crate::carrier::foreign;
use crate::carrier::peers::{Peer, Peers};
use crate::carrier::spoken::Spoken;
use crate::carrier::{GOODBYE, carrier_error};

/// Most messages that are read until other things are looked at.
const BURST: usize = 64;

/// Most connections that have not said anything yet.
const MAX_SILENT: usize = 512;

/// One run of a listener.
pub(super) struct Reading<'a> {
    pub(super) carrier: &'a Listener,
    pub(super) router: &'a Uplink,
    pub(super) socket: Arc<dyn Backend>,
    /// Where it listens, in its own words.
    bound: String,
    monitor: Monitor,
    pub(super) peers: Peers,
    /// Links that are down, each until this many messages were read: what came by it may be among them.
    down: VecDeque<(u64, Disconnect, u64)>,
    /// Messages that were read.
    taken: u64,
    /// Events of links were missed.
    missed: bool,
    /// Some link has something to be done for it.
    told: bool,
    /// Nobody becomes a client any more.
    pub(super) is_shut: bool,
    /// Links whose peer has not said anything that makes a client of it; the oldest has the smallest number.
    pub(super) silent: BTreeSet<u64>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        carrier: &'a Listener,
        router: &'a Uplink,
        socket: Arc<dyn Backend>,
        bound: String,
    ) -> Result<Self, CarrierError> {
        let monitor = socket.monitor().map_err(carrier_error)?;
        Ok(Self {
            carrier,
            router,
            socket,
            bound,
            monitor,
            peers: Peers::default(),
            down: VecDeque::new(),
            taken: 0,
            missed: false,
            told: false,
            is_shut: false,
            silent: BTreeSet::new(),
        })
    }

    /// Reads until the carrier is told to stop.
    pub(super) async fn run(mut self, door: &Door) -> Result<(), CarrierError> {
        let mut is_open = true;
        let ended = loop {
            if std::mem::take(&mut self.missed) {
                self.recount().await;
            }
            let drained = match self.drain().await {
                Ok(drained) => drained,
                Err(error) => break Err(error),
            };
            self.settle(drained).await;
            let deadline = self.peers.next_deadline();
            tokio::select! {
                biased;
                () = self.router.stopped() => break Ok(()),
                () = door.wanted_shut.cancelled(), if is_open => {
                    is_open = false;
                    self.shut(door).await;
                }
                event = self.monitor.next() => match event {
                    Some(event) => self.note(event),
                    None => break Err(CarrierError::Other("the ZeroMQ socket was closed".to_owned())),
                },
                () = self.carrier.links.told() => self.told = true,
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {}
                message = self.socket.recv(), if drained && self.down.is_empty() => match message {
                    Ok(message) => self.take(message).await,
                    Err(error) => break Err(carrier_error(error)),
                },
                () = tokio::task::yield_now(), if !drained || !self.down.is_empty() => {}
            }
        };
        if is_open {
            self.shut(door).await;
        }
        self.part(&ended).await;
        ended
    }

    /// Lets nobody in any more. Those who are there stay.
    async fn shut(&mut self, door: &Door) {
        self.is_shut = true;
        if !self.socket.unbinding_drops_links()
            && let Err(error) = self.socket.unbind(&self.bound).await
        {
            debug!(%error, "cannot unbind");
        }
        door.is_shut.cancel();
    }

    /// Reads what is there, up to a bound. True when nothing is left.
    async fn drain(&mut self) -> Result<bool, CarrierError> {
        for _ in 0..BURST {
            match self.socket.try_recv().map_err(carrier_error)? {
                Some(message) => self.take(message).await,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Finds the clients whose end was missed.
    async fn recount(&mut self) {
        let Some(links) = self.socket.links().await else {
            return warn!("clients may have left that are still shown: their heartbeats will tell");
        };
        let links: HashSet<u64> = links.into_iter().collect();
        self.silent.retain(|number| links.contains(number));
        let gone = self
            .peers
            .clients()
            .map(|(number, ..)| number)
            .filter(|number| !links.contains(number));
        for number in gone.collect::<Vec<_>>() {
            self.is_down(number, Disconnect::link_lost("it left with many others"));
        }
    }

    /// What a link that is down brought before may not have been read yet, but lies in front of what is sent from now on.
    fn is_down(&mut self, number: u64, why: Disconnect) {
        self.silent.remove(&number);
        let until = self.taken + u64::from(self.carrier.options.receive_high_water) + BURST as u64;
        self.down.push_back((number, why, until));
    }

    /// Does what was asked for meanwhile, and what is due.
    async fn settle(&mut self, drained: bool) {
        while let Some((number, _, until)) = self.down.front() {
            if !drained && self.taken < *until {
                break;
            }
            let number = *number;
            let down = self.down.pop_front();
            let peer = self.peers.remove(number);
            if let Some((_, why, _)) = down
                && let Some(Peer::Open { client, link } | Peer::Refused { client, link }) = peer
            {
                drop(link);
                self.carrier.handle_client_disconnected(client, why).await;
            }
        }
        if std::mem::take(&mut self.told) {
            self.do_as_told().await;
        }
        while self.silent.len() > MAX_SILENT
            && let Some(oldest) = self.silent.pop_first()
        {
            info!("more than {MAX_SILENT} connections said nothing; the oldest was let go");
            self.drop_link(oldest).await;
        }
        let now = Instant::now();
        while let Some(number) = self.peers.take_overdue(now) {
            match self.peers.get(number) {
                Some(Peer::Refused { .. }) => {
                    let why = Disconnect::new(Reason::Kicked, "it sent what cannot be read");
                    self.retire(number, why).await;
                }
                Some(Peer::Parting) => self.drop_link(number).await,
                Some(Peer::Open { .. }) | None => {}
            }
        }
    }

    /// Lets go of the clients that the router let go of, and answers what REQ sockets cannot be asked.
    async fn do_as_told(&mut self) {
        for id in self.carrier.links.take_changed() {
            // One that has left has nothing to be done for it.
            let Some(number) = self.peers.with_client(id) else {
                continue;
            };
            let Some(Peer::Open { client, link } | Peer::Refused { client, link }) = self.peers.get(number) else {
                continue;
            };
            if let Some(why) = link.let_go() {
                let why = why.clone();
                self.retire(number, why).await;
                continue;
            }
            for id in link.take_refused() {
                // One that is gone needs no answer.
                let _ = self.carrier.handle_rx(client, &mut foreign::deaf(id)).await;
            }
        }
    }

    async fn drop_link(&self, number: u64) {
        if let Err(error) = self.socket.drop_link(number).await {
            debug!(%error, "cannot drop a link");
        }
    }

    fn note(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Disconnected { link, reason, by_peer } => {
                let why = if by_peer {
                    Disconnect::closed()
                } else {
                    Disconnect::link_lost(reason)
                };
                self.is_down(link.number, why);
            }
            LinkEvent::Refused { endpoint, reason } => info!(endpoint, reason, "connection refused"),
            LinkEvent::Missed(events) => {
                debug!(events, "peers came and went faster than it was noticed");
                self.missed = true;
            }
            LinkEvent::Connected(link) => {
                if self.peers.get(link.number).is_none() {
                    self.silent.insert(link.number);
                }
            }
            LinkEvent::Delayed { .. } => {}
        }
    }

    async fn take(&mut self, mut message: Message) {
        self.taken += 1;
        let Some(sender) = self.socket.sender(&message) else {
            debug!("a message without a sender");
            return;
        };
        let number = sender.link();
        match self.peers.get(number) {
            Some(Peer::Open { client, link }) => {
                message.pop_front();
                if let Err(end) = self.deliver(client, link, message).await {
                    self.end(number, end).await;
                }
            }
            // It does not know yet that nobody listens any more.
            Some(Peer::Refused { .. } | Peer::Parting) => {}
            None => {
                let (is_req, address) = (sender.is_req(), sender.address());
                let Some(route) = message.pop_front() else { return };
                let from = From {
                    number,
                    route,
                    is_req,
                    address,
                };
                self.greet(from, message).await;
            }
        }
    }

    /// A client cannot stay.
    pub(super) async fn end(&mut self, number: u64, end: End) {
        let why = match end {
            End::Goodbye => Disconnect::closed(),
            End::Kick(error) => Disconnect::new(Reason::Kicked, error.to_string()),
            End::Unreadable(error) => {
                if let Some(Peer::Open { client, .. }) = self.peers.get(number)
                    && client.refuse(&error)
                {
                    return self.peers.refuse(number, Instant::now() + GOODBYE);
                }
                Disconnect::new(Reason::Kicked, error.to_string())
            }
        };
        self.retire(number, why).await;
    }

    /// A client is none any more: its link has the time of a goodbye to go by itself.
    pub(super) async fn retire(&mut self, number: u64, why: Disconnect) {
        if let Some(Peer::Open { client, link } | Peer::Refused { client, link }) = self.peers.remove(number) {
            link.part();
            drop(link);
            self.part_from(number);
            self.carrier.handle_client_disconnected(client, why).await;
        }
    }

    pub(super) fn part_from(&mut self, number: u64) {
        self.peers.part(number, Instant::now() + GOODBYE);
    }

    /// The end of the run.
    async fn part(mut self, ended: &Result<(), CarrierError>) {
        let deadline = Instant::now() + GOODBYE;
        let clients: Vec<u64> = self.peers.clients().map(|(number, ..)| number).collect();
        self.peers.clients().for_each(|(_, _, link)| link.leave());
        for (_, _, link) in self.peers.clients() {
            link.finish(deadline.saturating_duration_since(Instant::now())).await;
        }
        for number in clients {
            let why = match ended {
                Ok(()) => Disconnect::new(Reason::Closed, "the carrier was stopped"),
                Err(error) => Disconnect::link_lost(error),
            };
            let is_ours =
                matches!(self.peers.get(number), Some(Peer::Open { link, .. }) if link.spoken() == Spoken::Runs);
            self.retire(number, why).await;
            if !is_ours {
                // It is told by the end of the link alone.
                self.peers.remove(number);
            }
        }
        let deadline = Instant::now() + GOODBYE;
        while ended.is_ok() && !self.peers.has_parted() {
            tokio::select! {
                biased;
                event = self.monitor.next() => match event {
                    Some(LinkEvent::Disconnected { link, .. }) => drop(self.peers.remove(link.number)),
                    Some(_) => {}
                    None => break,
                },
                // A link that is closed with something unread in it may lose what was sent last.
                message = self.socket.recv() => if message.is_err() { break },
                () = sleep_until(deadline) => break,
            }
        }
        self.socket.close(self.carrier.linger).await;
    }
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
