//! The scenarios of the predecessors' own tests that need no router, by their names: sunflare 0.5.5 and Juice. Those of the bundle are in
//! `patterns`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sig_carrier_zmq::{Error, Forwarder, Pattern, Publisher, Subscriber, blocking};
use tokio::task::spawn_blocking;

use crate::world::SOON;

/// A bus as sunflare's: a forwarder of its own, inside the process.
struct Bus {
    forwarder: Forwarder,
    front: String,
    back: String,
}

async fn bus(name: &str) -> Bus {
    let (front, back) = (format!("inproc://{name}-front"), format!("inproc://{name}-back"));
    let forwarder = Forwarder::of(Pattern::Topics).bind_front(&front).bind_back(&back);
    let forwarder = forwarder.start().await.unwrap();
    Bus { forwarder, front, back }
}

impl Bus {
    async fn publisher(&self) -> Publisher {
        Publisher::connect(&self.front).await.unwrap().with_patience(SOON)
    }

    /// The last of its topics is its alone.
    async fn subscriber(&self, topics: &[&str]) -> Subscriber {
        let subscriber = Subscriber::connect(&self.back).await.unwrap();
        for topic in topics {
            subscriber.subscribe(topic).await.unwrap();
        }
        subscriber
    }
}

async fn texts(subscriber: &Subscriber, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let message = subscriber.get(SOON).await.unwrap();
        texts.push(format!(
            "{} {}",
            message.topic(),
            String::from_utf8_lossy(&message.data())
        ));
    }
    assert!(
        subscriber
            .get(Duration::ZERO)
            .await
            .is_err_and(|error| error.is_timeout())
    );
    texts
}

#[tokio::test]
async fn sunflare_zmq_topics() {
    let bus = bus("topics").await;
    let temperature = bus.subscriber(&["temperature"]).await;
    let humidity = bus.subscriber(&["humidity"]).await;
    let publisher = bus.publisher().await;
    publisher.wanted("temperature").await.unwrap();
    publisher.wanted("humidity").await.unwrap();
    for (topic, value) in [("temperature", "25"), ("humidity", "50"), ("pressure", "1013")] {
        publisher.publish_bytes(topic, value).await.unwrap();
    }
    assert_eq!(texts(&temperature, 1).await, ["temperature 25"]);
    assert_eq!(texts(&humidity, 1).await, ["humidity 50"]);
    assert_eq!(
        bus.forwarder.terminate().await.there.messages,
        2,
        "pressure is for nobody"
    );
}

#[tokio::test]
async fn sunflare_publisher_and_subscriber_in_one() {
    let bus = bus("both").await;
    let (publisher, subscriber) = (bus.publisher().await, bus.subscriber(&["test"]).await);
    publisher.publish_bytes("test", "message").await.unwrap();
    assert_eq!(texts(&subscriber, 1).await, ["test message"]);
    // W12: shutdown with an open subscriber returns, and returns twice.
    for _ in 0..2 {
        tokio::time::timeout(SOON, bus.forwarder.terminate()).await.unwrap();
        tokio::time::timeout(SOON, subscriber.close()).await.unwrap();
    }
    publisher.close().await;
    assert!(publisher.publish_bytes("test", "late").await.unwrap_err().is_closed());
}

#[tokio::test]
async fn sunflare_one_to_many() {
    let bus = bus("one-to-many").await;
    let everything = bus.subscriber(&["", "only.all"]).await;
    let mut some = Vec::new();
    for topic in ["topic1", "topic2", "topic3"] {
        some.push((topic, bus.subscriber(&[topic]).await));
    }
    let publisher = bus.publisher().await;
    // Five topics, each told upstream once.
    while bus.forwarder.statistics().back.messages < 5 {
        tokio::task::yield_now().await;
    }
    for topic in ["", "only.all", "topic1", "topic2", "topic3"] {
        publisher.wanted(topic).await.unwrap();
    }
    for topic in ["topic1", "topic2", "topic3"] {
        publisher.publish_bytes(topic, "data").await.unwrap();
    }
    assert_eq!(
        texts(&everything, 3).await,
        ["topic1 data", "topic2 data", "topic3 data"]
    );
    for (topic, subscriber) in &some {
        assert_eq!(texts(subscriber, 1).await, [format!("{topic} data")]);
    }
}

#[tokio::test]
async fn sunflare_many_to_one() {
    let bus = bus("many-to-one").await;
    let subscriber = bus.subscriber(&["topic"]).await;
    for number in 1..=3_u32 {
        let publisher = bus.publisher().await;
        publisher.publish("topic", &number).await.unwrap();
        let (_, got) = subscriber.get_json::<u32>(SOON).await.unwrap();
        assert_eq!(got, number);
    }
}

#[tokio::test]
async fn sunflare_many_to_many() {
    let bus = bus("many-to-many").await;
    let (one, other) = (
        bus.subscriber(&["a", "one"]).await,
        bus.subscriber(&["b", "a", "other"]).await,
    );
    let (first, second) = (bus.publisher().await, bus.publisher().await);
    for publisher in [&first, &second] {
        publisher.wanted("one").await.unwrap();
        publisher.wanted("other").await.unwrap();
        publisher.publish("a", &1).await.unwrap();
        publisher.publish("b", &2).await.unwrap();
    }
    assert_eq!(texts(&one, 2).await, ["a 1", "a 1"]);
    let mut all = texts(&other, 4).await;
    all.sort_unstable();
    assert_eq!(all, ["a 1", "a 1", "b 2", "b 2"]);
}

/// An event as Juice's, whose name begins the topic.
#[derive(Debug, Serialize, Deserialize, PartialEq, Clone)]
struct KernelStatusChanged {
    service: String,
    status: String,
}

#[tokio::test]
async fn juice_kernel_status_changed_filtered_by_service() {
    let bus = bus("juice-kernel").await;
    let all = bus.subscriber(&["KernelStatusChanged", "all"]).await;
    let one = bus.subscriber(&["KernelStatusChanged.lab1", "one"]).await;
    let publisher = bus.publisher().await;
    publisher.wanted("all").await.unwrap();
    publisher.wanted("one").await.unwrap();
    for service in ["lab1", "lab10", "lab2"] {
        let event = KernelStatusChanged {
            service: service.into(),
            status: "idle".into(),
        };
        publisher
            .publish(&format!("KernelStatusChanged.{service}"), &event)
            .await
            .unwrap();
    }
    // J7: an event whose name only begins alike does not leak in.
    publisher.publish("KernelStatusChangedX.lab1", &"no").await.unwrap();
    publisher.publish("one", &"end").await.unwrap();
    let (topic, event) = one.get_json::<KernelStatusChanged>(SOON).await.unwrap();
    assert_eq!(
        (topic.as_str(), event.service.as_str()),
        ("KernelStatusChanged.lab1", "lab1")
    );
    assert_eq!(one.get(SOON).await.unwrap().topic(), "one");
    for service in ["lab1", "lab10", "lab2"] {
        let (topic, event) = all.get_json::<KernelStatusChanged>(SOON).await.unwrap();
        assert!(topic.starts_with("KernelStatusChanged.") && event.service == service);
    }
    assert!(all.get(Duration::ZERO).await.is_err());
}

#[tokio::test]
async fn juice_hello_event_through_each_of_the_four_clients() {
    let builder = Forwarder::of(Pattern::Topics)
        .bind_front("tcp://127.0.0.1:*")
        .bind_back("tcp://127.0.0.1:*");
    let forwarder = builder.start().await.unwrap();
    let (front, back) = (
        forwarder.front()[0].as_str().to_owned(),
        forwarder.back()[0].as_str().to_owned(),
    );
    let asynchronous = Subscriber::connect(&back).await.unwrap();
    asynchronous.subscribe("HelloEvent").await.unwrap();
    asynchronous.subscribe("async").await.unwrap();
    let there = Publisher::connect(&front).await.unwrap().with_patience(SOON);
    there.wanted("async").await.unwrap();
    let (to, from) = (front.clone(), back.clone());
    let blocking = spawn_blocking(move || {
        let subscriber = blocking::Subscriber::connect(from)?;
        subscriber.subscribe("HelloEvent")?;
        subscriber.subscribe("blocking")?;
        let publisher = blocking::Publisher::connect(to)?;
        publisher.publish("blocking", &0)?; // so that its subscriptions are there
        assert_eq!(subscriber.get(SOON)?.topic(), "blocking");
        publisher.publish("HelloEvent", &"from blocking")?;
        Ok::<_, Error>((subscriber, publisher))
    });
    let (subscriber, _publisher) = blocking.await.unwrap().unwrap();
    assert_eq!(asynchronous.get_json::<String>(SOON).await.unwrap().1, "from blocking");
    there.publish("HelloEvent", &"from async").await.unwrap();
    assert_eq!(asynchronous.get_json::<String>(SOON).await.unwrap().1, "from async");
    let both = spawn_blocking(move || {
        [subscriber.get_json::<String>(SOON), subscriber.get_json::<String>(SOON)].map(|got| got.map(|(_, text)| text))
    });
    let [one, other] = both.await.unwrap();
    assert_eq!(
        (one.unwrap().as_str(), other.unwrap().as_str()),
        ("from blocking", "from async")
    );
}

#[tokio::test]
async fn juice_dummy_event_with_topic_something() {
    let bus = bus("juice-dummy").await;
    let (exact, typed) = (
        bus.subscriber(&["DummyEvent.something", "e"]).await,
        bus.subscriber(&["DummyEvent", "t"]).await,
    );
    let publisher = bus.publisher().await;
    publisher.wanted("e").await.unwrap();
    publisher.wanted("t").await.unwrap();
    publisher.publish("DummyEvent", &1).await.unwrap();
    publisher.publish("DummyEvent.something", &2).await.unwrap();
    publisher.publish("DummyEvent.something else", &3).await.unwrap();
    assert_eq!(texts(&exact, 1).await, ["DummyEvent.something 2"]);
    let all = ["DummyEvent 1", "DummyEvent.something 2", "DummyEvent.something else 3"];
    assert_eq!(texts(&typed, 3).await, all);
}
