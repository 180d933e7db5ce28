//! Large payloads: nothing waits long behind them.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use sig_conformance::FaultyCarrier;
use sig_core::{Carrier, Schemes};
use sig_router::{ClientRouter, Payload, Request, ServerRouter};
use sig_tests::counted::counted;
use sig_tests::rig::{TcpServer, lasting_address, soon};
use sig_tests::trips::Trips;
use tokio::time::Instant;

const MEBIBYTE: usize = 1024 * 1024;

/// Bytes that tell where they were cut or mixed up.
fn data(size: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(size).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_all_sizes_arrive_whole_and_in_order() {
    let server = TcpServer::start();
    let (publisher, subscriber) = (server.client(), server.client());
    let mut here = server.router.listen("camera/frame").unwrap();
    let mut there = subscriber.listen_remote("camera/frame").await.unwrap();
    let camera = publisher
        .add_remote_sender("camera")
        .event("frame")
        .connect()
        .await
        .unwrap();
    let sizes = [
        1,
        65_535,
        65_536,
        65_537,
        0,
        3 * MEBIBYTE,
        7,
        200_000,
        131_072,
        5 * MEBIBYTE,
        1,
    ];
    let signal = camera.signal("frame").unwrap();
    let sending = tokio::spawn(async move {
        for (seed, size) in (0..).zip(sizes) {
            signal.trigger(&Payload::from_bytes(data(size, seed))).await.unwrap();
        }
        signal
    });
    for (seed, size) in (0..).zip(sizes) {
        for stream in [
            &mut here as &mut (dyn futures::Stream<Item = _> + Unpin + Send),
            &mut there,
        ] {
            let event: sig_router::Event<'_> = soon("an event", stream.next()).await.unwrap().unwrap();
            assert_eq!(event.number(), seed + 1);
            assert!(*event.bytes().unwrap() == *data(size, seed), "{size} bytes");
        }
    }
    drop(soon("all is sent", sending).await);
}

/// As a program or the command line names them.
fn schemes() -> Schemes {
    Schemes::new()
        .with("tcp", sig_carrier_tcp::TcpFactory::default())
        .with("ipc", sig_carrier_ipc::IpcFactory)
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_as_large_as_both_ends_allow() {
    const LARGER: usize = 20 * MEBIBYTE;
    let directory = tempfile::tempdir().unwrap();
    let tcp = format!("tcp://{}", lasting_address());
    let ipc = format!("ipc://{}", directory.path().join("large.sock").display());
    for url in [tcp, ipc] {
        let larger = format!("{url}?max_frame=64MiB");
        let server = ServerRouter::new().unwrap();
        let _serving = server.attach(schemes().listen(&larger).unwrap());
        let client = |url: &str| ClientRouter::connect(schemes().dial(url).unwrap()).unwrap();
        let (giver, taker, usual) = (client(&larger), client(&larger), client(&url));
        let mut whole = taker.listen_remote("camera/frame").await.unwrap();
        let mut missed = usual.listen_remote("camera/frame").await.unwrap();
        let camera = giver
            .add_remote_sender("camera")
            .event("frame")
            .connect()
            .await
            .unwrap();
        let signal = camera.signal("frame").unwrap();
        for (seed, size) in [(1, LARGER), (2, 1)] {
            signal.trigger(&Payload::from_bytes(data(size, seed))).await.unwrap();
            let event = soon("an event", whole.next()).await.unwrap().unwrap();
            assert!(*event.bytes().unwrap() == *data(size, seed), "{size} bytes over {url}");
        }
        // Who takes no such frames is told that one is missing, and sends none.
        let missing = soon("what is missing", missed.next()).await.unwrap().unwrap_err();
        assert_eq!(
            missing.to_string(),
            "1 of the events frame of sender camera were lost to this listener"
        );
        let event = soon("the next event", missed.next()).await.unwrap().unwrap();
        assert_eq!(event.number(), 2);
        let other = usual.add_remote_sender("other").event("frame").connect().await.unwrap();
        let too_large = Payload::from_bytes(data(LARGER, 3));
        let refused = other.signal("frame").unwrap().trigger(&too_large).await.unwrap_err();
        assert!(refused.to_string().contains("over the limit of 1677"), "{refused}");
    }
}

/// The client sends over a line on which that goes at one MiB in a second; the clock is to be paused.
fn slow_from_client() -> Trips {
    let (accepting, dialling, _) = counted();
    Trips::over(Arc::new(accepting), slowly(Arc::new(dialling)))
}

/// The same for what the server sends.
fn slow_from_server() -> Trips {
    let (accepting, dialling, _) = counted();
    Trips::over(Arc::new(slowly(Arc::new(accepting))), dialling)
}

fn slowly(carrier: Arc<dyn Carrier>) -> FaultyCarrier {
    FaultyCarrier::new(carrier, 1).rate_limit(MEBIBYTE as u64)
}

/// What one chunk takes on the slow line, and a little more for its header.
const CHUNK: Duration = Duration::from_micros(62_600);

#[tokio::test(start_paused = true)]
async fn a_request_waits_at_most_for_two_chunks_of_an_event_on_its_way_out() {
    let slow = slow_from_client();
    let mut frames = slow.server.listen("camera/frame").unwrap();
    let camera = slow
        .client
        .add_remote_sender("camera")
        .event("frame")
        .connect()
        .await
        .unwrap();
    let idle = slow.trip().await;
    let frame = Payload::from_bytes(data(MEBIBYTE, 1));
    camera.signal("frame").unwrap().trigger(&frame).await.unwrap();
    for trip in 0..5 {
        let took = slow.trip().await;
        assert!(took <= idle + 2 * CHUNK, "trip {trip}: {took:?}, idle {idle:?}");
        assert!(frames.is_empty(), "the event is still under way");
    }
    let event = frames.next().await.unwrap().unwrap();
    assert!(event.payload().unwrap().bytes() == frame.bytes());
}

#[tokio::test(start_paused = true)]
async fn a_reply_waits_at_most_for_two_chunks_of_an_event_on_its_way_in() {
    let slow = slow_from_server();
    let mut frames = slow.client.listen_remote("camera/frame").await.unwrap();
    let camera = slow.server.add_sender("camera").event("frame").connect().unwrap();
    let idle = slow.trip().await;
    let frame = Payload::from_bytes(data(MEBIBYTE, 2));
    camera.signal("frame").unwrap().trigger(&frame).await.unwrap();
    for trip in 0..5 {
        let took = slow.trip().await;
        assert!(took <= idle + 2 * CHUNK, "trip {trip}: {took:?}, idle {idle:?}");
        assert!(frames.is_empty(), "the event is still under way");
    }
    let event = frames.next().await.unwrap().unwrap();
    assert!(event.payload().unwrap().bytes() == frame.bytes());
}

#[tokio::test(start_paused = true)]
async fn events_and_small_requests_pass_a_large_request() {
    let slow = slow_from_client();
    let store = slow
        .server
        .add_sender("store")
        .request("put", |request: Request| Ok(request.params::<String>()?.len()))
        .connect()
        .unwrap();
    let mut ticks = slow.server.listen("timer/tick").unwrap();
    let timer = slow
        .client
        .add_remote_sender("timer")
        .event("tick")
        .connect()
        .await
        .unwrap();
    let idle = slow.trip().await;
    let text = "x".repeat(MEBIBYTE);
    let client = slow.client.clone();
    let putting = tokio::spawn(async move { client.remote_request("store", "put", &text).await });
    tokio::task::yield_now().await;
    let began = Instant::now();
    timer.signal("tick").unwrap().trigger(&1).await.unwrap();
    ticks.next().await.unwrap().unwrap();
    assert!(began.elapsed() <= idle + 2 * CHUNK, "{:?}", began.elapsed());
    let took = slow.trip().await;
    assert!(took <= idle + 2 * CHUNK, "{took:?}");
    assert!(!putting.is_finished());
    let reply = putting.await.unwrap().unwrap();
    assert_eq!(reply.parse::<usize>().unwrap(), MEBIBYTE);
    drop(store);
}
