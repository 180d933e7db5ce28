//! The scenarios of Juice's documentation, which brings no tests: typed events under dotted topics, over a forwarder.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sig_carrier_zmq::{Error, blocking};
use tokio::task::spawn_blocking;

use crate::bus::{Bus, SOON, texts};

/// An event, whose name begins the topic.
#[derive(Debug, Serialize, Deserialize, PartialEq, Clone)]
struct KernelStatusChanged {
    service: String,
    status: String,
}

fn idle(service: &str) -> KernelStatusChanged {
    KernelStatusChanged {
        service: service.into(),
        status: "idle".into(),
    }
}

#[tokio::test]
async fn dummy_event_with_topic_something() {
    let bus = Bus::inside("dummy").await;
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

#[tokio::test]
async fn kernel_status_changed_filtered_by_service() {
    let bus = Bus::inside("kernel").await;
    let all = bus.subscriber(&["KernelStatusChanged", "all"]).await;
    let one = bus.subscriber(&["KernelStatusChanged.lab1", "one"]).await;
    let publisher = bus.publisher().await;
    publisher.wanted("all").await.unwrap();
    publisher.wanted("one").await.unwrap();
    for service in ["lab1", "lab10", "lab2"] {
        let topic = format!("KernelStatusChanged.{service}");
        publisher.publish(&topic, &idle(service)).await.unwrap();
    }
    // J7: an event whose name only begins alike does not leak in.
    publisher.publish("KernelStatusChangedX.lab1", &"no").await.unwrap();
    publisher.publish("one", &"end").await.unwrap();
    let (topic, event) = one.get_json::<KernelStatusChanged>(SOON).await.unwrap();
    assert_eq!((topic.as_str(), event), ("KernelStatusChanged.lab1", idle("lab1")));
    assert_eq!(one.get(SOON).await.unwrap().topic(), "one");
    for service in ["lab1", "lab10", "lab2"] {
        let (topic, event) = all.get_json::<KernelStatusChanged>(SOON).await.unwrap();
        assert!(topic.starts_with("KernelStatusChanged.") && event.service == service);
    }
    assert!(all.get(Duration::ZERO).await.is_err_and(|error| error.is_timeout()));
}

#[tokio::test]
async fn hello_event_through_each_of_the_four_clients() {
    let bus = Bus::outside().await;
    let asynchronous = bus.subscriber(&["HelloEvent", "async"]).await;
    let there = bus.publisher().await;
    there.wanted("async").await.unwrap();
    let (to, from) = (bus.front.clone(), bus.back.clone());
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
async fn loop_on_get_asserting_type_and_topic_prefix() {
    let bus = Bus::inside("loop").await;
    let subscriber = bus.subscriber(&["KernelStatusChanged.lab1", "HelloEvent", "end"]).await;
    let publisher = bus.publisher().await;
    publisher.wanted("end").await.unwrap();
    for service in ["lab1", "lab1.kernel", "lab2"] {
        let topic = format!("KernelStatusChanged.{service}");
        publisher.publish(&topic, &idle(service)).await.unwrap();
        publisher.publish("HelloEvent", service).await.unwrap();
    }
    publisher.publish("end", &()).await.unwrap();
    let (mut kernels, mut hellos) = (Vec::new(), Vec::new());
    loop {
        let message = subscriber.get(SOON).await.unwrap();
        match message.topic().split('.').next() {
            Some("KernelStatusChanged") => {
                assert!(message.topic().starts_with("KernelStatusChanged.lab1"));
                kernels.push(message.json::<KernelStatusChanged>().unwrap());
            }
            Some("HelloEvent") => hellos.push(message.json::<String>().unwrap()),
            _ => break,
        }
    }
    assert_eq!(kernels, ["lab1", "lab1.kernel"].map(idle));
    assert_eq!(hellos, ["lab1", "lab1.kernel", "lab2"]);
}
