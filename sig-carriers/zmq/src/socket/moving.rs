//! Sending and receiving.

use std::time::Duration;

use super::{Socket, shape};
use crate::backend::{Backend, TrySend};
use crate::{Error, Kind, Message};

impl Socket {
    /// Sends a message of one frame (`"text"`, bytes) or several (`["a", "b"]`, [`Message::frames`]).
    ///
    /// It waits where the type does: PUSH, REQ, DEALER, PAIR for a peer with room; a PUB never, it drops. The limit is
    /// [`Options::send_timeout`](crate::Options::send_timeout). A message that was accepted goes out in the background.
    ///
    /// # Errors
    ///
    /// [`Error::Direction`] on a type that does not send, [`Error::State`] on a REQ that awaits its reply or a REP without a request,
    /// [`Error::Unroutable`] when a ROUTER, SERVER or PEER has no such peer, [`Error::Message`] when the type does not take such a message,
    /// [`Error::Timeout`], and [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, the message was not sent.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.send_limited(message.into(), self.0.options.send_timeout).await
    }

    /// As [`send`](Self::send), with a limit of its own.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_within(&self, message: impl Into<Message>, limit: Duration) -> Result<(), Error> {
        self.send_limited(message.into(), Some(limit)).await
    }

    /// Sends where that needs no waiting; else the message comes back in `Ok`.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), but [`Error::Timeout`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<Option<Message>, Error> {
        let message = message.into();
        let backend = self.sender()?;
        shape::check(self.0.kind, &message)?;
        match backend.try_send(message) {
            Ok(()) => Ok(None),
            Err(TrySend::Full(message)) => Ok(Some(message)),
            Err(TrySend::Failed(error)) => Err(error),
        }
    }

    /// The next message. The limit is [`Options::receive_timeout`](crate::Options::receive_timeout).
    ///
    /// # Errors
    ///
    /// [`Error::Direction`] on a type that does not receive, [`Error::Timeout`], and [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, no message is lost.
    pub async fn recv(&self) -> Result<Message, Error> {
        self.receive_limited(self.0.options.receive_timeout).await
    }

    /// As [`recv`](Self::recv), with a limit of its own. One of zero takes what is there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    pub async fn recv_within(&self, limit: Duration) -> Result<Message, Error> {
        self.receive_limited(Some(limit)).await
    }

    /// The next message where one is there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), but [`Error::Timeout`].
    pub fn try_recv(&self) -> Result<Option<Message>, Error> {
        self.receiver()?.try_recv()
    }

    async fn send_limited(&self, message: Message, limit: Option<Duration>) -> Result<(), Error> {
        let backend = self.sender()?;
        shape::check(self.0.kind, &message)?;
        let sent = backend.send(message);
        let Some(after) = limit else { return sent.await };
        tokio::time::timeout(after, sent)
            .await
            .unwrap_or_else(|_| Err(self.late("send", after)))
    }

    async fn receive_limited(&self, limit: Option<Duration>) -> Result<Message, Error> {
        let backend = self.receiver()?;
        let Some(after) = limit else {
            return backend.recv().await;
        };
        if !after.is_zero()
            && let Ok(received) = tokio::time::timeout(after, backend.recv()).await
        {
            return received;
        }
        // No limit is too short for a message that is there.
        backend.try_recv()?.ok_or_else(|| self.late("receive", after))
    }

    fn late(&self, action: &'static str, after: Duration) -> Error {
        let kind = self.0.kind;
        Error::Timeout { kind, action, after }
    }

    fn sender(&self) -> Result<&dyn Backend, Error> {
        let (backend, kind) = (self.open_for("send")?, self.0.kind);
        if !kind.sends() {
            let fix = match kind {
                Kind::Sub => "use a PUB socket to send, or an XSUB socket to send subscriptions",
                Kind::Pull => "use a PUSH socket",
                Kind::Dish => "use a RADIO socket",
                _ => "use a SCATTER socket",
            };
            let action = "send";
            return Err(Error::Direction { kind, action, fix });
        }
        Ok(backend)
    }

    fn receiver(&self) -> Result<&dyn Backend, Error> {
        let (backend, kind) = (self.open_for("receive")?, self.0.kind);
        if !kind.receives() {
            let fix = match kind {
                Kind::Pub => "use a SUB socket to receive, or an XPUB socket to see subscriptions",
                Kind::Push => "use a PULL socket",
                Kind::Radio => "use a DISH socket",
                _ => "use a GATHER socket",
            };
            let action = "receive";
            return Err(Error::Direction { kind, action, fix });
        }
        Ok(backend)
    }
}
