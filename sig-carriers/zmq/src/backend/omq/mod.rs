//! The backend in pure Rust.

mod early;
mod errors;
mod events;
mod settings;
mod subscriptions;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use omq_tokio::{MonitorStream, SocketType, TrySendError};
use sig_core::Tasks;

use self::early::{Early, Kept};
pub(crate) use self::settings::endpoint;
use self::subscriptions::Subscriptions;
use super::asked::Asked;
use super::{Backend, Monitor, Sender, Subscription, TrySend};
use crate::{Error, Kind, Message, Options};

/// How many events of links wait for a monitor. Room for all of them is held from the first monitor on.
const fn events_of(kind: Kind) -> usize {
    match kind {
        // One link, as a rule.
        Kind::Dealer | Kind::Req | Kind::Pair | Kind::Channel | Kind::Client => 64,
        _ => 1024,
    }
}

#[derive(Debug)]
pub(crate) struct Socket {
    kind: Kind,
    inner: omq_tokio::Socket,
    /// Of an XPUB.
    subscriptions: Option<Subscriptions>,
    /// Of one that sends to its peers in turn.
    early: Option<Arc<Early>>,
    tasks: Tasks,
}

impl Socket {
    pub(crate) fn open(kind: Kind, options: &Options) -> Result<Self, Error> {
        let Some(socket_type) = socket_type(kind) else {
            return Err(Error::Unsupported {
                what: format!("a {kind} socket of omq"),
                fix: "leave the choice of the library to Library::Auto, with the feature `libzmq`",
            });
        };
        let tasks = Tasks::new().map_err(|error| Asked::of(kind, "be opened").other(error.to_string()))?;
        let room = usize::try_from(options.send_high_water).unwrap_or(usize::MAX).max(1);
        let settings = settings::of(options).monitor_capacity(events_of(kind));
        let inner = omq_tokio::Socket::try_new(socket_type, settings)
            .map_err(|error| Asked::of(kind, "be opened").error(error))?;
        Ok(Self {
            kind,
            inner,
            subscriptions: (kind == Kind::Xpub).then(Subscriptions::default),
            early: sends_in_turn(kind).then(|| Arc::new(Early::new(room))),
            tasks,
        })
    }

    /// Before the first peer can come.
    async fn begin(&self) -> Result<(), Error> {
        match &self.subscriptions {
            Some(subscriptions) => subscriptions.begin(&self.inner).await,
            None => Ok(()),
        }
        .map_err(|error| self.asked("be used").error(error))
    }

    /// Its own sending drops for all subscribers when its own tasks fall behind. Those are waited for; a subscriber that is too slow still
    /// misses what it has no room for.
    async fn fan_out(&self, message: Message) -> Result<(), Error> {
        tokio::task::consume_budget().await;
        let mut message = message.0;
        loop {
            match self.inner.try_send(message) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(returned)) => message = returned,
                Err(TrySendError::Closed) => return Err(self.asked("send").error(omq_tokio::Error::Closed)),
                Err(TrySendError::Error(error)) => return Err(self.asked("send").error(error)),
            }
            self.inner.wait_send_ready().await;
        }
    }

    async fn links(&self) -> Result<Vec<u64>, Error> {
        let links = self.inner.connections().await;
        let links = links.map_err(|error| self.asked("connect").error(error))?;
        Ok(links.into_iter().map(|link| link.connection_id).collect())
    }

    fn asked(&self, action: &'static str) -> Asked<'static> {
        Asked::of(self.kind, action)
    }

    /// A REQ whose request waits for a link: it is to receive, and nothing can have come.
    fn unsent_request(&self) -> Option<&Early> {
        let early = self.early.as_deref().filter(|_| self.kind == Kind::Req);
        early.filter(|early| early.has_some())
    }

    fn is_its_turn(&self, early: &Early) -> Result<(), Error> {
        match self.kind {
            Kind::Req if early.has_some() => Err(self.asked("send").not_now()),
            _ => Ok(()),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(early) = &self.early {
            early.give_up(&self.inner);
        }
        self.tasks.abort();
    }
}

/// Whether the type waits for a peer to send to, and takes the next one for the next message.
const fn sends_in_turn(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Push | Kind::Dealer | Kind::Req | Kind::Client | Kind::Scatter
    )
}

#[async_trait]
impl Backend for Socket {
    async fn bind(&self, endpoint: &str) -> Result<String, Error> {
        let asked = self.asked("bind").at(endpoint);
        let parsed = settings::endpoint(endpoint)?;
        self.begin().await?;
        let bound = self.inner.bind(parsed).await.map_err(|error| asked.error(error))?;
        Ok(bound.to_string())
    }

    async fn connect(&self, endpoint: &str) -> Result<(), Error> {
        let asked = self.asked("connect").at(endpoint);
        let parsed = settings::endpoint(endpoint)?;
        self.begin().await?;
        let is_near = endpoint.starts_with("inproc:");
        if let Some(early) = self.early.as_ref().filter(|early| !is_near && early.begin()) {
            let (early, inner) = (Arc::clone(early), self.inner.clone_shared());
            self.tasks
                .spawn("first link", async move { early.pass_on(&inner).await });
        }
        self.inner.connect(parsed).await.map_err(|error| asked.error(error))
    }

    async fn connect_peer(&self, endpoint: &str) -> Result<Bytes, Error> {
        let asked = self.asked("connect").at(endpoint);
        let parsed = settings::endpoint(endpoint)?;
        let before = self.links().await?;
        self.connect(endpoint).await?;
        let mut seen = self.inner.connections_generation();
        loop {
            let links = self.inner.connections().await.map_err(|error| asked.error(error))?;
            let new = links.into_iter().find(|link| {
                link.endpoint == parsed && link.peer_info.is_some() && !before.contains(&link.connection_id)
            });
            if let Some(link) = new {
                return Ok(link.identity);
            }
            let changed = self.inner.connections_changed(seen).await;
            seen = changed.map_err(|error| asked.error(error))?;
        }
    }

    async fn unbind(&self, endpoint: &str) -> Result<(), Error> {
        let asked = self.asked("unbind").at(endpoint);
        let parsed = settings::endpoint(endpoint)?;
        self.inner.unbind(parsed).await.map_err(|error| asked.error(error))
    }

    async fn disconnect(&self, endpoint: &str) -> Result<(), Error> {
        let asked = self.asked("disconnect").at(endpoint);
        let parsed = settings::endpoint(endpoint)?;
        self.inner.disconnect(parsed).await.map_err(|error| asked.error(error))
    }

    async fn send(&self, message: Message) -> Result<(), Error> {
        if matches!(self.kind, Kind::Pub | Kind::Xpub | Kind::Radio) {
            return self.fan_out(message).await;
        }
        let mut message = message.0;
        if let Some(early) = self.early.as_ref().filter(|early| !early.is_open()) {
            self.is_its_turn(early)?;
            match early.keep(message).await {
                Some(returned) => message = returned,
                None => return Ok(()),
            }
        }
        let sent = self.inner.send(message).await;
        sent.map_err(|error| self.asked("send").error(error))
    }

    fn try_send(&self, message: Message) -> Result<(), TrySend> {
        let mut message = message.0;
        if let Some(early) = self.early.as_ref().filter(|early| !early.is_open()) {
            self.is_its_turn(early).map_err(TrySend::Failed)?;
            match early.try_keep(message) {
                Kept::Yes => return Ok(()),
                Kept::Open(returned) => message = returned,
                Kept::Full(message) => return Err(TrySend::Full(Message(message))),
            }
        }
        self.inner.try_send(message).map_err(|error| match error {
            TrySendError::Full(message) => TrySend::Full(Message(message)),
            TrySendError::Closed => TrySend::Failed(self.asked("send").error(omq_tokio::Error::Closed)),
            TrySendError::Error(error) => TrySend::Failed(self.asked("send").error(error)),
        })
    }

    async fn recv(&self) -> Result<Message, Error> {
        if let Some(early) = self.unsent_request() {
            early.opened().await;
        }
        let received = match &self.subscriptions {
            Some(subscriptions) => subscriptions.recv(&self.inner).await,
            None => self.inner.recv().await,
        };
        received
            .map(Message)
            .map_err(|error| self.asked("receive").error(error))
    }

    fn try_recv(&self) -> Result<Option<Message>, Error> {
        if self.unsent_request().is_some() {
            return Ok(None);
        }
        let received = match &self.subscriptions {
            Some(subscriptions) => subscriptions.try_recv(&self.inner),
            None => self.inner.try_recv(),
        };
        match received {
            Ok(message) => Ok(Some(Message(message))),
            Err(omq_tokio::Error::WouldBlock) => Ok(None),
            Err(error) => Err(self.asked("receive").error(error)),
        }
    }

    async fn subscription(&self, change: Subscription) -> Result<(), Error> {
        let (done, action) = match change {
            Subscription::Add(prefix) => (self.inner.subscribe(prefix).await, "subscribe"),
            Subscription::Remove(prefix) => (self.inner.unsubscribe(prefix).await, "unsubscribe"),
            Subscription::Join(group) => (self.inner.join(group).await, "join"),
            Subscription::Leave(group) => (self.inner.leave(group).await, "leave"),
        };
        done.map_err(|error| self.asked(action).error(error))
    }

    fn monitor(&self) -> Result<Monitor, Error> {
        let stream: MonitorStream = self.inner.monitor();
        Ok(Monitor(Box::new(events::Events(stream))))
    }

    fn sender<'a>(&self, message: &'a Message) -> Option<Sender<'a>> {
        message
            .0
            .sender_identity()
            .map(|sender| Sender::Omq(sender.peer_info()))
    }

    async fn links(&self) -> Option<Vec<u64>> {
        let links = self.inner.connections().await.ok()?;
        Some(links.iter().map(|link| link.connection_id).collect())
    }

    async fn drop_link(&self, link: u64) -> Result<(), Error> {
        match self.inner.disconnect_peer(link).await {
            // It went by itself.
            Ok(()) | Err(omq_tokio::Error::Unroutable) => Ok(()),
            Err(error) => Err(self.asked("drop a link").error(error)),
        }
    }

    async fn close(&self, linger: Option<Duration>) {
        if let Some(early) = &self.early {
            early.give_up(&self.inner);
            self.tasks.abort();
        }
        // An error says that it was closed before.
        let _ = self.inner.clone_shared().close_with_linger(linger).await;
    }
}

/// Why an endpoint cannot be used.
pub(crate) fn refused(kind: Kind, action: &'static str, endpoint: &str, error: omq_tokio::Error) -> Error {
    Asked::of(kind, action).at(endpoint).error(error)
}

/// Whether the text is an endpoint, as both backends understand it.
#[cfg(all(unix, feature = "libzmq"))]
pub(crate) fn check(endpoint: &str) -> Result<(), Error> {
    settings::endpoint(endpoint).map(drop)
}

/// Whether it has such sockets.
pub(crate) const fn has(kind: Kind) -> bool {
    socket_type(kind).is_some()
}

const fn socket_type(kind: Kind) -> Option<SocketType> {
    Some(match kind {
        Kind::Pair => SocketType::Pair,
        Kind::Pub => SocketType::Pub,
        Kind::Sub => SocketType::Sub,
        Kind::Req => SocketType::Req,
        Kind::Rep => SocketType::Rep,
        Kind::Dealer => SocketType::Dealer,
        Kind::Router => SocketType::Router,
        Kind::Pull => SocketType::Pull,
        Kind::Push => SocketType::Push,
        Kind::Xpub => SocketType::XPub,
        Kind::Xsub => SocketType::XSub,
        Kind::Stream => SocketType::Stream,
        Kind::Server => SocketType::Server,
        Kind::Client => SocketType::Client,
        Kind::Radio => SocketType::Radio,
        Kind::Dish => SocketType::Dish,
        Kind::Gather => SocketType::Gather,
        Kind::Scatter => SocketType::Scatter,
        Kind::Peer => SocketType::Peer,
        Kind::Channel => SocketType::Channel,
        Kind::Dgram => return None,
    })
}
