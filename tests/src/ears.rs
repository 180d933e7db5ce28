//! A listener that writes down what it hears, so that two records can be compared.

use std::time::Instant;

use serde_json::Value;
use sig_router::{ClientRouter, Event, RemoteEventStream};

use crate::rig::{TcpServer, WAIT, connected, soon};

/// A client that listens, and writes down as text what it hears.
#[derive(Debug)]
pub struct Ears {
    /// The client.
    pub client: ClientRouter,
    stream: RemoteEventStream,
    /// What was heard, but for what is [left out](Self::without).
    pub record: Vec<String>,
    left_out: Option<&'static str>,
    /// The data of what was left out.
    pub others: Vec<Value>,
}

impl Ears {
    /// Of a client of this server, for everything.
    ///
    /// # Panics
    ///
    /// When the server is not there.
    pub async fn new(server: &TcpServer) -> Self {
        Self::to(server, "*").await
    }

    /// Of a client of this server, for this topic.
    ///
    /// # Panics
    ///
    /// When the server is not there, or the topic is none.
    pub async fn to(server: &TcpServer, topic: &str) -> Self {
        let client = server.client();
        connected(&client).await;
        let stream = client.listen_remote(topic).await.expect("the server is there");
        Self {
            client,
            stream,
            record: Vec::new(),
            left_out: None,
            others: Vec::new(),
        }
    }

    /// Leaves events of this name out of the record: they come when they like.
    #[must_use]
    pub fn without(self, name: &'static str) -> Self {
        Self {
            left_out: Some(name),
            ..self
        }
    }

    /// Listens until this is heard, and all before it.
    ///
    /// # Panics
    ///
    /// When it is not heard within [`WAIT`].
    pub async fn until(&mut self, end: &str) {
        let deadline = Instant::now() + WAIT;
        loop {
            assert!(Instant::now() < deadline, "no {end}: {:#?}", self.record);
            let next = soon("an event", self.stream.recv()).await.expect("the link is there");
            let heard = match next {
                Ok(event) if self.left_out == Some(event.name().as_str()) => {
                    self.others.push(event.decode().expect("it is JSON"));
                    if event.name().as_str() == end {
                        return;
                    }
                    continue;
                }
                Ok(event) => told(&event),
                Err(lagged) => format!("lost {}", lagged.count()),
            };
            let is_end = heard.contains(end);
            self.record.push(heard);
            if is_end {
                return;
            }
        }
    }

    /// Asks, and writes down what was asked and answered.
    ///
    /// # Panics
    ///
    /// When neither an answer nor an error comes within [`WAIT`].
    pub async fn ask(&mut self, name: &str, method: &str, params: &Value) {
        let asked = self.client.remote_request(name, method, params);
        let answer = match soon("an answer", asked).await {
            Ok(response) => response.text().to_owned(),
            Err(error) => error.to_string(),
        };
        self.record.push(format!("{method} {params}: {answer}"));
    }
}

/// An event as text, but for what differs between two senders that do the same: the carrier, generations and times.
///
/// # Panics
///
/// When its data is no JSON, or it is the coming or going of a sender and lacks those.
#[must_use]
pub fn told(event: &Event<'_>) -> String {
    let mut data: Value = event.decode().expect("it is JSON");
    let is_presence = event.name().is_presence();
    if let Some(data) = data.as_object_mut().filter(|_| is_presence) {
        let (generation, carrier) = (data.remove("generation"), data.remove("carrier"));
        assert!(generation.is_some_and(|generation| generation.is_number()));
        assert!(carrier.is_some_and(|carrier| carrier.is_string()));
    }
    let number = if is_presence { 0 } else { event.number() };
    format!("{}/{} #{number} {data}", event.sender(), event.name())
}
