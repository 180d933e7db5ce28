//! What remains: removing senders, asking for last values, and what is local.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sig_router::{AddSenderError, Event, Request};
use sig_tests::rig::{holds, soon};

use super::{DroppedAfter, World, dropped_everywhere};

/// Drops what `make` gives at its first wait, at its second, and so on, each time with another thing to do it to.
async fn each_time<T, F: Future>(mut next: impl AsyncFnMut() -> T, mut make: impl FnMut(T) -> F) -> usize {
    for polls in 0.. {
        let future = Some(Box::pin(make(next().await)));
        if soon("its end", DroppedAfter { future, polls }).await.is_some() {
            return polls;
        }
    }
    unreachable!("a future that never ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_a_sender_is_removed_though_nobody_waits_for_it() {
    let world = World::new().await;
    let client = world.client.clone();
    let add = async || loop {
        match client.add_remote_sender("mine").event("e").connect().await {
            Ok(sender) => return sender,
            // The one before is on its way out.
            Err(AddSenderError::NameTaken { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    let drops = each_time(add, |sender| sender.remove()).await;
    assert!(drops > 1, "{drops}");
    let is_there = || {
        world
            .server
            .router
            .senders()
            .iter()
            .any(|sender| sender.name.as_str() == "mine")
    };
    holds("it is gone", || !is_there()).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_a_last_value_can_be_asked_for_again() {
    let world = World::new().await;
    let sender = world.server.router.add_sender("gauge").event("volt").keep_last();
    let sender = sender.connect().unwrap();
    sender.signal("volt").unwrap().trigger(&5).await.unwrap();
    let client = world.client.clone();
    let (last, drops) = dropped_everywhere("a last value", || client.last_remote("gauge", "volt")).await;
    assert!(drops > 1, "{drops}");
    assert_eq!(last.unwrap().unwrap().decode::<u32>().unwrap(), 5);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_a_local_stream_and_a_local_function_lose_nothing() {
    let world = World::new().await;
    let router = world.server.router.clone();
    let sender = router.add_sender("near").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = router.listen("near/e").unwrap();
    let mut last = 0;
    for n in 1..=300_u64 {
        // Before there is anything to take.
        for polls in [0, 1, 1] {
            let future = Some(Box::pin(stream.recv()));
            assert!(DroppedAfter { future, polls }.await.is_none());
        }
        signal.trigger(&n).await.unwrap();
        let event = soon("an event", stream.recv()).await.unwrap().unwrap();
        assert_eq!(event.number(), last + 1);
        last = event.number();
    }
    // A function at the server hears another client's sender on a task of its own.
    let calls = Arc::new(AtomicUsize::new(0));
    let listen = async || {
        let (before, counter) = (calls.load(Ordering::SeqCst), Arc::clone(&calls));
        let called = move |_: &Event<'_>| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_micros(200));
        };
        let listener = router.add_listener("busy/tic", called).unwrap();
        holds("a call", || calls.load(Ordering::SeqCst) > before).await;
        listener
    };
    for _ in 0..20 {
        each_time(&listen, |listener| listener.unlisten()).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_11_a_handler_may_ask_again_whether_anybody_waits() {
    let world = World::new().await;
    let [calls, told] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let (called, count) = (Arc::clone(&calls), Arc::clone(&told));
    let handler = move |request: Request| {
        let (called, count) = (Arc::clone(&called), Arc::clone(&count));
        async move {
            for polls in [0, 1, 1, 1] {
                let future = Some(Box::pin(request.cancelled()));
                assert!(DroppedAfter { future, polls }.await.is_none(), "somebody waits");
            }
            called.fetch_add(1, Ordering::SeqCst);
            // What it started elsewhere is told when the asker goes.
            tokio::spawn(async move {
                request.cancelled().await;
                count.fetch_add(1, Ordering::SeqCst);
            });
            std::future::pending::<Result<(), _>>().await
        }
    };
    let sender = world.server.router.add_sender("slow").request_async("wait", handler);
    let _sender = sender.connect().unwrap();
    for asked in 1..=20 {
        // Dropped once it was asked, or at the deadline.
        let asking = world.client.remote_request("slow", "wait", &());
        let asking = asking.timeout(Duration::from_millis(500)).into_future();
        tokio::select! {
            answer = asking => assert!(answer.is_err()),
            () = holds("it is asked", || calls.load(Ordering::SeqCst) == asked), if asked % 4 != 0 => {}
        }
        holds("it is told", || told.load(Ordering::SeqCst) == asked).await;
    }
    world.end().await;
}
