//! A bus as sunflare and Juice have one: a forwarder of topics, and who publishes and subscribes over it.

use std::time::Duration;

use sig_carrier_zmq::{Forwarder, Pattern, Publisher, Subscriber};

/// Longer than anything takes that works.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A forwarder of its own.
pub(crate) struct Bus {
    pub(crate) forwarder: Forwarder,
    pub(crate) front: String,
    pub(crate) back: String,
}

impl Bus {
    /// Inside the process; of this name there is one.
    pub(crate) async fn inside(name: &str) -> Self {
        Self::at(&format!("inproc://{name}-front"), &format!("inproc://{name}-back")).await
    }

    /// For threads with runtimes of their own.
    pub(crate) async fn outside() -> Self {
        Self::at("tcp://127.0.0.1:*", "tcp://127.0.0.1:*").await
    }

    async fn at(front: &str, back: &str) -> Self {
        let forwarder = Forwarder::of(Pattern::Topics).bind_front(front).bind_back(back);
        let forwarder = forwarder.start().await.unwrap();
        Self {
            front: forwarder.front()[0].as_str().to_owned(),
            back: forwarder.back()[0].as_str().to_owned(),
            forwarder,
        }
    }

    pub(crate) async fn publisher(&self) -> Publisher {
        Publisher::connect(&self.front).await.unwrap().with_patience(SOON)
    }

    /// Where the last of its topics is its alone, a publisher can wait for all of them.
    pub(crate) async fn subscriber(&self, topics: &[&str]) -> Subscriber {
        let subscriber = Subscriber::connect(&self.back).await.unwrap();
        for topic in topics {
            subscriber.subscribe(topic).await.unwrap();
        }
        subscriber
    }
}

/// The next messages, as topic and text, and that there is no other.
pub(crate) async fn texts(subscriber: &Subscriber, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let message = subscriber.get(SOON).await.unwrap();
        let data = message.data();
        texts.push(format!("{} {}", message.topic(), String::from_utf8_lossy(&data)));
    }
    let more = subscriber.get(Duration::ZERO).await;
    assert!(more.as_ref().is_err_and(|error| error.is_timeout()), "{more:?}");
    texts
}
