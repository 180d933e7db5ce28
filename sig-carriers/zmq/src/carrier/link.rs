//! The way out to one peer, and the table of all of them.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dashmap::DashMap;
use sig_core::{Batch, CancellationToken, CarrierError, ClientId, Codec as _, Disconnect, Json, MessageId, Reason};
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::spoken::{RUN, Spoken};
use crate::Message;
use crate::backend::{Backend, TrySend};

/// Most bytes under way to one peer that ZeroMQ has not passed on yet. A larger message goes alone.
const WINDOW: usize = 1024 * 1024;

/// Messages up to this size count for nothing there: their number is limited, by the high-water mark.
const SMALL: usize = 1024;

/// Most calls that one REQ peer was not told of and that are still to be answered for it.
const MAX_REFUSED: usize = 1024;

/// The peers that can be sent to, by the id of their client.
#[derive(Debug, Default)]
pub(super) struct Links {
    table: DashMap<ClientId, Arc<Link>>,
    /// Those that have something for the task that reads: of each that is there once at most.
    changed: StdMutex<HashSet<ClientId>>,
    told: Notify,
}

impl Links {
    /// Enters a peer, until the returned guard is dropped.
    pub(super) fn register(
        self: &Arc<Self>,
        socket: &Arc<dyn Backend>,
        route: Option<Bytes>,
        spoken: Spoken,
    ) -> Registered {
        let link = Arc::new(Link {
            id: ClientId::next(),
            socket: Arc::clone(socket),
            route,
            spoken,
            window: Arc::new(Semaphore::new(WINDOW)),
            out: Mutex::new(()),
            let_go: OnceLock::new(),
            gone: CancellationToken::new(),
            refused: StdMutex::default(),
        });
        self.table.insert(link.id, Arc::clone(&link));
        Registered {
            links: Arc::clone(self),
            link,
        }
    }

    /// Sends a batch.
    pub(super) async fn send(&self, id: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        let link = self.get(id).ok_or(CarrierError::UnknownClient(id))?;
        let sent = link.send(batch).await;
        if link.has_refused() {
            self.tell(id);
        }
        sent
    }

    /// Sends what goes at once; true when that was all.
    pub(super) fn try_send(&self, id: ClientId, batch: &mut Batch) -> Result<bool, CarrierError> {
        self.get(id).ok_or(CarrierError::UnknownClient(id))?.try_send(batch)
    }

    /// Lets go of a peer, if it is there.
    pub(super) fn close(&self, id: ClientId, why: &Disconnect) {
        if let Some(link) = self.get(id) {
            link.close(why.clone());
            self.tell(id);
        }
    }

    fn tell(&self, id: ClientId) {
        // One that has left meanwhile would stay for ever.
        if self.table.contains_key(&id) {
            self.changed().insert(id);
            self.told.notify_one();
        }
    }

    /// Waits until some link has something for the task that reads.
    pub(super) async fn told(&self) {
        self.told.notified().await;
    }

    /// Those links, since the last time.
    pub(super) fn take_changed(&self) -> HashSet<ClientId> {
        std::mem::take(&mut *self.changed())
    }

    fn changed(&self) -> MutexGuard<'_, HashSet<ClientId>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, id: ClientId) -> Option<Arc<Link>> {
        self.table.get(&id).map(|link| Arc::clone(&link))
    }
}

/// The way out to one peer.
struct Link {
    id: ClientId,
    socket: Arc<dyn Backend>,
    /// What a ROUTER calls the peer.
    route: Option<Bytes>,
    spoken: Spoken,
    /// Bytes that may still be handed to ZeroMQ.
    window: Arc<Semaphore>,
    /// Held while something is sent.
    out: Mutex<()>,
    /// Why nothing more is sent.
    let_go: OnceLock<Disconnect>,
    /// Cancelled when that is set.
    gone: CancellationToken,
    /// Calls that a REQ peer cannot be told of.
    refused: StdMutex<Vec<MessageId>>,
}

impl Link {
    async fn send(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        if self.let_go.get().is_some() {
            return Err(CarrierError::UnknownClient(self.id));
        }
        let sent = tokio::select! {
            biased; // Sending first: it seldom waits, and then the other is never looked at.
            sent = self.put(batch) => sent,
            () = self.gone.cancelled() => return Err(CarrierError::UnknownClient(self.id)),
        };
        if let Err(error) = &sent {
            self.close(Disconnect::link_lost(error));
        }
        sent
    }

    async fn put(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        let _out = self.out.lock().await;
        while let Some(body) = self.spoken.next(batch) {
            if self.is_beyond(&body) {
                continue;
            }
            let permit = match permits(&body) {
                0 => None,
                wanted => Arc::clone(&self.window).acquire_many_owned(wanted).await.ok(),
            };
            let sent = self.socket.send(self.message(body, permit)).await;
            sent.map_err(|error| CarrierError::Other(error.to_string()))?;
        }
        Ok(())
    }

    fn try_send(&self, batch: &mut Batch) -> Result<bool, CarrierError> {
        if self.spoken != Spoken::Runs || self.let_go.get().is_some() {
            return Ok(false);
        }
        let Ok(_out) = self.out.try_lock() else {
            return Ok(false);
        };
        let bytes = batch.bytes();
        if bytes.is_empty() {
            return Ok(true);
        }
        let permit = match permits(bytes) {
            0 => None,
            _ if bytes.len() > RUN => return Ok(false),
            wanted => match Arc::clone(&self.window).try_acquire_many_owned(wanted) {
                Ok(permit) => Some(permit),
                Err(_) => return Ok(false),
            },
        };
        let body = bytes.split().freeze();
        match self.socket.try_send(self.message(body, permit)) {
            Ok(()) => Ok(true),
            Err(TrySend::Full(message)) => {
                let body = message.frame(message.len().saturating_sub(1));
                *bytes = BytesMut::from(body.unwrap_or_default());
                Ok(false)
            }
            Err(TrySend::Failed(error)) => {
                let error = CarrierError::Other(error.to_string());
                self.close(Disconnect::link_lost(&error));
                Err(error)
            }
        }
    }

    /// Whether a message is one that the peer, a REQ socket, would take for the reply that it waits for. If it is a call,
    /// it is noted to be answered.
    fn is_beyond(&self, document: &Bytes) -> bool {
        if !matches!(self.spoken, Spoken::Json { only_replies: true, .. }) {
            return false;
        }
        match Json.unpack(document.clone()) {
            Ok(sig_core::Message::Call(call)) => {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                let has_room = refused.len() < MAX_REFUSED;
                refused.extend(call.id.filter(|_| has_room));
                true
            }
            _ => false,
        }
    }

    fn has_refused(&self) -> bool {
        let only_replies = matches!(self.spoken, Spoken::Json { only_replies: true, .. });
        only_replies && !self.refused.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// A message to the peer. The permit is given back when ZeroMQ has passed it on.
    fn message(&self, body: Bytes, permit: Option<OwnedSemaphorePermit>) -> Message {
        let body = match permit {
            Some(_permit) => Bytes::from_owner(Tracked { body, _permit }),
            None => body,
        };
        let message = Message::from(body);
        let message = match self.spoken {
            Spoken::Json { delimited: true, .. } => message.with_front(Bytes::new()),
            _ => message,
        };
        match &self.route {
            Some(route) => message.with_front(route.clone()),
            None => message,
        }
    }

    /// The first reason stays.
    fn close(&self, why: Disconnect) {
        let _ = self.let_go.set(why);
        self.gone.cancel();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("id", &self.id)
            .field("spoken", &self.spoken)
            .field("let_go", &self.let_go.get())
            .finish_non_exhaustive()
    }
}

/// How much of the window a message takes.
fn permits(body: &[u8]) -> u32 {
    match body.len() {
        ..=SMALL => 0,
        size => u32::try_from(size.min(WINDOW)).unwrap_or(u32::MAX),
    }
}

/// Bytes whose place in the window is given back with them.
struct Tracked {
    body: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Tracked {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// A peer that is in the table. Dropping it takes it out and wakes whoever sends to it.
#[derive(Debug)]
pub(super) struct Registered {
    links: Arc<Links>,
    link: Arc<Link>,
}

impl Registered {
    pub(super) fn id(&self) -> ClientId {
        self.link.id
    }

    pub(super) fn spoken(&self) -> Spoken {
        self.link.spoken
    }

    pub(super) fn route(&self) -> Option<&Bytes> {
        self.link.route.as_ref()
    }

    /// Why the router let go of the peer, if it did.
    pub(super) fn let_go(&self) -> Option<&Disconnect> {
        self.link.let_go.get()
    }

    /// Waits until the router lets go of the peer.
    pub(super) async fn closing(&self) {
        self.link.gone.cancelled().await;
    }

    /// Sends something by itself, where that needs no waiting.
    pub(super) fn say(&self, body: impl Into<Bytes>) {
        let _ = self.link.socket.try_send(self.link.message(body.into(), None));
    }

    /// The calls that a REQ peer was not told of since the last time.
    pub(super) fn take_refused(&self) -> Vec<MessageId> {
        std::mem::take(&mut *self.link.refused.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the peer out of the table, so that nothing new is sent.
    pub(super) fn leave(&self) {
        self.links.table.remove(&self.link.id);
        self.links.changed().remove(&self.link.id);
    }

    /// Waits until nothing is being sent, for so long at most.
    pub(super) async fn finish(&self, within: Duration) {
        let _ = timeout(within, self.link.out.lock()).await;
    }

    /// Takes it out, gives up what is being sent, and says goodbye where that can be said.
    pub(super) fn part(&self) {
        self.leave();
        self.link
            .close(Disconnect::new(Reason::LinkLost, "the carrier let go of it"));
        if self.link.spoken == Spoken::Runs {
            self.say(Bytes::new());
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.leave();
        self.link
            .close(Disconnect::new(Reason::LinkLost, "the carrier let go of it"));
    }
}
