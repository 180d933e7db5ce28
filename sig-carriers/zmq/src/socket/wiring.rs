//! What a socket is connected to, and what it asks for.

use bytes::Bytes;

use super::{Endpoint, Socket};
use crate::backend::Subscription;
use crate::{Error, Frame, Kind};

impl Socket {
    /// Listens at `tcp://HOST:PORT`, `ipc://PATH`, `inproc://NAME` or `udp://HOST:PORT` (RADIO, DISH and DGRAM). Host `*` is every address, and
    /// port 0 or `*` takes any free one, to be read from [`bound`](Self::bound). A socket may listen at several.
    ///
    /// # Errors
    ///
    /// [`Error::Endpoint`] when the text is no endpoint, [`Error::Io`] when the system refuses, as when it is taken.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may listen or not.
    pub async fn bind(&self, endpoint: impl AsRef<str>) -> Result<Self, Error> {
        let bound = self.open_for("bind")?.bind(endpoint.as_ref()).await?;
        self.0.endpoints().push(Endpoint::Bound(bound));
        Ok(self.clone())
    }

    /// Connects, in the background, and again whenever the link is lost, until [`disconnect`](Self::disconnect). Nobody has to listen yet.
    /// A socket may connect to several.
    ///
    /// # Errors
    ///
    /// [`Error::Endpoint`] when the text is no endpoint.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may connect or not.
    pub async fn connect(&self, endpoint: impl AsRef<str>) -> Result<Self, Error> {
        let endpoint = endpoint.as_ref();
        self.open_for("connect")?.connect(endpoint).await?;
        self.0.endpoints().push(Endpoint::Connected(endpoint.to_owned()));
        Ok(self.clone())
    }

    /// Connects a PEER, waits until the other one is there, and gives the identity to put in front of messages to it.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and [`Error::Direction`] on other types than PEER.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may connect or not.
    pub async fn connect_peer(&self, endpoint: impl AsRef<str>) -> Result<Bytes, Error> {
        let (endpoint, action) = (endpoint.as_ref(), "connect by identity");
        let backend = self.open_for(action)?;
        if self.0.kind != Kind::Peer {
            let (kind, fix) = (self.0.kind, "only PEER sockets do; use connect()");
            return Err(Error::Direction { kind, action, fix });
        }
        let identity = backend.connect_peer(endpoint).await?;
        self.0.endpoints().push(Endpoint::Connected(endpoint.to_owned()));
        Ok(identity)
    }

    /// Listens there no more. Links that came by it stay; those of libzmq end.
    ///
    /// # Errors
    ///
    /// [`Error::Endpoint`] when it does not listen there. The text is the one that [`bound`](Self::bound) tells.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may listen or not.
    pub async fn unbind(&self, endpoint: impl AsRef<str>) -> Result<Self, Error> {
        let gone = Endpoint::Bound(endpoint.as_ref().to_owned());
        self.open_for("unbind")?.unbind(gone.as_str()).await?;
        self.forget(&gone);
        Ok(self.clone())
    }

    /// Drops the link and connects there no more.
    ///
    /// # Errors
    ///
    /// [`Error::Endpoint`] when it is not connected there. The text is the one that it was connected with.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may be connected or not.
    pub async fn disconnect(&self, endpoint: impl AsRef<str>) -> Result<Self, Error> {
        let gone = Endpoint::Connected(endpoint.as_ref().to_owned());
        self.open_for("disconnect")?.disconnect(gone.as_str()).await?;
        self.forget(&gone);
        Ok(self.clone())
    }

    /// Asks for the messages whose first frame begins with `topic`; with an empty one for all. A DISH joins the group of that very name.
    ///
    /// # Errors
    ///
    /// [`Error::Direction`] on other types than SUB, XSUB and DISH.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may be subscribed or not.
    pub async fn subscribe(&self, topic: impl Frame) -> Result<Self, Error> {
        self.change(topic.into_bytes(), "subscribe").await
    }

    /// Takes one [`subscribe`](Self::subscribe) back.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may be subscribed or not.
    pub async fn unsubscribe(&self, topic: impl Frame) -> Result<Self, Error> {
        self.change(topic.into_bytes(), "unsubscribe").await
    }

    /// Asks for the messages to a group, up to 255 bytes of name.
    ///
    /// # Errors
    ///
    /// [`Error::Direction`] on other types than DISH.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may have joined or not.
    pub async fn join(&self, group: impl Frame) -> Result<Self, Error> {
        self.change(group.into_bytes(), "join").await
    }

    /// Takes one [`join`](Self::join) back.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may have left or not.
    pub async fn leave(&self, group: impl Frame) -> Result<Self, Error> {
        self.change(group.into_bytes(), "leave").await
    }

    async fn change(&self, what: Bytes, action: &'static str) -> Result<Self, Error> {
        let backend = self.open_for(action)?;
        let change = match (self.0.kind, action) {
            (Kind::Sub | Kind::Xsub, "subscribe") => Subscription::Add(what),
            (Kind::Sub | Kind::Xsub, "unsubscribe") => Subscription::Remove(what),
            (Kind::Dish, "subscribe" | "join") => Subscription::Join(what),
            (Kind::Dish, "unsubscribe" | "leave") => Subscription::Leave(what),
            (kind, "join" | "leave") => {
                let fix = "groups are for DISH sockets, topics for SUB and XSUB";
                return Err(Error::Direction { kind, action, fix });
            }
            (kind, _) => {
                let fix = "topics are for SUB and XSUB sockets, groups for DISH";
                return Err(Error::Direction { kind, action, fix });
            }
        };
        backend.subscription(change).await?;
        Ok(self.clone())
    }

    fn forget(&self, gone: &Endpoint) {
        let mut endpoints = self.0.endpoints();
        if let Some(at) = endpoints.iter().position(|one| one == gone) {
            endpoints.remove(at);
        }
    }
}
