//! Over links: counts, content, order, and functions that take their time.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use sig_core::ContentType;
use sig_router::{Confirm, Event, Payload};
use sig_tests::rig::soon;
use tokio::sync::{Notify, mpsc};

use crate::world::{FAR, World, counts, sender};

/// What comes before the confirmation does.
async fn until<C: Debug, T>(confirming: &mut (impl Future<Output = C> + Unpin), what: impl Future<Output = T>) -> T {
    soon("an event", async {
        tokio::select! {
            biased;
            early = confirming => panic!("confirmed already: {early:?}"),
            what = what => what,
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_listener_over_every_hop_is_counted() {
    for world in World::each() {
        let (here, there, elsewhere) = (world.client(), world.client(), world.client());
        let (_sender, signal) = sender(&here).await;
        // In the sender's program, at the server, and in two others.
        let _near = here.local().add_listener("s/e", |_: &Event<'_>| {}).unwrap();
        let _at_server = world.server.add_listener("s/e", |_: &Event<'_>| {}).unwrap();
        let mut at_server = world.server.listen("s").unwrap();
        let _there = there.add_remote_listener("s/e", |_: &Event<'_>| {}).await.unwrap();
        let _twice = there.add_remote_listener("*", |_: &Event<'_>| {}).await.unwrap();
        let mut elsewhere = elsewhere.listen_remote("s/e").await.unwrap();

        // Three at the server's own queues: two of its own and a client each; and one here.
        let accepted = soon("accepted", signal.trigger_confirmed(&1, Confirm::Accepted))
            .await
            .unwrap();
        assert_eq!(counts(accepted), [5, 1, 0, 0], "{}", world.name);

        let mut confirming = signal
            .trigger_confirmed(&2, Confirm::Delivered)
            .timeout(FAR)
            .into_future();
        for number in 1..=2 {
            let event = until(&mut confirming, at_server.recv()).await.unwrap().unwrap();
            assert_eq!((event.number(), event.decode::<u64>().unwrap()), (number, number));
        }
        for number in 1..=2 {
            // It waits for the very last one.
            let event = until(&mut confirming, elsewhere.recv()).await.unwrap().unwrap();
            assert_eq!((event.number(), event.decode::<u64>().unwrap()), (number, number));
        }
        let delivered = soon("delivered", confirming).await.unwrap();
        assert_eq!(
            (counts(delivered), delivered.is_complete()),
            ([6, 6, 0, 0], true),
            "{}",
            world.name
        );
    }
}

#[tokio::test]
async fn from_the_server_to_its_clients_is_one_hop() {
    for world in World::each() {
        let client = world.client();
        let sender = world.server.add_sender("s").event("e").connect().unwrap();
        let signal = sender.signal("e").unwrap();
        let mut stream = client.listen_remote("s/e").await.unwrap();
        let accepted = soon("accepted", signal.trigger_confirmed(&1, Confirm::Accepted))
            .await
            .unwrap();
        assert_eq!(counts(accepted), [1, 0, 0, 0], "{}", world.name);
        let confirming = signal
            .trigger_confirmed(&2, Confirm::Delivered)
            .timeout(FAR)
            .into_future();
        let taking = async {
            for number in 1..=2 {
                assert_eq!(soon("event", stream.recv()).await.unwrap().unwrap().number(), number);
            }
        };
        let (confirmation, ()) = soon("both", futures::future::join(confirming, taking)).await;
        assert_eq!(counts(confirmation.unwrap()), [1, 1, 0, 0], "{}", world.name);
    }
}

#[tokio::test]
async fn any_content_arrives_as_it_was() {
    for world in World::each() {
        let (here, there) = (world.client(), world.client());
        let (_sender, signal) = sender(&here).await;
        let mut stream = there.listen_remote("s/e").await.unwrap();
        let contents = [
            Payload::from_bytes(vec![0, 159, 146, 150, 255]),
            Payload::from_json_text("{\"n\": 1.50}".to_owned()),
            Payload::new(ContentType::TEXT, "text"),
            Payload::new(ContentType(200), vec![7; 100_000]),
        ];
        for content in &contents {
            let confirming = signal.trigger_confirmed(content, Confirm::Delivered).into_future();
            let (confirmation, event) = soon("both", futures::future::join(confirming, stream.recv())).await;
            assert_eq!(counts(confirmation.unwrap()), [1, 1, 0, 0], "{}", world.name);
            let event = event.unwrap().unwrap();
            let payload = event.payload().unwrap();
            if world.name != "packed" || content.content_type() == ContentType::JSON {
                assert_eq!(*payload, *content, "{}", world.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_has_dealt_with_an_event_when_it_has_returned() {
    for world in World::each() {
        let (here, there) = (world.client(), world.client());
        let (_sender, signal) = sender(&here).await;
        let returned = Arc::new(AtomicBool::new(false));
        let note = returned.clone();
        let slow = move |_: &Event<'_>| {
            std::thread::sleep(Duration::from_millis(50));
            note.store(true, Ordering::SeqCst);
        };
        let _slow = there.add_remote_listener("s/e", slow).await.unwrap();
        let confirmation = soon("delivered", signal.trigger_confirmed(&1, Confirm::Delivered))
            .await
            .unwrap();
        assert!(returned.load(Ordering::SeqCst), "{}", world.name);
        assert_eq!(counts(confirmation), [1, 1, 0, 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_panics_elsewhere_has_lost_the_event() {
    for world in World::each() {
        let (here, there) = (world.client(), world.client());
        let (_sender, signal) = sender(&here).await;
        let _calm = there.add_remote_listener("s/e", |_: &Event<'_>| {}).await.unwrap();
        let _panics = there
            .add_remote_listener("s", |_: &Event<'_>| panic!("ouch"))
            .await
            .unwrap();
        let confirmation = soon("counts", signal.trigger_confirmed(&1, Confirm::Delivered))
            .await
            .unwrap();
        assert_eq!(counts(confirmation), [2, 1, 1, 0], "{}", world.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_function_is_pending_at_the_deadline_and_the_others_are_counted() {
    for world in World::each() {
        let (here, there) = (world.client(), world.client());
        let (_sender, signal) = sender(&here).await;
        let _quick = there.add_remote_listener("s/e", |_: &Event<'_>| {}).await.unwrap();
        let (thaw, frozen) = std::sync::mpsc::sync_channel::<()>(1);
        let frozen = std::sync::Mutex::new(frozen);
        let freeze = move |_: &Event<'_>| {
            let _ = frozen.lock().unwrap().recv();
        };
        let _frozen = there.add_remote_listener("s", freeze).await.unwrap();
        let mut at_server = world.server.listen("s/e").unwrap();

        let timeout = Duration::from_secs(1);
        let began = Instant::now();
        let confirming = signal
            .trigger_confirmed(&1, Confirm::Delivered)
            .timeout(timeout)
            .into_future();
        let (confirmation, event) = soon("an answer", futures::future::join(confirming, at_server.recv())).await;
        assert_eq!(event.unwrap().unwrap().number(), 1);
        // Not one for the server, of which nothing was known: its answer came in time.
        assert_eq!(counts(confirmation.unwrap()), [3, 2, 0, 1], "{}", world.name);
        assert!(began.elapsed() < timeout, "{}: {:?}", world.name, began.elapsed());
        // Accepted does not wait for it.
        let accepted = soon("accepted", signal.trigger_confirmed(&2, Confirm::Accepted))
            .await
            .unwrap();
        assert_eq!(counts(accepted), [2, 0, 0, 0], "{}", world.name);
        drop(thaw);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmed_and_plain_triggers_keep_their_order() {
    const EVENTS: u64 = 3000;
    for world in World::each() {
        let (here, there) = (world.client(), world.client());
        let (_sender, signal) = sender(&here).await;
        let (heard, mut hears) = mpsc::channel(usize::try_from(EVENTS).unwrap());
        let hear = move |event: &Event<'_>| {
            heard
                .try_send((event.number(), event.decode::<u64>().unwrap()))
                .unwrap()
        };
        let _listener = there.add_remote_listener("s/e", hear).await.unwrap();
        // Called on the spot, when an event was triggered.
        let triggered = Arc::new(Notify::new());
        let ring = triggered.clone();
        let _here = here
            .local()
            .add_listener("s/e", move |_: &Event<'_>| ring.notify_one())
            .unwrap();
        let confirmed = soon("all confirmations", async {
            let confirming = FuturesUnordered::new();
            for number in 1..=EVENTS {
                let signal = signal.clone();
                let mut trigger = async move {
                    let confirm = match number % 3 {
                        0 => Confirm::Accepted,
                        1 => Confirm::Delivered,
                        _ => return signal.trigger(&number).await.map(|()| None),
                    };
                    signal.trigger_confirmed(&number, confirm).timeout(FAR).await.map(Some)
                }
                .boxed();
                tokio::select! {
                    biased;
                    () = triggered.notified() => confirming.push(trigger),
                    done = &mut trigger => {
                        confirming.push(futures::future::ready(done).boxed());
                        triggered.notified().await;
                    }
                }
            }
            confirming
                .filter_map(|done| async { done.unwrap().map(counts) })
                .collect::<Vec<_>>()
                .await
        })
        .await;
        assert_eq!(confirmed.len() as u64, 2 * EVENTS / 3);
        // Its own, and the one there: which is accepted by its program, and maybe more than that.
        assert!(
            confirmed
                .iter()
                .all(|counts| [[2, 2, 0, 0], [2, 1, 0, 0]].contains(counts)),
            "{}",
            world.name
        );
        for number in 1..=EVENTS {
            let heard = soon("an event", hears.recv()).await.unwrap();
            assert_eq!(heard, (number, number), "{}", world.name);
        }
    }
}
