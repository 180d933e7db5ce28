//! The publishing side.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use sig_core::{Payload, Tasks};
use tokio::sync::watch;
use tokio::time::Instant;

use super::interest::Interest;
use super::topic;
use crate::{Error, Frame, Kind, Message, Options, Socket};

/// How long the first message waits for somebody to want it, from the making of the publisher.
const PATIENCE: Duration = Duration::from_secs(5);

/// Publishes messages under topics, usually to a [`Forwarder`](crate::Forwarder), and knows whether somebody wants them.
///
/// A topic is dotted segments, `lab.room1.door`; who subscribes to `lab.room1` gets it. The **first** message waits until somebody wants
/// its topic, at most five seconds from the making of the publisher, so that it is not lost while the link and the subscriptions come about;
/// further ones never wait. [`with_patience`](Self::with_patience) changes that.
///
/// Messages that nobody wants are not sent. A subscriber that is too slow misses messages; nobody counts them, so what must not be lost
/// belongs on a router.
#[derive(Debug)]
pub struct Publisher {
    socket: Socket,
    interest: watch::Receiver<Interest>,
    made: Instant,
    patience: Duration,
    first: AtomicBool,
    tasks: Tasks,
}

impl Publisher {
    /// One that connects to the front of a forwarder, now or when it comes.
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

    /// One that subscribers connect to, or forwarders.
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

    /// The socket for [`over`](Self::over), of type XPUB.
    ///
    /// # Errors
    ///
    /// As [`Socket::open`].
    pub fn socket(options: Options) -> Result<Socket, Error> {
        Socket::open(Kind::Xpub, options)
    }

    /// One over a socket of type XPUB that is connected or bound as it should be. From then on only the publisher may receive on it.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] when the socket is of another type, [`Error::Unsupported`] outside a tokio runtime.
    pub fn over(socket: Socket) -> Result<Self, Error> {
        if socket.kind() != Kind::Xpub {
            return Err(Error::Option(format!(
                "a publisher needs an XPUB socket, not {}",
                socket.kind()
            )));
        }
        let tasks = Tasks::new().map_err(|error| Error::Unsupported {
            what: format!("a publisher ({error})"),
            fix: "use it within a tokio runtime, or take blocking::Publisher",
        })?;
        let (told, interest) = watch::channel(Interest::default());
        let listened = socket.clone();
        tasks.spawn("subscriptions", async move {
            while let Ok(message) = listened.recv().await {
                told.send_if_modified(|interest| interest.apply(&message));
            }
        });
        Ok(Self {
            socket,
            interest,
            made: Instant::now(),
            patience: PATIENCE,
            first: AtomicBool::new(true),
            tasks,
        })
    }

    /// How long the first message waits at most, from the making of the publisher. With zero none waits.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Publishes a value as JSON.
    ///
    /// # Errors
    ///
    /// [`Error::Topic`] when the topic is none, [`Error::Payload`] when the value cannot be JSON, [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it was not published.
    pub async fn publish<T: Serialize + ?Sized + Sync>(&self, topic: &str, value: &T) -> Result<(), Error> {
        let payload = Payload::json(value).map_err(|error| Error::Payload {
            topic: topic.to_owned(),
            reason: error.to_string(),
        })?;
        self.publish_bytes(topic, payload.bytes()).await
    }

    /// Publishes bytes as they are.
    ///
    /// # Errors
    ///
    /// [`Error::Topic`] when the topic is none, [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it was not published.
    pub async fn publish_bytes(&self, topic: &str, data: impl Frame) -> Result<(), Error> {
        self.send(topic::of_message(topic)?, data.into_bytes()).await
    }

    /// Publishes bytes under a topic that is any bytes, for subscribers that match byte prefixes.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it was not published.
    pub async fn publish_raw(&self, topic: impl Frame, data: impl Frame) -> Result<(), Error> {
        self.send(topic.into_bytes(), data.into_bytes()).await
    }

    /// Whether somebody wants messages of this topic now, as far as it is known here.
    #[must_use]
    pub fn is_wanted(&self, topic: &str) -> bool {
        topic::wire(topic).is_ok_and(|topic| self.interest.borrow().wants(&topic))
    }

    /// Waits until somebody wants messages of this topic.
    ///
    /// # Errors
    ///
    /// [`Error::Topic`] when the topic is none, [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn wanted(&self, topic: &str) -> Result<(), Error> {
        self.wait(&topic::wire(topic)?).await
    }

    /// Closes it after sending what is left. Closing again changes nothing.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it is closed, and what was left may be lost.
    pub async fn close(&self) {
        self.socket.close().await;
        self.tasks.shutdown(Duration::from_secs(1)).await;
    }

    async fn send(&self, topic: Bytes, data: Bytes) -> Result<(), Error> {
        if self.first.load(Ordering::Relaxed) {
            // Whether it came or not: there is nothing more to wait for.
            let _ = tokio::time::timeout_at(self.made + self.patience, self.wait(&topic)).await;
            self.first.store(false, Ordering::Relaxed);
        }
        self.socket.send(Message::frames([topic, data])).await
    }

    async fn wait(&self, topic: &Bytes) -> Result<(), Error> {
        let mut interest = self.interest.clone();
        match interest.wait_for(|interest| interest.wants(topic)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Closed {
                kind: Kind::Xpub,
                action: "wait for subscribers",
            }),
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}
