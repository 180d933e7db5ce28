//! A reader that is slow but reads: its publisher waits for it.

use std::time::{Duration, Instant};

use sig_router::TriggerError;
use sig_tests::rig::{TcpServer, soon};

use crate::tally::Tally;

/// A listener's queue, what its router may have under way to it, and what the publisher may have under way: each is
/// bounded in bytes, so this is what may wait of events of 1 KiB, with room to spare.
const MOST_WAITING: usize = 20 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_a_publisher_that_outruns_its_reader_loses_nothing_and_piles_nothing_up() {
    const COUNT: u64 = 60_000;
    let server = TcpServer::start();
    let (publisher, listener) = (server.client(), server.client());
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = listener.listen_remote("s/e").await.unwrap();
    let data = "x".repeat(1000);
    let mut sent = 0;
    // Nobody reads: after some megabytes there is no room.
    while signal.try_trigger(&data).is_ok() {
        sent += 1;
        assert!(sent < MOST_WAITING as u64, "no end of room");
        // Its link has a turn.
        tokio::task::yield_now().await;
    }
    let sending = async {
        while sent < COUNT {
            signal.trigger(&data).await.unwrap();
            sent += 1;
        }
    };
    let reading = async {
        let (mut tally, mut most) = (Tally::default(), 0);
        while tally.received() < COUNT {
            most = most.max(stream.len());
            tally.take(soon("an event", stream.recv()).await.unwrap());
        }
        (tally, most)
    };
    let ((), (tally, most)) = tokio::join!(sending, reading);
    assert_eq!((tally.missing(), tally.lagged), (0, 0));
    assert!(most <= MOST_WAITING, "{most} events waited");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_a_slow_reader_sets_the_pace_for_as_long_as_it_takes() {
    let server = TcpServer::start();
    let (publisher, listener) = (server.client(), server.client());
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = listener.listen_remote("s/e").await.unwrap();
    let data = "x".repeat(60_000);
    let began = Instant::now();
    // Longer than any patience: a reader that takes one now and then is never given up.
    let lasts = Duration::from_secs(9);
    let (done, ended) = tokio::sync::watch::channel(None);
    let sending = async {
        let (mut sent, mut waited) = (0_u64, 0);
        while began.elapsed() < lasts {
            match signal.try_trigger(&data) {
                Ok(()) => {}
                Err(TriggerError::Busy { .. }) => {
                    waited += 1;
                    signal.trigger(&data).await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
            sent += 1;
        }
        done.send_replace(Some(sent));
        waited
    };
    let reading = async {
        let mut tally = Tally::default();
        while ended.borrow().is_none_or(|sent| tally.received() < sent) {
            tally.take(soon("an event", stream.recv()).await.unwrap());
            if ended.borrow().is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        tally
    };
    let (waited, tally) = tokio::join!(sending, reading);
    // Each wait is for half a queue: how many fit into the time is the machine's business.
    assert!(waited > 0, "the reader was not outrun");
    assert_eq!((tally.missing(), tally.lagged), (0, 0));
}
