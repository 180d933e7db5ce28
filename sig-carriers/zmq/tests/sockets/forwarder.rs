//! Forwarders of every pattern.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sig_carrier_zmq::{Direction, Error, Forwarder, ForwarderBuilder, Kind, Message, Pattern, Socket, Statistics};

use crate::world::{SOON, World, options, until_heard};

fn forwarder(world: &World, pattern: Pattern) -> ForwarderBuilder {
    Forwarder::of(pattern)
        .bind_front(world.endpoint())
        .bind_back(world.endpoint())
        .options(options().library(world.bound))
}

/// A socket that connects to the front of it.
async fn in_front(world: &World, forwarder: &Forwarder, kind: Kind) -> Socket {
    world.there(kind).connect(forwarder.front()[0].as_str()).await.unwrap()
}

/// A socket that connects to its back.
async fn behind(world: &World, forwarder: &Forwarder, kind: Kind) -> Socket {
    world.there(kind).connect(forwarder.back()[0].as_str()).await.unwrap()
}

/// Waits until the figures say so.
async fn told(forwarder: &Forwarder, wanted: impl Fn(&Statistics) -> bool) -> Statistics {
    for _ in 0..4000 {
        let told = forwarder.statistics();
        if wanted(&told) {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", forwarder.statistics());
}

#[tokio::test]
async fn many_to_many_without_either_side_knowing_the_other() {
    for world in World::all(&["tcp", "ipc", "inproc"]) {
        let forwarder = forwarder(&world, Pattern::Topics).start().await.unwrap();
        let mut subscribers = Vec::new();
        // The last topic of each is its alone, so that the publishers can tell that all of its are there.
        for topics in [vec!["", "0"], vec!["a", "1"], vec!["b", "2"], vec!["b", "a", "3"]] {
            let subscriber = behind(&world, &forwarder, Kind::Sub).await;
            for topic in topics {
                subscriber.subscribe(topic).await.unwrap();
            }
            subscribers.push(subscriber);
        }
        let mut publishers = Vec::new();
        for _ in 0..3 {
            let publisher = in_front(&world, &forwarder, Kind::Xpub).await;
            for _ in 0..7 {
                let subscription = publisher.recv().await.unwrap();
                assert_eq!(subscription.frame(0).unwrap()[0], 1, "{subscription:?}");
            }
            publishers.push(publisher);
        }
        for number in 0..100_u32 {
            for (from, publisher) in publishers.iter().enumerate() {
                let topic = if number % 2 == 0 { "a" } else { "b" };
                publisher
                    .send([topic.to_owned(), from.to_string(), number.to_string()])
                    .await
                    .unwrap();
            }
        }
        for (subscriber, wanted) in subscribers.iter().zip([300, 150, 150, 300]) {
            let mut last = [None; 3];
            for _ in 0..wanted {
                let message = subscriber.recv().await.unwrap();
                let number = |frame: usize| -> usize {
                    std::str::from_utf8(message.frame(frame).unwrap())
                        .unwrap()
                        .parse()
                        .unwrap()
                };
                let (from, number) = (number(1), number(2));
                assert!(
                    last[from] < Some(number),
                    "in order from each: {message:?} after {last:?}"
                );
                last[from] = Some(number);
            }
            assert_eq!(subscriber.try_recv().unwrap(), None, "once each");
        }
        let told = forwarder.terminate().await;
        assert_eq!((told.there.messages, told.dropped), (300, 0));
        assert_eq!(told.topics.get(b"a").unwrap().messages, 150);
        assert_eq!(told.back.messages, 7, "each topic once");
    }
}

#[tokio::test]
async fn broadcast_as_juice_does_it() {
    for world in World::all(&["tcp", "inproc"]) {
        let forwarder = forwarder(&world, Pattern::Broadcast).start().await.unwrap();
        let publisher = in_front(&world, &forwarder, Kind::Pub).await;
        let subscriber = behind(&world, &forwarder, Kind::Sub)
            .await
            .subscribe("Ev.")
            .await
            .unwrap();
        let message = Message::from(["Ev.topic.", "{}"]);
        assert_eq!(until_heard(&publisher, message.clone(), &subscriber).await, message);
    }
}

#[tokio::test]
async fn requests_find_a_worker_and_replies_who_asked() {
    for world in World::all(&["tcp", "inproc"]) {
        let forwarder = forwarder(&world, Pattern::Requests).start().await.unwrap();
        let worker = behind(&world, &forwarder, Kind::Rep).await;
        let (one, other) = (
            in_front(&world, &forwarder, Kind::Req).await,
            in_front(&world, &forwarder, Kind::Req).await,
        );
        one.send("from one").await.unwrap();
        other.send("from other").await.unwrap();
        for _ in 0..2 {
            let question = worker.recv().await.unwrap();
            worker
                .send(Message::from("re").with_front(question.frame_bytes(0).unwrap()))
                .await
                .unwrap();
        }
        assert_eq!(one.recv().await.unwrap(), ["from one", "re"].into());
        assert_eq!(other.recv().await.unwrap(), ["from other", "re"].into());

        // Who asked is gone: its reply is dropped, and the forwarder lives on.
        one.send("and leaves").await.unwrap();
        let question = worker.recv().await.unwrap();
        one.close().await;
        worker.send(question).await.unwrap();
        other.send("again").await.unwrap();
        assert_eq!(worker.recv().await.unwrap(), "again".into());
        worker.send("still here").await.unwrap();
        assert_eq!(other.recv().await.unwrap(), "still here".into());
        assert_eq!(forwarder.statistics().topics.counted, [], "requests have no topics");
    }
}

#[tokio::test]
async fn pause_holds_everything_back_and_resume_lets_it_go() {
    for world in World::all(&["tcp", "inproc"]) {
        let forwarder = forwarder(&world, Pattern::Pipeline).start().await.unwrap();
        let (push, pull) = (
            in_front(&world, &forwarder, Kind::Push).await,
            behind(&world, &forwarder, Kind::Pull).await,
        );
        push.send(["before", ""]).await.unwrap();
        assert_eq!(pull.recv().await.unwrap(), ["before", ""].into());
        assert!(!forwarder.is_paused());
        forwarder.pause();
        forwarder.pause();
        assert!(forwarder.is_paused());
        for number in 0..50_u32 {
            push.send(number.to_string()).await.unwrap();
        }
        let early = pull.recv_within(Duration::from_millis(100)).await;
        assert!(early.as_ref().is_err_and(Error::is_timeout), "{early:?}");
        assert_eq!(forwarder.statistics().there.messages, 1);
        forwarder.resume();
        for number in 0..50_u32 {
            assert_eq!(pull.recv().await.unwrap(), number.to_string().into());
        }
        assert_eq!(forwarder.statistics().there.messages, 51);
    }
}

#[tokio::test]
async fn terminating_ends_it_twice_and_frees_its_endpoints() {
    for world in World::all(&["tcp"]) {
        let forwarder = forwarder(&world, Pattern::Pipeline).start().await.unwrap();
        let (front, back) = (forwarder.front()[0].clone(), forwarder.back()[0].clone());
        let push = in_front(&world, &forwarder, Kind::Push).await;
        let pull = behind(&world, &forwarder, Kind::Pull).await;
        push.send("x").await.unwrap();
        assert_eq!(pull.recv().await.unwrap(), "x".into());
        forwarder.pause();
        let told = tokio::time::timeout(SOON, forwarder.terminate()).await.unwrap();
        assert_eq!(told.there.messages, 1);
        assert_eq!(forwarder.terminate().await, told);
        forwarder.resume();
        assert!(forwarder.ended().await.is_ok());

        let again = Forwarder::of(Pattern::Pipeline)
            .bind_front(front.as_str())
            .bind_back(back.as_str());
        let again = again.options(options().library(world.bound)).start().await.unwrap();
        // The peers find it by themselves. What they send until they know that the former link is gone is lost.
        assert_eq!(until_heard(&push, "y", &pull).await, "y".into());
        assert!(again.statistics().there.messages >= 1);
    }
}

#[tokio::test]
async fn terminating_with_nobody_to_take_what_is_in_hand_gives_it_up() {
    for world in World::all(&["tcp", "inproc"]) {
        let short = options().linger(Duration::from_millis(50)).library(world.bound);
        let forwarder = forwarder(&world, Pattern::Pipeline)
            .options(short)
            .start()
            .await
            .unwrap();
        let push = in_front(&world, &forwarder, Kind::Push).await;
        push.send("for nobody").await.unwrap();
        told(&forwarder, |told| told.there.messages == 1).await;
        let told = tokio::time::timeout(SOON, forwarder.terminate()).await.unwrap();
        assert_eq!(told.dropped, 1);
    }
}

#[tokio::test]
async fn an_observer_sees_everything_and_its_panic_disturbs_nothing() {
    for world in World::all(&["tcp", "inproc"]) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (notes, calls) = (Arc::clone(&seen), AtomicU32::new(0));
        let builder = forwarder(&world, Pattern::Topics).observer(move |passing| {
            notes.lock().unwrap().push((passing.direction, passing.message.clone()));
            assert!(
                calls.fetch_add(1, Ordering::Relaxed) % 2 == 0,
                "every other time, on purpose"
            );
        });
        let forwarder = builder.start().await.unwrap();
        let publisher = in_front(&world, &forwarder, Kind::Xpub).await;
        let subscriber = behind(&world, &forwarder, Kind::Sub).await.subscribe("").await.unwrap();
        publisher.recv().await.unwrap();
        for number in 0..10_u32 {
            publisher.send(["t".to_owned(), number.to_string()]).await.unwrap();
        }
        for number in 0..10_u32 {
            assert_eq!(
                subscriber.recv().await.unwrap(),
                ["t".to_owned(), number.to_string()].into()
            );
        }
        let told = forwarder.terminate().await;
        assert_eq!((told.there.messages, told.observer_panics), (10, 5));
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0], (Direction::Back, b"\x01".into()));
        assert_eq!(seen[10], (Direction::There, ["t", "9"].into()));
    }
}

#[tokio::test]
async fn a_capture_gets_a_copy_and_never_holds_anything_up() {
    for world in World::all(&["tcp", "inproc"]) {
        let capture = world.here(Kind::Push);
        let captured = world.there(Kind::Pull);
        captured
            .connect(crate::world::bind(&capture, &world.endpoint()).await)
            .await
            .unwrap();
        capture.send("ready").await.unwrap();
        assert_eq!(captured.recv().await.unwrap(), "ready".into());
        let forwarder = forwarder(&world, Pattern::Pipeline)
            .capture(capture)
            .start()
            .await
            .unwrap();
        let (push, pull) = (
            in_front(&world, &forwarder, Kind::Push).await,
            behind(&world, &forwarder, Kind::Pull).await,
        );
        push.send(["a", "b"]).await.unwrap();
        assert_eq!(pull.recv().await.unwrap(), ["a", "b"].into());
        assert_eq!(captured.recv().await.unwrap(), ["a", "b"].into());
        captured.close().await;
        for hundred in 0..50_u32 {
            let numbers = hundred * 100..(hundred + 1) * 100;
            for number in numbers.clone() {
                push.send(number.to_string()).await.unwrap();
            }
            for number in numbers {
                assert_eq!(pull.recv().await.unwrap(), number.to_string().into());
            }
        }
        let told = forwarder.terminate().await;
        assert_eq!(told.there.messages, 5001);
        assert!(told.not_captured > 0, "{told:?}");
    }
    let pull = Socket::pull().unwrap();
    let error = Forwarder::of(Pattern::Topics)
        .bind_front("inproc://c")
        .bind_back("inproc://d")
        .capture(pull);
    let error = error.start().await.unwrap_err().to_string();
    assert!(error.contains("PULL") && error.contains("PUSH"), "{error}");
}

#[tokio::test]
async fn topics_are_counted_up_to_a_bound() {
    for world in World::all(&["tcp", "inproc"]) {
        let forwarder = forwarder(&world, Pattern::Topics).topics(2).start().await.unwrap();
        let publisher = in_front(&world, &forwarder, Kind::Xpub).await;
        let subscriber = behind(&world, &forwarder, Kind::Sub).await.subscribe("").await.unwrap();
        publisher.recv().await.unwrap();
        let long = "l".repeat(256);
        for topic in [&long, "a", "b", "c", "a", "d", &long] {
            publisher.send([topic, "1234"]).await.unwrap();
        }
        for _ in 0..7 {
            subscriber.recv().await.unwrap();
        }
        let topics = forwarder.statistics().topics;
        let told: Vec<_> = topics
            .counted
            .iter()
            .map(|(name, count)| (&name[..], count.messages, count.bytes))
            .collect();
        assert_eq!(told, [(&b"a"[..], 2, 10), (b"b", 1, 5)]);
        assert_eq!((topics.others.messages, topics.others.bytes), (4, 5 + 5 + 2 * 260));
    }
}

#[tokio::test]
async fn several_in_one_process_do_not_collide() {
    for world in World::all(&["inproc", "tcp"]) {
        let mut all = Vec::new();
        for number in 0..4_u32 {
            let forwarder = forwarder(&world, Pattern::Topics).start().await.unwrap();
            let publisher = in_front(&world, &forwarder, Kind::Xpub).await;
            let subscriber = behind(&world, &forwarder, Kind::Sub).await.subscribe("").await.unwrap();
            all.push((number, forwarder, publisher, subscriber));
        }
        for (number, _, publisher, _) in &all {
            publisher.recv().await.unwrap();
            publisher.send(["t".to_owned(), number.to_string()]).await.unwrap();
        }
        for (number, forwarder, _, subscriber) in &all {
            assert_eq!(
                subscriber.recv().await.unwrap(),
                ["t".to_owned(), number.to_string()].into()
            );
            assert_eq!(forwarder.terminate().await.there.messages, 1);
        }
    }
    // The same place twice is an error that says where.
    let taken = Forwarder::of(Pattern::Topics)
        .bind_front("tcp://127.0.0.1:*")
        .bind_back("tcp://127.0.0.1:*");
    let taken = taken.start().await.unwrap();
    let front = taken.front()[0].as_str().to_owned();
    let error = Forwarder::of(Pattern::Topics)
        .bind_front(&front)
        .bind_back("tcp://127.0.0.1:*")
        .start()
        .await;
    assert!(error.unwrap_err().to_string().contains(&front));
    let nowhere = Forwarder::of(Pattern::Topics)
        .bind_front(&front)
        .start()
        .await
        .unwrap_err();
    assert!(nowhere.to_string().contains("back"), "{nowhere}");
}
