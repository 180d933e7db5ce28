//! The scenarios of sunflare 0.5.5's own tests, by their file and names. Its bus is two things here: a router for the signals of owners, and
//! a forwarder for what is published.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use sig_router::{Event, Listener, RequestError, Router};

use crate::bus::{Bus, SOON, texts};

/// What slots were given, in this order.
#[derive(Clone, Default)]
struct Given(Arc<Mutex<Vec<String>>>);

impl Given {
    /// A slot of this name that is connected to a signal.
    fn slot(&self, router: &Router, name: &'static str, signal: &str) -> Listener {
        let given = Arc::clone(&self.0);
        let slot = move |event: &Event<'_>| {
            let x: u32 = event.decode().unwrap();
            given.lock().unwrap().push(format!("{name} {x}"));
        };
        router
            .add_listener(signal.parse::<sig_router::Topic>().unwrap(), slot)
            .unwrap()
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Registers an owner with its signals.
fn register(router: &Router, owner: &str, signals: &[&str]) -> sig_router::Sender {
    router.add_sender(owner).events(signals).connect().unwrap()
}

fn emit(owner: &sig_router::Sender, signal: &str, x: u32) {
    owner.signal(signal).unwrap().try_trigger(&x).unwrap();
}

mod test_virtual {
    use std::sync::mpsc::sync_channel;
    use std::thread;

    use sig_carrier_zmq::{Error, Publisher, Socket, Subscriber, blocking};
    use sig_core::EventName;
    use sig_tests::rig::holds;
    use tokio::task::{JoinSet, spawn_blocking};

    use super::*;

    #[test]
    fn test_virtual_bus_psygnal_registration() {
        let (router, given) = (Router::new(), Given::default());
        let owner = register(&router, "MockOwner", &["sigMockSignal"]);
        assert!(
            router
                .senders()
                .iter()
                .any(|sender| sender.name.as_str() == "MockOwner" && sender.connected)
        );
        let _slot = given.slot(&router, "slot", "MockOwner/sigMockSignal");
        emit(&owner, "sigMockSignal", 5);
        assert_eq!(given.take(), ["slot 5"]);
    }

    #[tokio::test]
    async fn test_virtual_bus_no_object() {
        let (router, given) = (Router::new(), Given::default());
        assert!(
            router
                .senders()
                .iter()
                .all(|sender| sender.name.as_str() != "MockOwner")
        );
        let nobody = router.request("MockOwner", "method", &()).await.unwrap_err();
        assert!(matches!(nobody, RequestError::NoSuchSender { .. }), "{nobody}");
        assert!(nobody.to_string().contains("MockOwner"), "{nobody}");
        // Who connects all the same is connected as soon as the owner is there.
        let _slot = given.slot(&router, "early", "MockOwner/sigMockSignal");
        emit(&register(&router, "MockOwner", &["sigMockSignal"]), "sigMockSignal", 5);
        assert_eq!(given.take(), ["early 5"]);
    }

    #[test]
    fn test_virtual_bus_psygnal_connection() {
        let (router, given) = (Router::new(), Given::default());
        let first = register(&router, "FirstMockOwner", &["sigFirstSignal"]);
        let second = register(&router, "SecondMockOwner", &["sigSecondSignal"]);
        let _slots = [
            given.slot(&router, "second_to_first", "SecondMockOwner/sigSecondSignal"),
            given.slot(&router, "first_to_second", "FirstMockOwner/sigFirstSignal"),
        ];
        emit(&first, "sigFirstSignal", 5);
        emit(&second, "sigSecondSignal", 6);
        assert_eq!(given.take(), ["first_to_second 5", "second_to_first 6"]);
    }

    #[test]
    fn test_virtual_bus_psygnal_connection_only() {
        let (router, given) = (Router::new(), Given::default());
        let owner = register(&router, "MockOwner", &["sigSignalOne"]);
        let listed = router.senders();
        let listed = listed
            .iter()
            .find(|sender| sender.name.as_str() == "MockOwner")
            .unwrap();
        let signals = listed.events.iter().filter(|event| !event.is_presence());
        let signals: Vec<_> = signals.map(EventName::as_str).collect();
        assert_eq!(signals, ["sigSignalOne"]);
        let unregistered = owner.signal("sigSignalTwo").unwrap_err().to_string();
        assert!(unregistered.contains("sigSignalTwo"), "{unregistered}");
        let _slot = given.slot(&router, "callback", "MockOwner/sigSignalOne");
        emit(&owner, "sigSignalOne", 5);
        assert_eq!(given.take(), ["callback 5"]);
    }

    /// Functions need no mark to be slots.
    #[test]
    fn test_slot() {
        static GIVEN: AtomicU32 = AtomicU32::new(0);
        fn slot(event: &Event<'_>) {
            GIVEN.store(event.decode().unwrap(), Ordering::Relaxed);
        }
        let router = Router::new();
        let _slot = router.add_listener("MockOwner/sigMockSignal", slot).unwrap();
        emit(&register(&router, "MockOwner", &["sigMockSignal"]), "sigMockSignal", 5);
        assert_eq!(GIVEN.load(Ordering::Relaxed), 5);
    }

    /// Nor do methods that nobody else sees, and their objects are held as long as the connection.
    #[test]
    fn test_slot_private() {
        #[derive(Default)]
        struct View(AtomicU32);
        impl View {
            fn show(&self, x: u32) {
                self.0.store(x, Ordering::Relaxed);
            }
        }
        let (router, view) = (Router::new(), Arc::new(View::default()));
        let shown = Arc::clone(&view);
        let slot = move |event: &Event<'_>| shown.show(event.decode().unwrap());
        let slot = router.add_listener("MockOwner/sigMockSignal", slot).unwrap();
        let owner = register(&router, "MockOwner", &["sigMockSignal"]);
        emit(&owner, "sigMockSignal", 5);
        drop(slot);
        emit(&owner, "sigMockSignal", 6);
        assert_eq!((view.0.load(Ordering::Relaxed), Arc::strong_count(&view)), (5, 1));
    }

    /// Bare sockets, and a subscriber that waits when the bus is shut down.
    #[tokio::test]
    async fn test_virtual_bus_zmq() {
        let bus = Bus::inside("zmq").await;
        let publisher = Socket::xpub().unwrap().connect(&bus.front).await.unwrap();
        let subscriber = Socket::sub().unwrap().connect(&bus.back).await.unwrap();
        subscriber.subscribe("").await.unwrap();
        publisher.recv().await.unwrap(); // the subscription is there
        publisher.send("Hello, World!").await.unwrap();
        assert_eq!(subscriber.recv().await.unwrap(), "Hello, World!".into());
        let (mut polling, handle) = (JoinSet::new(), subscriber.clone());
        polling.spawn(async move { handle.recv().await });
        tokio::time::timeout(SOON, bus.forwarder.terminate()).await.unwrap();
        subscriber.close().await;
        let ended = polling.join_next().await.unwrap().unwrap();
        assert!(ended.as_ref().is_err_and(Error::is_closed), "{ended:?}");
    }

    #[tokio::test]
    async fn test_virtual_bus_subscriptions() {
        let bus = Bus::inside("subscriptions").await;
        let temperature = bus.subscriber(&["temperature"]).await;
        let humidity = bus.subscriber(&["humidity"]).await;
        let publisher = bus.publisher().await;
        publisher.wanted("temperature").await.unwrap();
        publisher.wanted("humidity").await.unwrap();
        for (topic, value) in [("temperature", "25.5"), ("humidity", "60.0"), ("pressure", "1013.25")] {
            publisher.publish_bytes(topic, value).await.unwrap();
        }
        assert_eq!(texts(&temperature, 1).await, ["temperature 25.5"]);
        assert_eq!(texts(&humidity, 1).await, ["humidity 60.0"]);
        let passed = bus.forwarder.terminate().await.there.messages;
        assert_eq!(passed, 2, "pressure is for nobody");
    }

    /// A thread consumes what comes, until the subscriber is closed.
    #[tokio::test]
    async fn test_sync() {
        let bus = Bus::outside().await;
        let (to, from) = (bus.front.clone(), bus.back.clone());
        let consumed = spawn_blocking(move || {
            let publisher = blocking::Publisher::connect(to)?;
            let subscriber = Arc::new(blocking::Subscriber::connect(from)?);
            subscriber.subscribe("test")?;
            let (consume, consumes) = sync_channel(8);
            let source = Arc::clone(&subscriber);
            let consumer = thread::spawn(move || {
                loop {
                    match source.get(None) {
                        Ok(message) => consume.send((message.topic(), message.data())).unwrap(),
                        Err(error) => return error,
                    }
                }
            });
            publisher.publish_bytes("test", "message")?; // when the subscription is there
            publisher.publish_bytes("other-topic", "message")?;
            publisher.publish_bytes("test", "last")?;
            let consumed = [(); 2].map(|()| consumes.recv_timeout(SOON).unwrap());
            publisher.close();
            subscriber.close();
            let ended = consumer.join().unwrap();
            assert!(ended.is_closed(), "{ended}");
            Ok::<_, Error>(consumed)
        });
        let consumed = consumed.await.unwrap().unwrap();
        assert_eq!(
            consumed,
            ["message", "last"].map(|data| ("test".to_owned(), data.into()))
        );
    }

    #[tokio::test]
    async fn test_sync_single_class() {
        struct Controller {
            publisher: Publisher,
            subscriber: Subscriber,
        }
        let bus = Bus::inside("single").await;
        let controller = Controller {
            publisher: bus.publisher().await,
            subscriber: bus.subscriber(&["test"]).await,
        };
        let Controller { publisher, subscriber } = &controller;
        for (topic, data) in [("test", "message"), ("other-topic", "message"), ("test", "last")] {
            publisher.publish_bytes(topic, data).await.unwrap();
        }
        assert_eq!(texts(subscriber, 2).await, ["test message", "test last"]);
        // W12: shutdown with an open subscriber returns, and returns twice.
        for _ in 0..2 {
            tokio::time::timeout(SOON, bus.forwarder.terminate()).await.unwrap();
            tokio::time::timeout(SOON, subscriber.close()).await.unwrap();
        }
        publisher.close().await;
        let late = publisher.publish_bytes("test", "late").await.unwrap_err();
        assert!(late.is_closed(), "{late}");
    }

    #[tokio::test]
    async fn test_one_to_many() {
        let bus = Bus::inside("one-to-many").await;
        let everything = bus.subscriber(&["", "only.all"]).await;
        let mut some = Vec::new();
        for topic in ["topic1", "topic2", "topic3"] {
            some.push((topic, bus.subscriber(&[topic]).await));
        }
        let publisher = bus.publisher().await;
        for topic in ["only.all", "topic1", "topic2", "topic3"] {
            publisher.wanted(topic).await.unwrap();
        }
        // All of them are wanted by who wants everything; each by itself is told upstream as well.
        holds("five topics", || bus.forwarder.statistics().back.messages == 5).await;
        for topic in ["topic1", "topic2", "topic3"] {
            publisher.publish_bytes(topic, "message").await.unwrap();
        }
        assert_eq!(
            texts(&everything, 3).await,
            ["topic1 message", "topic2 message", "topic3 message"]
        );
        for (topic, subscriber) in &some {
            assert_eq!(texts(subscriber, 1).await, [format!("{topic} message")]);
        }
    }

    #[tokio::test]
    async fn test_many_to_one() {
        let bus = Bus::inside("many-to-one").await;
        let subscriber = bus.subscriber(&["topic1", "topic2", "topic3"]).await;
        let mut publishers = Vec::new();
        for topic in ["topic1", "topic2", "topic3"] {
            let publisher = bus.publisher().await;
            publisher.wanted("topic3").await.unwrap();
            publishers.push((topic, publisher));
        }
        for (topic, publisher) in &publishers {
            publisher.publish_bytes(topic, "message").await.unwrap();
            // Publishers know nothing of each other, nor in which order they are.
            assert_eq!(texts(&subscriber, 1).await, [format!("{topic} message")]);
        }
    }

    #[tokio::test]
    async fn test_many_to_many() {
        let bus = Bus::inside("many-to-many").await;
        let (mut publishers, mut subscribers) = (Vec::new(), Vec::new());
        for topic in ["topic1", "topic2", "topic3"] {
            subscribers.push((topic, bus.subscriber(&[topic]).await));
        }
        for topic in ["topic1", "topic2", "topic3"] {
            let publisher = bus.publisher().await;
            for topic in ["topic1", "topic2", "topic3"] {
                publisher.wanted(topic).await.unwrap();
            }
            publishers.push((topic, publisher));
        }
        for (topic, publisher) in &publishers {
            publisher.publish_bytes(topic, "message").await.unwrap();
        }
        for (topic, subscriber) in &subscribers {
            assert_eq!(texts(subscriber, 1).await, [format!("{topic} message")]);
        }
    }
}
