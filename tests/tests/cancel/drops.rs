//! Every public future, dropped everywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sig_router::{Event, Listen, Policy, RequestError};
use sig_tests::rig::{holds, soon};

use super::{World, dropped_everywhere};

/// What the world's own listener at the client is counted as.
const OWN_LISTENERS: usize = 1;

fn listeners(world: &World) -> usize {
    world
        .server
        .router
        .clients()
        .iter()
        .map(|client| client.listeners)
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_listening_leaves_nothing_behind() {
    let world = World::new().await;
    let client = world.client.clone();
    let (stream, drops) = dropped_everywhere("listening", || client.listen_remote("busy")).await;
    assert!(drops > 1);
    let mut stream = stream.unwrap();
    soon("an event", stream.recv()).await.unwrap().unwrap();
    stream.unlisten().await;
    let (listener, drops) =
        dropped_everywhere("listening", || client.add_remote_listener("busy", |_: &Event<'_>| {})).await;
    assert!(drops > 1);
    listener.unwrap().unlisten().await;
    holds("the others are gone", || listeners(&world) == OWN_LISTENERS).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_unlistening_ends_it_all_the_same() {
    let world = World::new().await;
    let mut drops = 0;
    loop {
        let stream = world.client.listen_remote("busy").await.unwrap();
        let mut stream = Some(stream);
        let unlisten = super::DroppedAfter {
            future: Some(Box::pin(stream.take().unwrap().unlisten())),
            polls: drops + 1,
        };
        let ended = soon("unlistening", unlisten).await;
        let listener = world
            .client
            .add_remote_listener("busy/tic", |_: &Event<'_>| {})
            .await
            .unwrap();
        let unlisten = super::DroppedAfter {
            future: Some(Box::pin(listener.unlisten())),
            polls: drops + 1,
        };
        let also_ended = soon("unlistening", unlisten).await;
        holds("it is gone", || listeners(&world) == OWN_LISTENERS).await;
        if ended.is_some() && also_ended.is_some() {
            break;
        }
        drops += 1;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_a_sender_that_is_not_added_leaves_its_name_free() {
    let world = World::new().await;
    let client = world.client.clone();
    let add = || client.add_remote_sender("mine").event("e").connect();
    let (sender, drops) = dropped_everywhere("adding a sender", add).await;
    assert!(drops > 1);
    let sender = sender.unwrap();
    let other = world.server.client();
    assert!(
        other.add_remote_sender("mine").event("e").connect().await.is_err(),
        "it is there"
    );
    // Removed at the first poll, whatever becomes of the rest.
    let removing = super::DroppedAfter {
        future: Some(Box::pin(sender.remove())),
        polls: 1,
    };
    soon("removing", removing).await;
    let free = async {
        while other.add_remote_sender("mine").event("e").connect().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon("its name", free).await;
    let named = client.add_remote_sender("named").event("e").connect().await.unwrap();
    dropped_everywhere("removing by name", || client.remove_remote_sender("named"))
        .await
        .0
        .unwrap();
    drop(named);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_requests_are_given_up() {
    let world = World::new().await;
    let client = world.client.clone();
    let running = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&running);
    let _slow = world
        .server
        .router
        .add_sender("slow")
        .request_async("wait", move |_| {
            let counter = Arc::clone(&counter);
            async move {
                counter.fetch_add(1, Ordering::SeqCst);
                let _guard = scopeguard(counter);
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(1)
            }
        })
        .connect()
        .unwrap();
    for _ in 0..20 {
        let (answer, drops) =
            dropped_everywhere("a request", || client.remote_request("slow", "wait", &()).into_future()).await;
        assert!(drops > 1 && answer.unwrap().parse::<i32>().unwrap() == 1);
        let asked = world.server.router.clone();
        let (answer, _) = dropped_everywhere("a request", || asked.request("slow", "wait", &()).into_future()).await;
        answer.unwrap();
    }
    holds("every handler is at its end", || running.load(Ordering::SeqCst) == 0).await;
    dropped_everywhere("a list", || client.list_remote_senders())
        .await
        .0
        .unwrap();
    dropped_everywhere("a version", || client.remote_version())
        .await
        .0
        .unwrap();
    let (nobody, _) = dropped_everywhere("a request", || client.remote_request("nobody", "x", &()).into_future()).await;
    assert!(matches!(nobody, Err(RequestError::NoSuchSender { .. })));
    world.end().await;
}

/// Counts down when it is dropped.
fn scopeguard(counter: Arc<AtomicU64>) -> impl Drop {
    struct Guard(Arc<AtomicU64>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    Guard(counter)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_receiving_loses_nothing_and_triggering_does_nothing_by_halves() {
    let world = World::new().await;
    let sender = world.server.router.add_sender("counted").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let listen = Listen::to("counted/e")
        .unwrap()
        .capacity(2)
        .policy(Policy::Block(Duration::from_secs(60)));
    let mut stream = world.client.listen_remote(listen).await.unwrap();
    let triggering = async {
        let mut triggered = 0;
        for n in 0..300 {
            let trigger = super::DroppedAfter {
                future: Some(Box::pin(signal.trigger(&n))),
                polls: n % 4 + 1,
            };
            triggered += u64::from(soon("triggering", trigger).await.is_some());
            tokio::task::yield_now().await;
        }
        // Those that were dropped were not triggered: the numbers have no gap.
        signal.trigger(&usize::MAX).await.unwrap();
        triggered + 1
    };
    let receiving = async {
        let (mut received, mut polls) = (0, 0);
        loop {
            polls = (polls + 1) % 3;
            let receive = super::DroppedAfter {
                future: Some(Box::pin(stream.recv())),
                polls,
            };
            let Some(item) = soon("an event", receive).await else {
                tokio::task::yield_now().await;
                continue;
            };
            let event = item.unwrap().unwrap();
            received += 1;
            assert_eq!(event.number(), received);
            if event.decode::<usize>().unwrap() == usize::MAX {
                return received;
            }
        }
    };
    let (triggered, received) = tokio::join!(triggering, receiving);
    assert_eq!(triggered, received);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_waiting_for_a_link_and_ending_it_can_be_begun_again() {
    let world = World::new().await;
    let client = world.server.client();
    let ready = || client.ready(Duration::from_secs(20));
    dropped_everywhere("a link", ready).await.0.unwrap();
    let closing = || client.close(Duration::from_secs(2));
    dropped_everywhere("closing a client", closing).await;
    assert!(client.ready(Duration::from_secs(1)).await.is_err());

    let hub = sig_router::ServerRouter::new().unwrap();
    let carrier = hub.attach(Arc::new(sig_carrier_tcp::listen("127.0.0.1:0").unwrap()));
    dropped_everywhere("stopping a carrier", || carrier.stop()).await;
    let closing = || hub.close(Duration::from_secs(2));
    dropped_everywhere("closing a server", closing).await;
    world.end().await;
}
