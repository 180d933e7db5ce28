//! The task that reads a ROUTER socket: it tells the clients apart, and when they come and go.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sig_core::{Batch, Carrier as _, CarrierError, Client, CodecError, Disconnect, PeerInfo, Reason, Uplink};
use sig_wire::{Encoding as WireEncoding, Preface};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use super::{Door, Listener};
use crate::Message;
use crate::backend::{Backend, LinkEvent, Monitor};
use crate::carrier::foreign;
use crate::carrier::link::Registered;
use crate::carrier::peers::{Peer, Peers};
use crate::carrier::spoken::{First, Spoken, body_of, check_frame, whole_frames};
use crate::carrier::{GOODBYE, carrier_error};

/// Most messages that are read until other things are looked at.
const BURST: usize = 64;

/// One run of a listener.
pub(super) struct Reading<'a> {
    carrier: &'a Listener,
    router: &'a Uplink,
    socket: Arc<dyn Backend>,
    monitor: Monitor,
    peers: Peers,
    /// Links that are down, each until this many messages were read: what came by it may be among them.
    down: VecDeque<(u64, Disconnect, u64)>,
    /// Messages that were read.
    taken: u64,
}

/// Who sent a message.
struct From {
    number: u64,
    route: Bytes,
    is_req: bool,
    address: String,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        carrier: &'a Listener,
        router: &'a Uplink,
        socket: Arc<dyn Backend>,
    ) -> Result<Self, CarrierError> {
        let monitor = socket.monitor().map_err(carrier_error)?;
        Ok(Self {
            carrier,
            router,
            socket,
            monitor,
            peers: Peers::default(),
            down: VecDeque::new(),
            taken: 0,
        })
    }

    /// Reads until the carrier is told to stop.
    pub(super) async fn run(mut self, door: &Door) -> Result<(), CarrierError> {
        let mut is_open = true;
        let ended = loop {
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
                () = self.carrier.links.told() => {}
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
    async fn shut(&self, door: &Door) {
        if let Err(error) = self.socket.unbind(&self.carrier.endpoint).await {
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
        let mut let_go = Vec::new();
        for (number, client, link) in self.peers.clients() {
            match link.let_go() {
                Some(why) => let_go.push((number, why.clone())),
                None => {
                    for id in link.take_refused() {
                        // One that is gone needs no answer.
                        let _ = self.carrier.handle_rx(client, &mut foreign::deaf(id)).await;
                    }
                }
            }
        }
        for (number, why) in let_go {
            self.retire(number, why).await;
        }
        let now = Instant::now();
        while let Some(number) = self.peers.take_overdue(now) {
            match self.peers.get(number) {
                Some(Peer::Refused { .. }) => {
                    let why = Disconnect::new(Reason::Kicked, "it sent what cannot be read");
                    self.retire(number, why).await;
                }
                Some(Peer::Parting) => {
                    if let Err(error) = self.socket.drop_link(number).await {
                        debug!(%error, "cannot drop a link");
                    }
                }
                Some(Peer::Open { .. }) | None => {}
            }
        }
    }

    fn note(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Disconnected { link, reason, by_peer } => {
                // What it sent before may not have been read yet, but lies in front of what is sent from now on.
                let until = self.taken + u64::from(self.carrier.options.receive_high_water) + BURST as u64;
                let why = if by_peer {
                    Disconnect::closed()
                } else {
                    Disconnect::link_lost(reason)
                };
                self.down.push_back((link.number, why, until));
            }
            LinkEvent::Refused { endpoint, reason } => info!(endpoint, reason, "connection refused"),
            LinkEvent::Missed(events) => warn!(events, "too many peers came and went at once to notice all of them"),
            LinkEvent::Connected(_) | LinkEvent::Delayed { .. } => {}
        }
    }

    async fn take(&mut self, mut message: Message) {
        self.taken += 1;
        let Some(sender) = message.sender() else {
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

    /// The first message of a peer.
    async fn greet(&mut self, from: From, message: Message) {
        let read = body_of(message);
        let delimited = read.as_ref().is_ok_and(|(_, delimited)| *delimited) || from.is_req;
        let first = match &read {
            Ok((body, delimited)) => First::of(body, *delimited, from.is_req),
            Err(why) => First::Stranger(why.clone()),
        };
        let (spoken, answer) = match first {
            First::Offer(offer) => {
                let ours = Preface::new(WireEncoding::Sig1);
                match ours.negotiate(&offer) {
                    Ok(version) => (Spoken::Runs, Some(Preface::chosen(version, ours.encoding))),
                    Err(error) => {
                        info!(address = from.address, %error, "connection refused");
                        self.say(&from, false, Bytes::copy_from_slice(&ours.encode()));
                        return self.part_from(from.number);
                    }
                }
            }
            First::Speaks(spoken) => (spoken, None),
            First::Stranger(why) => {
                info!(address = from.address, why, "a message of no client");
                return self.say(&from, delimited, foreign::unreadable(&why));
            }
        };
        // One program, or two that chose the same name: ZeroMQ routes to the newer link from now on.
        if let Some(former) = self.peers.with_route(&from.route) {
            self.retire(former, Disconnect::link_lost("a newer link has the same identity"))
                .await;
        }
        let number = from.number;
        let Some((client, link)) = self.announce(from, spoken, answer).await else {
            return self.part_from(number);
        };
        self.peers.insert(number, client, link);
        // An offer has had its answer; anything else counts as what comes later does.
        if answer.is_none()
            && let Ok((body, delimited)) = read
            && let Some(Peer::Open { client, link }) = self.peers.get(number)
            && let Err(end) = self.deliver_body(client, link, body, delimited).await
        {
            self.end(number, end).await;
        }
    }

    /// A client cannot stay.
    async fn end(&mut self, number: u64, end: End) {
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

    /// Makes a client of a peer; `None` when the router does not take it.
    async fn announce(&self, from: From, spoken: Spoken, answer: Option<Preface>) -> Option<(Client, Registered)> {
        let mut info = PeerInfo::new(format!("zmq:{}", from.address), spoken.encoding());
        info.max_frame = self.carrier.profile().max_frame;
        let link = self.carrier.links.register(&self.socket, Some(from.route), spoken);
        if let Some(answer) = answer {
            // Before the router can send anything.
            link.say(Bytes::copy_from_slice(&answer.encode()));
        }
        match self.carrier.handle_client_connected(self.router, link.id(), info).await {
            Ok(client) => Some((client, link)),
            Err(error) => {
                info!(address = from.address, %error, "connection refused");
                if let Spoken::Json { .. } = spoken {
                    link.say(foreign::unreadable(&error.to_string()));
                }
                link.part();
                None
            }
        }
    }

    async fn deliver(&self, client: &Client, link: &Registered, message: Message) -> Result<(), End> {
        match body_of(message) {
            Ok((body, delimited)) => self.deliver_body(client, link, body, delimited).await,
            Err(why) => match link.spoken() {
                Spoken::Json { .. } => {
                    link.say(foreign::unreadable(&why));
                    Ok(())
                }
                Spoken::Runs | Spoken::Frames => Err(End::Unreadable(CodecError::Frame(why).into())),
            },
        }
    }

    async fn deliver_body(&self, client: &Client, link: &Registered, body: Bytes, delimited: bool) -> Result<(), End> {
        match link.spoken() {
            Spoken::Runs if body.is_empty() => Err(End::Goodbye),
            Spoken::Runs | Spoken::Frames if delimited => Err(End::Unreadable(
                CodecError::Frame("an empty part before a frame".to_owned()).into(),
            )),
            Spoken::Runs => deliver_run(self.carrier, client, body).await,
            Spoken::Frames => {
                check_frame(&body, client.max_frame()).map_err(|error| End::Unreadable(error.into()))?;
                let mut batch = Batch::of_frames(sig_core::Encoding::Sig1);
                batch.push_frame(body);
                self.carrier.handle_rx(client, &mut batch).await.map_err(End::Kick)
            }
            Spoken::Json { .. } => match foreign::read(&body, client.max_frame()) {
                Ok(mut batch) => self.carrier.handle_rx(client, &mut batch).await.map_err(End::Kick),
                Err(why) => {
                    client.heard();
                    link.say(foreign::unreadable(&why));
                    Ok(())
                }
            },
        }
    }

    /// Answers a peer that is no client.
    fn say(&self, to: &From, delimited: bool, body: Bytes) {
        let message = Message::from(body);
        let message = if delimited {
            message.with_front(Bytes::new())
        } else {
            message
        };
        let _ = self.socket.try_send(message.with_front(to.route.clone()));
    }

    /// A client is none any more: its link has the time of a goodbye to go by itself.
    async fn retire(&mut self, number: u64, why: Disconnect) {
        if let Some(Peer::Open { client, link } | Peer::Refused { client, link }) = self.peers.remove(number) {
            link.part();
            drop(link);
            self.part_from(number);
            self.carrier.handle_client_disconnected(client, why).await;
        }
    }

    fn part_from(&mut self, number: u64) {
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

/// Why a client cannot stay.
pub(in crate::carrier) enum End {
    /// It said goodbye.
    Goodbye,
    /// The router does not want it any more.
    Kick(CarrierError),
    /// What it sent cannot be read.
    Unreadable(CarrierError),
}

/// Hands the frames of one message to the router.
pub(in crate::carrier) async fn deliver_run<C: sig_core::Carrier>(
    carrier: &C,
    client: &Client,
    body: Bytes,
) -> Result<(), End> {
    // Without a copy where nobody else has a part of the same buffer.
    let mut bytes = body.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    while !bytes.is_empty() {
        // The limit is asked for each time: a hello raises it for what follows.
        let whole = whole_frames(&bytes, client.max_frame());
        if whole.size == 0 {
            let why = whole.then.unwrap_or_else(|| "a message without a frame".to_owned());
            return Err(End::Unreadable(CodecError::Frame(why).into()));
        }
        let mut batch = Batch::from_stream(if whole.size == bytes.len() {
            std::mem::take(&mut bytes)
        } else {
            bytes.split_to(whole.size)
        });
        carrier.handle_rx(client, &mut batch).await.map_err(End::Kick)?;
    }
    Ok(())
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
