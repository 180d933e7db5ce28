//! Functions that block, as many as there are worker threads and more: links, requests and other listeners go on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use sig_router::{ClientRouter, Event, LinkState, RemoteListener, Request, Signal};
use sig_tests::rig::{WAIT, beating_client, beating_server, connected, holds, soon};

use crate::support::Place;

/// A dead peer is noticed after two of these and a bit.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// How long a round trip may take while others block.
const QUICK: Duration = Duration::from_millis(50);

const BLOCKING: usize = 16;

/// Adds functions that block for a time, or until the channel is closed, with each event of `s/e`.
async fn blocking(
    client: &ClientRouter,
    count: usize,
    block: impl Fn() + Send + Sync + 'static,
) -> Vec<RemoteListener> {
    let block = Arc::new(block);
    let mut listeners = Vec::new();
    for _ in 0..count {
        let block = Arc::clone(&block);
        let listener = client.add_remote_listener("s/e", move |_: &Event<'_>| block());
        listeners.push(listener.await.unwrap());
    }
    listeners
}

/// How long an event to oneself takes over the server, and a request to it.
async fn round_trip(client: &ClientRouter, signal: &Signal, stream: &mut sig_router::RemoteEventStream) -> Duration {
    let began = Instant::now();
    signal.trigger(&1).await.unwrap();
    soon("an event", stream.recv()).await.unwrap().unwrap();
    soon("an answer", client.remote_request("echo", "echo", &1))
        .await
        .unwrap();
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn functions_that_block_hold_up_nobody_else() {
    let server = beating_server(HEARTBEAT);
    let _echo = server
        .router
        .add_sender("echo")
        .request("echo", |request: Request| Ok(request.params::<u64>()?))
        .connect()
        .unwrap();
    let (slow, third) = (
        beating_client(&server.address, HEARTBEAT),
        beating_client(&server.address, HEARTBEAT),
    );
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&calls);
    let _listeners = blocking(&slow, BLOCKING, move || {
        counting.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(200));
    })
    .await;
    let mut stream = third.listen_remote("third/e").await.unwrap();
    let own = third.add_remote_sender("third").event("e").connect().await.unwrap();
    let (signal, mut links) = (own.signal("e").unwrap(), [slow.states(), third.states()]);
    connected(&slow).await;
    connected(&third).await;
    links.iter_mut().for_each(|link| drop(link.borrow_and_update()));

    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    for n in 0..5 {
        sender.signal("e").unwrap().trigger(&n).await.unwrap();
    }
    let (mut trips, began) = (Vec::new(), Instant::now());
    while calls.load(Ordering::SeqCst) < 5 * BLOCKING {
        assert!(began.elapsed() < WAIT, "{} calls", calls.load(Ordering::SeqCst));
        trips.push(round_trip(&third, &signal, &mut stream).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // All at the same time: not one after the other in as many threads as there are workers.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    // The machine may be busy with something else once in a while.
    trips.sort();
    assert!(trips.len() > 10, "{trips:?}");
    assert!(trips[trips.len() * 9 / 10] < QUICK, "{trips:?}");
    for link in &links {
        let unbroken = link.has_changed().is_ok_and(|changed| !changed);
        assert!(
            unbroken && *link.borrow() == LinkState::Connected,
            "{:?}",
            link.borrow()
        );
    }
}

/// What a function has triggered goes out before it returns, on however few threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_function_triggers_goes_out_although_it_blocks() {
    let server = beating_server(Duration::from_secs(10));
    let (asking, other) = (
        beating_client(&server.address, Duration::from_secs(10)),
        beating_client(&server.address, Duration::from_secs(10)),
    );
    let question = asking.add_remote_sender("q").event("asked").connect().await.unwrap();
    let (asked, (answer, answered)) = (question.signal("asked").unwrap(), mpsc::sync_channel(1));
    let (tell, told) = mpsc::sync_channel(1);
    let answered = Mutex::new(answered);
    let _asking = asking
        .add_remote_listener("s/e", move |_: &Event<'_>| {
            asked.blocking_trigger(&1).unwrap();
            // Without anything of ours.
            tell.send(answered.lock().unwrap().recv_timeout(WAIT)).unwrap();
        })
        .await
        .unwrap();
    let _answering = other
        .add_remote_listener("q/asked", move |_: &Event<'_>| answer.send(7).unwrap())
        .await
        .unwrap();
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    sender.signal("e").unwrap().trigger(&1).await.unwrap();
    let answer = tokio::task::spawn_blocking(move || told.recv_timeout(WAIT));
    assert_eq!(answer.await.unwrap(), Ok(Ok(7)));
}

/// A runtime has only so many threads for what blocks: functions that wait for their turn do not take them all.
#[test]
fn more_stuck_functions_than_there_are_threads() {
    // On a thread of its own: timeouts of a runtime that is stuck are stuck as well.
    crate::support::soon("all of it", with_stuck_functions);
}

fn with_stuck_functions() {
    const STUCK: usize = 200;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(150)
        .enable_all()
        .build()
        .unwrap();
    let (release, stuck) = mpsc::sync_channel::<()>(0);
    runtime.block_on(async move {
        let server = beating_server(HEARTBEAT);
        let _echo = server
            .router
            .add_sender("echo")
            .request("echo", |request: Request| Ok(request.params::<u64>()?))
            .connect()
            .unwrap();
        let (slow, third) = (server.client(), server.client());
        let (calls, stuck) = (Arc::new(AtomicUsize::new(0)), Mutex::new(stuck));
        let counting = Arc::clone(&calls);
        let _listeners = blocking(&slow, STUCK, move || {
            counting.fetch_add(1, Ordering::SeqCst);
            let _ = stuck.lock().unwrap().recv();
        })
        .await;
        let mut stream = third.listen_remote("third/e").await.unwrap();
        let own = third.add_remote_sender("third").event("e").connect().await.unwrap();
        let signal = own.signal("e").unwrap();
        let sender = server.router.add_sender("s").event("e").connect().unwrap();
        sender.signal("e").unwrap().trigger(&1).await.unwrap();
        holds("the functions run", || calls.load(Ordering::SeqCst) >= 100).await;
        for _ in 0..20 {
            round_trip(&third, &signal, &mut stream).await;
        }
        // The others have their turn as soon as there is one.
        drop(release);
        holds("all of them ran", || calls.load(Ordering::SeqCst) == STUCK).await;
    });
    runtime.shutdown_background();
}

/// Functions that listen may all wait for one that answers.
#[test]
fn a_function_answers_although_all_that_may_block_do() {
    crate::support::soon("the answer", || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(asking_those_that_all_block());
        runtime.shutdown_background();
    });
}

async fn asking_those_that_all_block() {
    const MAY_BLOCK: usize = 128;
    let server = beating_server(HEARTBEAT);
    let client = server.client();
    let (release, stuck) = mpsc::sync_channel::<()>(0);
    let (calls, stuck) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(stuck)));
    let block = || {
        let (calls, stuck) = (Arc::clone(&calls), Arc::clone(&stuck));
        move |_: &Event<'_>| {
            calls.fetch_add(1, Ordering::SeqCst);
            let _ = stuck.lock().unwrap().recv();
        }
    };
    let _listeners: Vec<_> = (0..MAY_BLOCK)
        .map(|_| server.router.add_listener("s/e", block()).unwrap())
        .collect();
    let release = Mutex::new(Some(release));
    let _releasing = server
        .router
        .add_sender("release")
        .request("them", move |_: Request| Ok(release.lock().unwrap().take().is_some()))
        .connect()
        .unwrap();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    sender.signal("e").unwrap().trigger(&1).await.unwrap();
    holds("all of them block", || calls.load(Ordering::SeqCst) == MAY_BLOCK).await;
    let released = client.remote_request("release", "them", &()).timeout(WAIT).await;
    assert!(released.unwrap().parse::<bool>().unwrap());
}

/// The same with the threads that a blocking router brings along.
#[test]
fn functions_of_a_blocking_router_that_block_hold_up_nobody_else() {
    for place in Place::all() {
        let (slow, third) = (place.client(), place.client());
        let (release, stuck) = mpsc::sync_channel::<()>(0);
        let stuck = Mutex::new(stuck);
        let (calls, stuck) = (Arc::new(AtomicUsize::new(0)), Arc::new(stuck));
        let block = || {
            let (calls, stuck) = (Arc::clone(&calls), Arc::clone(&stuck));
            move |_: &Event<'_>| {
                calls.fetch_add(1, Ordering::SeqCst);
                let _ = stuck.lock().unwrap().recv();
            }
        };
        let _far: Vec<_> = (0..BLOCKING)
            .map(|_| slow.add_remote_listener("s/e", block()).unwrap())
            .collect();
        let _near: Vec<_> = (0..BLOCKING)
            .map(|_| place.server.add_listener("s/e", block()).unwrap())
            .collect();
        let mut stream = third.listen_remote("s/e").unwrap();
        let sender = third.add_remote_sender("s").event("e").connect().unwrap();
        let signal = sender.signal("e").unwrap();
        for n in 1..=100_u64 {
            signal.trigger(&n).unwrap();
            let event = stream.get(WAIT).unwrap().expect("an event");
            assert_eq!(event.number(), n, "over {}", place.medium);
        }
        // A request on the link of those that are stuck.
        slow.remote_version().unwrap();
        let began = Instant::now();
        while calls.load(Ordering::SeqCst) < 2 * BLOCKING {
            assert!(began.elapsed() < WAIT, "{} of them run", calls.load(Ordering::SeqCst));
            std::thread::yield_now();
        }
        drop(release);
    }
}
