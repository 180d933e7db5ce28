//! Publishers and subscribers over a forwarder.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sig_carrier_zmq::{
    Error, Forwarder, Library, Message, Options, Pattern, Published, Publisher, Subscriber, blocking,
};
use tokio::task::{JoinSet, spawn_blocking};

use crate::world::{LIBRARIES, SOON, options};

struct Middle {
    forwarder: Forwarder,
    front: String,
    back: String,
    library: Library,
}

async fn middle(pattern: Pattern, library: Library) -> Middle {
    let builder = Forwarder::of(pattern)
        .bind_front("tcp://127.0.0.1:*")
        .bind_back("tcp://127.0.0.1:*");
    let forwarder = builder.options(options().library(library)).start().await.unwrap();
    let (front, back) = (
        forwarder.front()[0].as_str().to_owned(),
        forwarder.back()[0].as_str().to_owned(),
    );
    Middle {
        forwarder,
        front,
        back,
        library,
    }
}

impl Middle {
    async fn publisher(&self) -> Publisher {
        let socket = Publisher::socket(Options::default().library(self.library)).unwrap();
        let publisher = Publisher::over(socket.connect(&self.front).await.unwrap()).unwrap();
        publisher.with_patience(SOON)
    }

    /// The last of the topics is there when the publisher wants it to be.
    async fn subscriber(&self, topics: &[&str]) -> Subscriber {
        let socket = Subscriber::socket(Options::default().library(self.library)).unwrap();
        let subscriber = Subscriber::over(socket.connect(&self.back).await.unwrap()).unwrap();
        for topic in topics {
            subscriber.subscribe(topic).await.unwrap();
        }
        subscriber
    }
}

async fn topics(subscriber: &Subscriber, last: &str) -> Vec<String> {
    let mut topics = Vec::new();
    loop {
        let message = subscriber.get(SOON).await.unwrap();
        if message.topic() == last {
            return topics;
        }
        topics.push(message.topic());
    }
}

#[tokio::test]
async fn j5_j6_j9_prefixes_are_of_whole_segments_and_overlaps_come_once() {
    for &library in LIBRARIES {
        let middle = middle(Pattern::Topics, library).await;
        let subscriber = middle.subscriber(&["a.b", "a", "a.b.c", "Ev", "end"]).await;
        let publisher = middle.publisher().await;
        publisher.wanted("end").await.unwrap();
        for topic in [
            "a.b", "a.b.c", "a.c", "a.bb", "ab", "a", "b", "EvX", "Ev2.x", "Ev.x", "end",
        ] {
            publisher.publish(topic, &topic).await.unwrap();
        }
        // W9: none leaks into another.
        assert_eq!(
            topics(&subscriber, "end").await,
            ["a.b", "a.b.c", "a.c", "a.bb", "a", "Ev.x"]
        );
        assert!(publisher.is_wanted("a.x") && !publisher.is_wanted("EvX"));
    }
}

#[tokio::test]
async fn raw_prefixes_are_of_bytes() {
    for &library in LIBRARIES {
        let middle = middle(Pattern::Topics, library).await;
        let subscriber = middle.subscriber(&[]).await;
        subscriber.subscribe_raw(b"t1").await.unwrap();
        subscriber.subscribe_raw(b"\xff").await.unwrap();
        let publisher = middle.publisher().await;
        publisher.publish_raw(b"\xff\x00", "binary").await.unwrap();
        publisher.publish_raw("t1x", "a").await.unwrap();
        publisher.publish_raw("t2", "b").await.unwrap();
        publisher.publish_raw("t1", "").await.unwrap();
        let got: Vec<Message> = [
            subscriber.get(SOON).await,
            subscriber.get(SOON).await,
            subscriber.get(SOON).await,
        ]
        .into_iter()
        .map(|published| published.unwrap().message().clone())
        .collect();
        let first = Message::frames([&b"\xff\x00"[..], b"binary"]);
        assert_eq!(got, [first, ["t1x", "a"].into(), ["t1", ""].into()]);
    }
}

#[tokio::test]
async fn j12_the_first_message_waits_for_the_subscription_and_only_so_long() {
    for &library in LIBRARIES {
        let middle = middle(Pattern::Topics, library).await;
        // The publisher is there first, and publishes before anybody listens.
        let publisher = middle.publisher().await;
        let mut publishing = JoinSet::new();
        publishing.spawn(async move {
            publisher.publish("early", &1).await.unwrap();
            publisher
        });
        tokio::task::yield_now().await;
        let subscriber = middle.subscriber(&["early"]).await;
        let (topic, value) = subscriber.get_json::<u32>(SOON).await.unwrap();
        assert_eq!((topic.as_str(), value), ("early", 1));
        // Nobody wants the next: it does not wait.
        let publisher = publishing.join_next().await.unwrap().unwrap();
        tokio::time::timeout(SOON / 2, publisher.publish("unheard", &2))
            .await
            .unwrap()
            .unwrap();

        // Nobody at all: it gives up, without an error.
        let socket = Publisher::socket(Options::default().library(library)).unwrap();
        let socket = socket.connect("tcp://127.0.0.1:9");
        let alone = Publisher::over(socket.await.unwrap())
            .unwrap()
            .with_patience(Duration::from_millis(60));
        let began = Instant::now();
        alone.publish("x", &()).await.unwrap();
        assert!(began.elapsed() < SOON / 2);
        alone.publish("x", &()).await.unwrap();
    }
}

#[tokio::test]
async fn unsubscribing_ends_it_at_once_also_for_what_is_on_its_way() {
    for &library in LIBRARIES {
        let middle = middle(Pattern::Topics, library).await;
        let subscriber = middle.subscriber(&["a", "b", "end"]).await;
        subscriber.subscribe("a").await.unwrap(); // twice is once
        let publisher = middle.publisher().await;
        publisher.wanted("end").await.unwrap();
        for topic in ["a", "b", "a", "end"] {
            publisher.publish(topic, &0).await.unwrap();
        }
        assert_eq!(subscriber.get(SOON).await.unwrap().topic(), "a");
        subscriber.unsubscribe("a").await.unwrap();
        subscriber.unsubscribe("never asked for").await.unwrap();
        assert_eq!(topics(&subscriber, "end").await, ["b"]);
        // Upstream hears of it.
        let told = async {
            while publisher.is_wanted("a") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, told).await.unwrap();
        assert!(publisher.is_wanted("b"));
    }
}

#[tokio::test]
async fn j10_get_has_one_meaning_of_its_timeout() {
    for &library in LIBRARIES {
        let middle = middle(Pattern::Broadcast, library).await;
        let subscriber = middle.subscriber(&[""]).await;
        for timeout in [Duration::ZERO, Duration::from_millis(20)] {
            let late = subscriber.get(timeout).await.unwrap_err();
            assert!(
                late.is_timeout() && late.to_string().contains("waiting for a message"),
                "{late}"
            );
        }
        let publisher = middle.publisher().await;
        publisher.publish("x", &1.5).await.unwrap();
        // The broadcasting forwarder wants everything, its subscriber may come later: so again until it is heard.
        while subscriber.get(Duration::from_millis(20)).await.is_err() {
            publisher.publish("x", &1.5).await.unwrap();
        }
        publisher.publish("x", &2).await.unwrap();
        let next = subscriber.get(None).await.unwrap();
        assert_eq!(next.topic(), "x");
    }
}

#[tokio::test]
async fn a_bad_payload_is_an_error_on_that_message_only() {
    for &library in LIBRARIES {
        let middle = middle(Pattern::Topics, library).await;
        let subscriber = middle.subscriber(&[""]).await;
        let publisher = middle.publisher().await;
        publisher.publish("good", &json!({"n": 1})).await.unwrap();
        publisher.publish_bytes("bad", "{\"n\": ").await.unwrap();
        publisher.publish_bytes("worse", b"\xff\xfe").await.unwrap();
        publisher.publish("wrong", &"text").await.unwrap();
        publisher.publish("good", &json!({"n": 2})).await.unwrap();
        #[derive(serde::Deserialize, Debug, PartialEq)]
        struct Reading {
            n: u32,
        }
        let mut told = Vec::new();
        for _ in 0..5 {
            told.push(match subscriber.get_json::<Reading>(SOON).await {
                Ok((topic, reading)) => format!("{topic} {}", reading.n),
                Err(Error::Payload { topic, .. }) => format!("{topic}!"),
                Err(error) => panic!("{error}"),
            });
        }
        assert_eq!(told, ["good 1", "bad!", "worse!", "wrong!", "good 2"]);
        // A message of one frame has a topic and no data.
        publisher.publish("x", &Value::Null).await.unwrap();
        assert_eq!(subscriber.get(SOON).await.unwrap().data(), "null");
    }
}

#[tokio::test]
async fn j11_j14_blocking_and_asynchronous_ones_interoperate_and_close_twice() {
    for &library in LIBRARIES {
        let middle = middle(Pattern::Topics, library).await;
        let asynchronous = middle.subscriber(&["from"]).await;
        let (front, back) = (middle.front.clone(), middle.back.clone());
        let heard = spawn_blocking(move || {
            let options = || Options::default().library(library);
            let subscriber = blocking::Subscriber::connect_with(back, options()).unwrap();
            subscriber.subscribe("from").unwrap();
            subscriber.subscribe("blocking").unwrap();
            subscriber.subscribe_raw("raw").unwrap();
            subscriber.unsubscribe("nothing").unwrap();
            let publisher = blocking::Publisher::connect_with(front, options()).unwrap();
            publisher.publish("blocking", &1).unwrap(); // waits for the subscription
            publisher.publish("from.blocking", &2).unwrap();
            publisher.publish_bytes("from.blocking", "[3]").unwrap();
            let heard: Vec<Published> = (0..3).map(|_| subscriber.get(SOON).unwrap()).collect();
            let late = subscriber.get(Duration::ZERO).unwrap_err();
            assert!(late.is_timeout(), "{late}");
            publisher.close();
            publisher.close();
            assert!(publisher.publish("x", &1).unwrap_err().is_closed());
            let (topic, value) = (heard[2].topic(), heard[2].json::<Vec<u32>>().unwrap());
            assert_eq!((topic.as_str(), value), ("from.blocking", vec![3]));
            (heard.len(), subscriber)
        });
        let (count, subscriber) = heard.await.unwrap();
        assert_eq!(count, 3);
        assert_eq!(asynchronous.get_json::<u32>(SOON).await.unwrap().1, 2);

        // From an asynchronous one to both, within a runtime, where a blocking one blocks but does not panic.
        let publisher = middle.publisher().await;
        publisher.publish("from.async", &4).await.unwrap();
        assert_eq!(asynchronous.get(SOON).await.unwrap().data(), "[3]");
        assert_eq!(asynchronous.get_json::<u32>(SOON).await.unwrap().1, 4);
        // Over TCP between threads of its own, it needs this runtime no more: all was sent.
        let got = spawn_blocking(move || subscriber.get_json::<u32>(SOON).map(|(_, value)| (value, subscriber)));
        let (value, subscriber) = got.await.unwrap().unwrap();
        assert_eq!(value, 4);
        drop(subscriber);

        publisher.close().await;
        publisher.close().await;
        asynchronous.close().await;
        asynchronous.close().await;
        assert!(publisher.publish("x", &1).await.unwrap_err().is_closed());
        assert!(asynchronous.get(SOON).await.unwrap_err().is_closed());
    }
}

#[tokio::test]
async fn the_forwarder_may_come_last_and_come_again() {
    for &library in LIBRARIES {
        // Endpoints that are free, by asking for them once.
        let first = middle(Pattern::Topics, library).await;
        let told = first.forwarder.terminate().await;
        assert_eq!(told.there.messages, 0);
        let subscriber = first.subscriber(&["t"]).await;
        let publisher = first.publisher().await;
        let mut publishing = JoinSet::new();
        publishing.spawn(async move {
            publisher.publish("t", &0).await.unwrap();
            publisher
        });
        for round in 0..2_u32 {
            let again = Forwarder::of(Pattern::Topics)
                .bind_front(&first.front)
                .bind_back(&first.back);
            let again = again.options(options().library(library)).start().await.unwrap();
            if round == 0 {
                assert_eq!(subscriber.get_json::<u32>(SOON).await.unwrap().1, 0);
            } else {
                let publisher = publishing.join_next().await.unwrap().unwrap();
                while subscriber.get(Duration::from_millis(10)).await.is_err() {
                    publisher.publish("t", &round).await.unwrap();
                }
            }
            again.terminate().await;
        }
    }
}

#[tokio::test]
async fn what_is_no_topic_or_no_endpoint_is_an_error_that_says_so() {
    let publisher = Publisher::bind("tcp://127.0.0.1:0").await.unwrap();
    for wrong in ["", "a..b", ".", "a."] {
        let error = publisher.publish(wrong, &1).await.unwrap_err();
        assert!(matches!(error, Error::Topic { .. }), "{wrong}: {error}");
    }
    let subscriber = Subscriber::bind("tcp://127.0.0.1:0").await.unwrap();
    assert!(matches!(subscriber.subscribe("a..b").await, Err(Error::Topic { .. })));
    assert!(matches!(
        Publisher::connect("nowhere").await,
        Err(Error::Endpoint { .. })
    ));
    assert!(matches!(
        blocking::Publisher::bind("nowhere"),
        Err(Error::Endpoint { .. })
    ));
    assert!(matches!(
        blocking::Subscriber::bind("nowhere"),
        Err(Error::Endpoint { .. })
    ));
    let error = Publisher::over(sig_carrier_zmq::Socket::pub_().unwrap()).unwrap_err();
    assert!(error.to_string().contains("XPUB"), "{error}");
}
