//! The subscribing side.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{Published, topic};
use crate::{Error, Frame, Kind, Options, Socket};

/// Gets what is published under the topics it asks for, usually from a [`Forwarder`](crate::Forwarder).
///
/// A topic is dotted segments and takes what begins with them: `a.b` takes `a.b` and `a.b.c`, not `a.bb`. Nothing comes before the first
/// [`subscribe`](Self::subscribe), and a message that several subscriptions match comes once.
///
/// ```
/// use std::time::Duration;
/// use sig_carrier_zmq::{Error, Forwarder, Pattern, Publisher, Subscriber};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Error> {
/// let forwarder = Forwarder::of(Pattern::Topics).bind_front("inproc://pub").bind_back("inproc://sub").start().await?;
/// let subscriber = Subscriber::connect("inproc://sub").await?;
/// subscriber.subscribe("lab.room1").await?;
///
/// let publisher = Publisher::connect("inproc://pub").await?;
/// publisher.publish("lab.room1.door", "open").await?; // waits for the subscription
/// publisher.publish("lab.room10.door", "shut").await?;
///
/// let (topic, state) = subscriber.get_json::<String>(Duration::from_secs(5)).await?;
/// assert_eq!((topic.as_str(), state.as_str()), ("lab.room1.door", "open"));
/// # forwarder.terminate().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Subscriber {
    socket: Socket,
    /// Prefixes on the wire.
    wanted: Mutex<Vec<Bytes>>,
}

impl Subscriber {
    /// One that connects to the back of a forwarder, now or when it comes.
    ///
    /// # Errors
    ///
    /// [`Error::Endpoint`] when the text is no endpoint, [`Error::Unsupported`] outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, nothing is left.
    pub async fn connect(endpoint: impl AsRef<str>) -> Result<Self, Error> {
        Self::over(Self::socket(Options::default())?.connect(endpoint).await?)
    }

    /// One that publishers connect to.
    ///
    /// # Errors
    ///
    /// As [`Socket::bind`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, nothing is left.
    pub async fn bind(endpoint: impl AsRef<str>) -> Result<Self, Error> {
        Self::over(Self::socket(Options::default())?.bind(endpoint).await?)
    }

    /// The socket for [`over`](Self::over), of type SUB.
    ///
    /// # Errors
    ///
    /// As [`Socket::open`].
    pub fn socket(options: Options) -> Result<Socket, Error> {
        Socket::open(Kind::Sub, options)
    }

    /// One over a socket of type SUB that is connected or bound as it should be. From then on only the subscriber may use it.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] when the socket is of another type.
    pub fn over(socket: Socket) -> Result<Self, Error> {
        if socket.kind() != Kind::Sub {
            return Err(Error::Option(format!(
                "a subscriber needs a SUB socket, not {}",
                socket.kind()
            )));
        }
        let wanted = Mutex::default();
        Ok(Self { socket, wanted })
    }

    /// Asks for a topic and all below it; with `""` for everything. Asking again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Topic`] when it is none, [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may be subscribed or not.
    pub async fn subscribe(&self, topic: &str) -> Result<(), Error> {
        self.subscribe_raw(topic::wire(topic)?).await
    }

    /// Asks for all topics that begin with these bytes, whatever they are.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may be subscribed or not.
    pub async fn subscribe_raw(&self, prefix: impl Frame) -> Result<(), Error> {
        let prefix = prefix.into_bytes();
        if self.wanted().contains(&prefix) {
            return Ok(());
        }
        self.socket.subscribe(&prefix).await?;
        self.wanted().push(prefix);
        Ok(())
    }

    /// Asks for a topic no more. What is on its way is not delivered either. A topic that was not asked for is fine.
    ///
    /// # Errors
    ///
    /// [`Error::Topic`] when it is none, [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may be subscribed or not.
    pub async fn unsubscribe(&self, topic: &str) -> Result<(), Error> {
        self.unsubscribe_raw(topic::wire(topic)?).await
    }

    /// Takes a [`subscribe_raw`](Self::subscribe_raw) back.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may be subscribed or not.
    pub async fn unsubscribe_raw(&self, prefix: impl Frame) -> Result<(), Error> {
        let prefix = prefix.into_bytes();
        let at = self.wanted().iter().position(|one| *one == prefix);
        if let Some(at) = at {
            self.wanted().swap_remove(at);
            self.socket.unsubscribe(prefix).await?;
        }
        Ok(())
    }

    /// The next message, in the order of arrival. Zero takes what is there, `None` waits without a limit.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when none came in time, [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, no message is lost.
    pub async fn get(&self, timeout: impl Into<Option<Duration>>) -> Result<Published, Error> {
        let Some(timeout) = timeout.into() else {
            return self.next().await;
        };
        let deadline = Instant::now().checked_add(timeout);
        // One that is there is taken however short the time is.
        while let Some(message) = self.socket.try_recv()? {
            let message = Published(message);
            if self.wants(&message) {
                return Ok(message);
            }
        }
        let Some(deadline) = deadline else {
            return self.next().await;
        };
        tokio::time::timeout_at(deadline, self.next())
            .await
            .unwrap_or_else(|_| {
                let (kind, action) = (Kind::Sub, "waiting for a message");
                Err(Error::Timeout {
                    kind,
                    action,
                    after: timeout,
                })
            })
    }

    /// The next message as its topic and a value from JSON.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and [`Error::Payload`] when this message is no such JSON; the next one is got by calling again.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, no message is lost.
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<(String, T), Error> {
        let message = self.get(timeout).await?;
        let value = message.json()?;
        Ok((message.topic(), value))
    }

    /// Closes it. Closing again changes nothing.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it is closed.
    pub async fn close(&self) {
        self.socket.close().await;
    }

    async fn next(&self) -> Result<Published, Error> {
        loop {
            let message = Published(self.socket.recv().await?);
            if self.wants(&message) {
                return Ok(message);
            }
        }
    }

    /// What was on its way when it was asked for no more still arrives here.
    fn wants(&self, message: &Published) -> bool {
        self.wanted()
            .iter()
            .any(|prefix| message.topic_bytes().starts_with(prefix))
    }

    fn wanted(&self) -> MutexGuard<'_, Vec<Bytes>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
