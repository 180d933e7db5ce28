//! Listeners that take nothing at all: they cost others their patience once, and are told what they lost.

use std::time::{Duration, Instant};

use sig_router::{ClientRouter, RemoteEventStream, Signal};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, client_of, connected, soon};

use crate::tally::Tally;

/// How long one without an event taken is waited for, and what a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(5);
const SLACK: Duration = Duration::from_secs(2);

/// Triggers until it was held up once and for `more` events after that; gives how many in all, and the longest wait.
async fn send_through_a_stall(signal: &Signal, more: u64) -> (u64, Duration) {
    let data = "x".repeat(1000);
    let (mut sent, mut longest, mut left) = (0, Duration::ZERO, None);
    while left != Some(0) {
        let began = Instant::now();
        signal.trigger(&data).await.unwrap();
        sent += 1;
        longest = longest.max(began.elapsed());
        if let Some(left) = &mut left {
            *left -= 1;
        } else if began.elapsed() > PATIENCE / 2 {
            left = Some(more);
        }
        assert!(sent < 200_000, "nothing held it up");
    }
    (sent, longest)
}

/// Takes events until this number of them came or was reported lost.
async fn hear_all(stream: &mut RemoteEventStream, sent: u64) -> Tally {
    let mut tally = Tally::default();
    while tally.received() + tally.lagged < sent {
        tally.take(soon("an event", stream.recv()).await.unwrap());
    }
    tally
}

struct World {
    server: TcpServer,
    publisher: ClientRouter,
    others: ClientRouter,
}

impl World {
    fn new() -> Self {
        let server = TcpServer::start();
        let (publisher, others) = (server.client(), server.client());
        Self {
            server,
            publisher,
            others,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_a_frozen_client_delays_the_others_once_and_is_told_what_it_lost() {
    let world = World::new();
    let proxy = Proxy::to(&world.server.address).await;
    let frozen = client_of(&proxy.address.to_string());
    let sender = world
        .publisher
        .add_remote_sender("s")
        .event("e")
        .connect()
        .await
        .unwrap();
    let signal = sender.signal("e").unwrap();
    let mut healthy = world.others.listen_remote("s/e").await.unwrap();
    let mut stuck = frozen.listen_remote("s/e").await.unwrap();
    // Another sender, of the same client, with a listener on the same link.
    let unaffected = world
        .publisher
        .add_remote_sender("t")
        .event("e")
        .connect()
        .await
        .unwrap();
    let unaffected = unaffected.signal("e").map(|signal| (signal, unaffected)).unwrap();
    let mut quick = world.others.listen_remote("t/e").await.unwrap();
    connected(&frozen).await;
    proxy.set(Cable::Deaf);

    let (done, ended) = tokio::sync::watch::channel(0);
    let sending = async {
        let (sent, longest) = send_through_a_stall(&signal, 2000).await;
        done.send_replace(sent);
        (sent, longest)
    };
    let hearing = async {
        let mut tally = Tally::default();
        loop {
            let sent = *ended.borrow();
            if sent > 0 && tally.received() == sent {
                return tally;
            }
            tally.take(soon("an event", healthy.recv()).await.unwrap());
        }
    };
    let meanwhile = async {
        let mut slowest = Duration::ZERO;
        let mut number = 0;
        while *ended.borrow() == 0 {
            number += 1;
            let began = Instant::now();
            unaffected.0.trigger(&number).await.unwrap();
            let event = soon("an event", quick.recv()).await.unwrap().unwrap();
            assert_eq!(event.number(), number);
            slowest = slowest.max(began.elapsed());
        }
        slowest
    };
    let ((sent, longest), tally, slowest) = tokio::join!(sending, hearing, meanwhile);
    assert!(longest < PATIENCE + SLACK, "held up for {longest:?}");
    assert!(
        slowest < Duration::from_secs(1),
        "another sender was held up for {slowest:?}"
    );
    assert_eq!((tally.missing(), tally.lagged), (0, 0));

    // It thaws. What was lost is reported with the next event that reaches it.
    proxy.set(Cable::Whole);
    let caught_up = async {
        let mut tally = Tally::default();
        let mut sent = sent;
        loop {
            tokio::select! {
                biased;
                delivery = stuck.recv() => {
                    if tally.take(delivery.unwrap()) == Some(sent) {
                        return (tally, sent);
                    }
                }
                // Something new, until it is through: it lags until it has taken all that waits.
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    signal.trigger(&0).await.unwrap();
                    sent += 1;
                }
            }
        }
    };
    let (tally, sent) = soon("it catches up", caught_up).await;
    assert!(tally.lagged > 0, "it lost something");
    assert_eq!(tally.received() + tally.lagged, sent, "received + lagged = sent");
    assert_eq!(tally.missing(), tally.lagged, "what is missing is what was reported");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_a_stream_that_nobody_reads_lags_and_its_neighbours_on_the_link_do_not() {
    let world = World::new();
    let sender = world
        .publisher
        .add_remote_sender("s")
        .event("e")
        .connect()
        .await
        .unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stuck = world.others.listen_remote("s/e").await.unwrap();
    let mut healthy = world.others.listen_remote("s/e").await.unwrap();
    let (done, ended) = tokio::sync::watch::channel(0);
    let sending = async {
        let (sent, longest) = send_through_a_stall(&signal, 2000).await;
        done.send_replace(sent);
        (sent, longest)
    };
    let hearing = async {
        let mut tally = Tally::default();
        loop {
            let sent = *ended.borrow();
            if sent > 0 && tally.received() == sent {
                return tally;
            }
            tally.take(soon("an event", healthy.recv()).await.unwrap());
        }
    };
    let ((sent, longest), tally) = tokio::join!(sending, hearing);
    assert!(longest < PATIENCE + SLACK, "held up for {longest:?}");
    assert_eq!((tally.missing(), tally.lagged), (0, 0));
    let tally = hear_all(&mut stuck, sent).await;
    assert!(tally.lagged > 0, "it lost something");
    assert_eq!(tally.received() + tally.lagged, sent, "received + lagged = sent");
    // Having caught up, it is a listener like any other.
    signal.trigger(&1).await.unwrap();
    assert_eq!(
        soon("an event", stuck.recv()).await.unwrap().unwrap().number(),
        sent + 1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_what_a_frozen_client_lost_is_counted_for_each_sender_by_itself() {
    let world = World::new();
    let proxy = Proxy::to(&world.server.address).await;
    let frozen = client_of(&proxy.address.to_string());
    let mut signals = Vec::new();
    let mut senders = Vec::new();
    let mut streams = Vec::new();
    for name in ["a", "b"] {
        let sender = world.server.router.add_sender(name).event("e").connect().unwrap();
        signals.push(sender.signal("e").unwrap());
        senders.push(sender);
        streams.push(frozen.listen_remote((name, "e")).await.unwrap());
    }
    connected(&frozen).await;
    proxy.set(Cable::Deaf);
    // The first fills the client's queue until that is given up; then both lose, in different numbers.
    let (mut sent_a, _) = send_through_a_stall(&signals[0], 300).await;
    let mut sent_b = 0;
    for _ in 0..70 {
        signals[1].trigger(&0).await.unwrap();
        sent_b += 1;
    }
    proxy.set(Cable::Whole);
    let catching_up = async {
        let mut tallies = [Tally::default(), Tally::default()];
        let (mut through_a, mut through_b) = (false, false);
        while !(through_a && through_b) {
            let [a, b] = &mut streams[..] else { unreachable!() };
            tokio::select! {
                biased;
                delivery = a.recv() => through_a |= tallies[0].take(delivery.unwrap()) == Some(sent_a),
                delivery = b.recv() => through_b |= tallies[1].take(delivery.unwrap()) == Some(sent_b),
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    signals[0].trigger(&0).await.unwrap();
                    signals[1].trigger(&0).await.unwrap();
                    (sent_a, sent_b) = (sent_a + 1, sent_b + 1);
                    (through_a, through_b) = (false, false);
                }
            }
        }
        tallies
    };
    let [a, b] = soon("it catches up", catching_up).await;
    assert!(a.lagged >= 300 && b.lagged >= 60, "{a:?} {b:?}");
    for (tally, sent) in [(a, sent_a), (b, sent_b)] {
        assert_eq!(
            tally.received() + tally.lagged,
            sent,
            "received + lagged = sent: {tally:?}"
        );
        assert_eq!(tally.missing(), tally.lagged, "what is missing is what was reported");
    }
}
