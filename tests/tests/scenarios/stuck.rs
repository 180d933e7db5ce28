//! W3: one stuck listener delays nobody else, and is named.

use std::sync::Mutex;
use std::sync::mpsc as blocking;
use std::time::{Duration, Instant};

use sig_router::Event;
use sig_tests::log::Log;
use sig_tests::rig::{TcpServer, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn w3_a_stuck_listener_does_not_delay_the_others() {
    const COUNT: u64 = 500;
    let server = TcpServer::start();
    let (publisher, client) = (server.client(), server.client());
    let (release, stuck) = blocking::sync_channel::<()>(0);
    let stuck = Mutex::new(stuck);
    let _stuck = client
        .add_remote_listener("s/e", move |_: &Event<'_>| {
            let _ = stuck.lock().unwrap().recv();
        })
        .await
        .unwrap();
    let mut same_client = client.listen_remote("s/e").await.unwrap();
    let other = server.client();
    let mut other_client = other.listen_remote("s/e").await.unwrap();
    let mut near = server.router.listen("s/e").unwrap();
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let began = Instant::now();
    for n in 0..COUNT {
        signal.trigger(&n).await.unwrap();
    }
    for number in 1..=COUNT {
        for event in [same_client.recv().await, other_client.recv().await, near.recv().await] {
            assert_eq!(event.unwrap().unwrap().number(), number);
        }
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // A request on the same link is not held up either.
    soon("an answer", client.remote_version()).await.unwrap();
    drop(release);
}

#[tokio::test]
async fn w3_a_stuck_listener_is_named_in_the_log() {
    let log = Log::capture();
    let server = TcpServer::start();
    let (publisher, client) = (server.client(), server.client());
    // Its place is its name.
    let _never_read = client.listen_remote("s/e").await.unwrap();
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let sending = async {
        for n in 0..1_000_000_u64 {
            signal.trigger(&n).await.unwrap();
        }
    };
    tokio::select! {
        () = sending => panic!("nothing held it up"),
        line = soon("a warning", log.line("does not keep up")) => assert!(line.contains("stuck.rs"), "{line}"),
    }
}
