//! [`Publisher`](crate::Publisher) and [`Subscriber`](crate::Subscriber) for programs without a runtime.
//!
//! Each brings a thread that drives it. They interoperate freely with the asynchronous ones. Inside a runtime they work as well, but block
//! its thread.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sig_core::Payload;

use super::Published;
use super::bridge::Bridge;
use super::{publisher, subscriber};
use crate::{Error, Frame, Kind, Options};

/// Publishes messages under topics. See [`crate::Publisher`].
///
/// ```no_run
/// use sig_carrier_zmq::{Error, blocking::Publisher};
///
/// fn main() -> Result<(), Error> {
///     let publisher = Publisher::connect("tcp://localhost:5559")?;
///     publisher.publish("lab.room1.door", "open")?;
///     publisher.close(); // after sending what is left
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Publisher {
    inner: Arc<publisher::Publisher>,
    bridge: Bridge,
}

impl Publisher {
    /// One that connects to the front of a forwarder, now or when it comes.
    ///
    /// # Errors
    ///
    /// [`Error::Endpoint`] when the text is no endpoint.
    pub fn connect(endpoint: impl Into<String>) -> Result<Self, Error> {
        Self::connect_with(endpoint, Options::default())
    }

    /// The same with options of its own.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), and [`Error::Option`].
    pub fn connect_with(endpoint: impl Into<String>, options: Options) -> Result<Self, Error> {
        let (endpoint, bridge) = (endpoint.into(), Bridge::new(Kind::Xpub)?);
        let inner = bridge.wait(async move {
            let socket = publisher::Publisher::socket(options)?.connect(endpoint).await?;
            publisher::Publisher::over(socket).map(Arc::new)
        })?;
        Ok(Self { inner, bridge })
    }

    /// One that subscribers connect to, or forwarders.
    ///
    /// # Errors
    ///
    /// [`Error::Endpoint`] when the text is no endpoint, [`Error::Io`] when it cannot be bound.
    pub fn bind(endpoint: impl Into<String>) -> Result<Self, Error> {
        let (endpoint, bridge) = (endpoint.into(), Bridge::new(Kind::Xpub)?);
        let inner = bridge.wait(async move { publisher::Publisher::bind(endpoint).await.map(Arc::new) })?;
        Ok(Self { inner, bridge })
    }

    /// Publishes a value as JSON. The first message waits for somebody who wants it, at most five seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Topic`] when the topic is none, [`Error::Payload`] when the value cannot be JSON, [`Error::Closed`].
    pub fn publish<T: Serialize + ?Sized>(&self, topic: &str, value: &T) -> Result<(), Error> {
        let payload = Payload::json(value).map_err(|error| Error::Payload {
            topic: topic.to_owned(),
            reason: error.to_string(),
        })?;
        self.publish_bytes(topic, payload.bytes())
    }

    /// Publishes bytes as they are.
    ///
    /// # Errors
    ///
    /// [`Error::Topic`] when the topic is none, [`Error::Closed`].
    pub fn publish_bytes(&self, topic: &str, data: impl Frame) -> Result<(), Error> {
        let (inner, topic, data) = (Arc::clone(&self.inner), topic.to_owned(), data.into_bytes());
        self.bridge.wait(async move { inner.publish_bytes(&topic, data).await })
    }

    /// Closes it after sending what is left. Closing again changes nothing.
    pub fn close(&self) {
        let inner = Arc::clone(&self.inner);
        // It cannot fail; a runtime that has ended has closed it.
        let _ = self.bridge.wait(async move {
            inner.close().await;
            Ok(())
        });
    }
}

impl Drop for Publisher {
    /// Closes it in the background. A program that ends at once should call [`close`](Self::close) first.
    fn drop(&mut self) {
        let inner = Arc::clone(&self.inner);
        self.bridge.end(async move { inner.close().await });
    }
}

/// Gets what is published under the topics it asks for. See [`crate::Subscriber`].
#[derive(Debug)]
pub struct Subscriber {
    inner: Arc<subscriber::Subscriber>,
    bridge: Bridge,
}

impl Subscriber {
    /// One that connects to the back of a forwarder, now or when it comes.
    ///
    /// # Errors
    ///
    /// [`Error::Endpoint`] when the text is no endpoint.
    pub fn connect(endpoint: impl Into<String>) -> Result<Self, Error> {
        Self::connect_with(endpoint, Options::default())
    }

    /// The same with options of its own.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), and [`Error::Option`].
    pub fn connect_with(endpoint: impl Into<String>, options: Options) -> Result<Self, Error> {
        let (endpoint, bridge) = (endpoint.into(), Bridge::new(Kind::Sub)?);
        let inner = bridge.wait(async move {
            let socket = subscriber::Subscriber::socket(options)?.connect(endpoint).await?;
            subscriber::Subscriber::over(socket).map(Arc::new)
        })?;
        Ok(Self { inner, bridge })
    }

    /// One that publishers connect to.
    ///
    /// # Errors
    ///
    /// [`Error::Endpoint`] when the text is no endpoint, [`Error::Io`] when it cannot be bound.
    pub fn bind(endpoint: impl Into<String>) -> Result<Self, Error> {
        let (endpoint, bridge) = (endpoint.into(), Bridge::new(Kind::Sub)?);
        let inner = bridge.wait(async move { subscriber::Subscriber::bind(endpoint).await.map(Arc::new) })?;
        Ok(Self { inner, bridge })
    }

    /// Asks for a topic and all below it; with `""` for everything.
    ///
    /// # Errors
    ///
    /// [`Error::Topic`] when it is none, [`Error::Closed`].
    pub fn subscribe(&self, topic: &str) -> Result<(), Error> {
        let (inner, topic) = (Arc::clone(&self.inner), topic.to_owned());
        self.bridge.wait(async move { inner.subscribe(&topic).await })
    }

    /// Asks for all topics that begin with these bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    pub fn subscribe_raw(&self, prefix: impl Frame) -> Result<(), Error> {
        let (inner, prefix) = (Arc::clone(&self.inner), prefix.into_bytes());
        self.bridge.wait(async move { inner.subscribe_raw(prefix).await })
    }

    /// Asks for a topic no more.
    ///
    /// # Errors
    ///
    /// [`Error::Topic`] when it is none, [`Error::Closed`].
    pub fn unsubscribe(&self, topic: &str) -> Result<(), Error> {
        let (inner, topic) = (Arc::clone(&self.inner), topic.to_owned());
        self.bridge.wait(async move { inner.unsubscribe(&topic).await })
    }

    /// The next message, in the order of arrival. Zero takes what is there, `None` waits without a limit.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when none came in time, [`Error::Closed`].
    pub fn get(&self, timeout: impl Into<Option<Duration>>) -> Result<Published, Error> {
        let (inner, timeout) = (Arc::clone(&self.inner), timeout.into());
        self.bridge.wait(async move { inner.get(timeout).await })
    }

    /// The next message as its topic and a value from JSON.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and [`Error::Payload`] when this message is no such JSON; the next one is got by calling again.
    pub fn get_json<T: DeserializeOwned>(&self, timeout: impl Into<Option<Duration>>) -> Result<(String, T), Error> {
        let message = self.get(timeout)?;
        let value = message.json()?;
        Ok((message.topic(), value))
    }

    /// Closes it. Closing again changes nothing.
    pub fn close(&self) {
        let inner = Arc::clone(&self.inner);
        let _ = self.bridge.wait(async move {
            inner.close().await;
            Ok(())
        });
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let inner = Arc::clone(&self.inner);
        self.bridge.end(async move { inner.close().await });
    }
}
