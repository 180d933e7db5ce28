//! What an XPUB receives.
//!
//! omq passes on every subscription of every peer, and says nothing when a peer leaves. libzmq tells the first one for each topic and the
//! last one taken back, those of a lost peer too; else a forwarder would ask for ever for what nobody wants. This does as libzmq does.

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::{BufMut as _, Bytes, BytesMut};
use omq_tokio::{
    Error, Message, MonitorEvent, MonitorRecvError, MonitorStream, MonitorTryRecvError, PeerSubscriptions,
};
use tokio::sync::Mutex;

/// The subscriptions of one XPUB socket.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Mutex<Option<Table>>);

#[derive(Debug)]
struct Table {
    events: MonitorStream,
    by_link: HashMap<u64, Vec<Bytes>>,
    wanted: HashMap<Bytes, usize>,
    told: VecDeque<Message>,
    /// Events were missed, and what is there must be asked for.
    stale: bool,
}

impl Subscriptions {
    /// Begins to listen for subscriptions, before the first peer can come.
    pub(super) async fn begin(&self, socket: &omq_tokio::Socket) -> Result<(), Error> {
        let mut table = self.0.lock().await;
        if table.is_none() {
            *table = Some(Table::new(socket).await?);
        }
        Ok(())
    }

    /// As [`Backend::recv`](crate::backend::Backend::recv).
    pub(super) async fn recv(&self, socket: &omq_tokio::Socket) -> Result<Message, Error> {
        let mut table = self.0.lock().await;
        loop {
            let table = match &mut *table {
                Some(table) => table,
                none => none.insert(Table::new(socket).await?),
            };
            if table.stale {
                table.renew(socket).await?;
            }
            if let Some(message) = table.told.pop_front() {
                return Ok(message);
            }
            tokio::select! {
                event = table.events.recv() => match event {
                    Ok(event) => table.apply(event),
                    Err(MonitorRecvError::Lagged(_)) => table.stale = true,
                    Err(_) => return Err(Error::Closed),
                },
                message = socket.recv() => {
                    let message = message?;
                    if !is_subscription(&message) {
                        return Ok(message);
                    }
                }
            }
        }
    }

    /// The next message where one is there. After events were missed none is, until [`recv`](Self::recv) has asked for what is there.
    pub(super) fn try_recv(&self, socket: &omq_tokio::Socket) -> Result<Message, Error> {
        // Whoever holds it waits for the same messages.
        let Ok(mut table) = self.0.try_lock() else {
            return Err(Error::WouldBlock);
        };
        let Some(table) = &mut *table else {
            return Err(Error::WouldBlock);
        };
        while table.told.is_empty() {
            if table.stale {
                return Err(Error::WouldBlock);
            }
            match table.events.try_recv() {
                Ok(event) => table.apply(event),
                Err(MonitorTryRecvError::Closed) => return Err(Error::Closed),
                Err(MonitorTryRecvError::Lagged(_)) => table.stale = true,
                Err(_) => break,
            }
        }
        if let Some(message) = table.told.pop_front() {
            return Ok(message);
        }
        loop {
            let message = socket.try_recv()?;
            if !is_subscription(&message) {
                return Ok(message);
            }
        }
    }
}

/// Whether omq made it of a subscription, which the table tells better.
fn is_subscription(message: &Message) -> bool {
    message.len() == 1 && matches!(message.get(0), Some([0 | 1, ..]))
}

impl Table {
    async fn new(socket: &omq_tokio::Socket) -> Result<Self, Error> {
        let (events, peers) = socket.monitor_with_subscriptions().await?;
        let mut table = Self {
            events,
            by_link: HashMap::new(),
            wanted: HashMap::new(),
            told: VecDeque::new(),
            stale: false,
        };
        table.fill(peers);
        Ok(table)
    }

    /// After events were missed: the difference to what is there now.
    async fn renew(&mut self, socket: &omq_tokio::Socket) -> Result<(), Error> {
        let (events, peers) = socket.monitor_with_subscriptions().await?;
        let before: BTreeSet<_> = self.wanted.keys().cloned().collect();
        let told = std::mem::take(&mut self.told);
        self.by_link.clear();
        self.wanted.clear();
        self.events = events;
        self.fill(peers);
        self.told = told;
        self.stale = false;
        let now: BTreeSet<_> = self.wanted.keys().cloned().collect();
        self.told
            .extend(before.difference(&now).map(|prefix| message(0, prefix)));
        self.told
            .extend(now.difference(&before).map(|prefix| message(1, prefix)));
        Ok(())
    }

    fn fill(&mut self, peers: Vec<PeerSubscriptions>) {
        for peer in peers {
            for prefix in peer.prefixes {
                self.add(peer.peer.connection_id, prefix);
            }
        }
    }

    fn apply(&mut self, event: MonitorEvent) {
        match event {
            MonitorEvent::SubscribeReceived { connection_id, prefix } => self.add(connection_id, prefix),
            MonitorEvent::UnsubscribeReceived { connection_id, prefix } => self.remove(connection_id, &prefix),
            MonitorEvent::Disconnected { peer, .. } => {
                for prefix in self.by_link.remove(&peer.connection_id).unwrap_or_default() {
                    self.unwanted(&prefix);
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, link: u64, prefix: Bytes) {
        let wanted = self.wanted.entry(prefix.clone()).or_default();
        *wanted += 1;
        if *wanted == 1 {
            self.told.push_back(message(1, &prefix));
        }
        self.by_link.entry(link).or_default().push(prefix);
    }

    fn remove(&mut self, link: u64, prefix: &Bytes) {
        let Some(prefixes) = self.by_link.get_mut(&link) else {
            return;
        };
        let Some(at) = prefixes.iter().position(|one| one == prefix) else {
            return;
        };
        prefixes.swap_remove(at);
        self.unwanted(prefix);
    }

    fn unwanted(&mut self, prefix: &Bytes) {
        let Some(wanted) = self.wanted.get_mut(prefix) else {
            return;
        };
        *wanted -= 1;
        if *wanted == 0 {
            self.wanted.remove(prefix);
            self.told.push_back(message(0, prefix));
        }
    }
}

fn message(tag: u8, prefix: &Bytes) -> Message {
    let mut frame = BytesMut::with_capacity(1 + prefix.len());
    frame.put_u8(tag);
    frame.put_slice(prefix);
    Message::single(frame.freeze())
}
