//! `Block(50 ms)`: what a frozen listener costs its sender, and that it costs no other.
//!
//! On a paused clock, so that only waiting takes time: what is above 50 ms is the millisecond of the timers at each hop.

use std::time::Duration;

use sig_router::{Listen, Policy, Router, Signal};
use sig_tests::rig::{TcpServer, connected};
use tokio::time::{Instant, sleep};

use crate::account::{Account, Stream};
use crate::virtually::{World, timed};

const PATIENCE: Duration = Duration::from_millis(50);

/// How many events wait until a sender has to.
const CAPACITY: usize = 1024;

/// Timers know milliseconds, and each of up to three routers rounds up once.
const ROUNDING: Duration = Duration::from_millis(3);

fn listen() -> Listen {
    Listen::to("s/e")
        .unwrap()
        .capacity(CAPACITY)
        .policy(Policy::Block(PATIENCE))
}

/// Triggers so many; gives each time it was held up.
async fn held_up(signal: &Signal, count: u64, data: &str) -> Vec<Duration> {
    let mut held_up = Vec::new();
    for _ in 0..count {
        let took = timed(signal, data).await;
        if !took.is_zero() {
            held_up.push(took);
        }
    }
    held_up
}

/// One episode is one stall of the patience at most; nobody waits for what is not full.
fn assert_one_stall(held_up: &[Duration]) {
    assert!(!held_up.is_empty(), "the frozen listener was not waited for");
    let all: Duration = held_up.iter().sum();
    assert!(all >= PATIENCE - ROUNDING && all <= PATIENCE + ROUNDING, "{held_up:?}");
}

/// Another sender's longest trigger, until the first has stalled and gone on.
async fn meanwhile(signal: &Signal) -> Duration {
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < 4 * PATIENCE {
        sleep(Duration::from_millis(1)).await;
        longest = longest.max(timed(signal, "other").await);
    }
    longest
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_frozen_stream_is_waited_for_once_an_episode() {
    let router = Router::new();
    let s = router.add_sender("s").event("e").connect().unwrap();
    let t = router.add_sender("t").event("e").connect().unwrap();
    let (s_e, t_e) = (s.signal("e").unwrap(), t.signal("e").unwrap());
    let mut stuck = router.listen(listen()).unwrap();
    let mut account = Account::default();
    let mut sent = 0;
    // A second episode begins when it has caught up.
    for _ in 0..2 {
        let (held_up, other) = tokio::join!(held_up(&s_e, 5000, "x"), meanwhile(&t_e));
        sent += 5000;
        assert_one_stall(&held_up);
        assert_eq!(other, Duration::ZERO, "another sender was held up");
        account.hear(&mut stuck, sent).await;
    }
    assert_eq!(account.received, 2 * CAPACITY as u64);
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_frozen_stream_of_a_client_is_waited_for_once_an_episode() {
    let world = World::new();
    let (publisher, client, others) = (world.client(), world.client(), world.client());
    let s = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let t = publisher.add_remote_sender("t").event("e").connect().await.unwrap();
    let (s_e, t_e) = (s.signal("e").unwrap(), t.signal("e").unwrap());
    let mut stuck = client.listen_remote(listen()).await.unwrap();
    // On the very link that is held up for `s`, and on another.
    let mut quick = [
        client.listen_remote("t/e").await.unwrap(),
        others.listen_remote("t/e").await.unwrap(),
    ];
    let mut healthy = others.listen_remote("s/e").await.unwrap();
    // More than the publisher may have under way at once.
    let data = "x".repeat(200);
    let (mut account, mut sent) = (Account::default(), 0);
    for _ in 0..2 {
        let healthily = async {
            let mut account = Account::after(sent);
            account.hear(&mut healthy, 5000).await;
            assert_eq!(account.lost, 0);
        };
        let (held_up, other, ()) = tokio::join!(held_up(&s_e, 5000, &data), meanwhile(&t_e), healthily);
        sent += 5000;
        assert_one_stall(&held_up);
        assert_eq!(other, Duration::ZERO, "another sender was held up");
        account.hear(&mut stuck, sent).await;
        for quick in &mut quick {
            while !quick.is_empty() {
                quick.next().await.unwrap();
            }
            assert_eq!(quick.stats().lost, 0);
        }
    }
    assert!(account.lost > 0);
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_frozen_client_is_waited_for_once_an_episode() {
    let world = World::new();
    let (publisher, others) = (world.client(), world.client());
    let (frozen, valve) = world.client_behind_a_valve();
    let s = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let t = publisher.add_remote_sender("t").event("e").connect().await.unwrap();
    let (s_e, t_e) = (s.signal("e").unwrap(), t.signal("e").unwrap());
    let mut stuck = frozen.listen_remote(listen()).await.unwrap();
    let mut healthy = others.listen_remote("s/e").await.unwrap();
    let mut quick = others.listen_remote("t/e").await.unwrap();
    connected(&frozen).await;
    let data = "x".repeat(1000);
    let (mut account, mut sent) = (Account::default(), 0);
    for _ in 0..2 {
        valve.close();
        let healthily = async {
            let mut account = Account::after(sent);
            account.hear(&mut healthy, 3000).await;
            assert_eq!(account.lost, 0);
        };
        let (held_up, other, ()) = tokio::join!(held_up(&s_e, 3000, &data), meanwhile(&t_e), healthily);
        sent += 3000;
        assert_one_stall(&held_up);
        assert_eq!(other, Duration::ZERO, "another sender was held up");
        valve.let_out(1 << 30);
        account.hear(&mut stuck, sent).await;
    }
    assert!(account.lost > 0);
    while !quick.is_empty() {
        quick.next().await.unwrap();
    }
    assert_eq!(quick.stats().lost, 0);
}

/// The same once by the real clock. A busy machine adds what it adds; the patience of others would be five seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_over_tcp_a_frozen_stream_is_waited_for_once() {
    const BUSY: Duration = Duration::from_secs(2);
    let server = TcpServer::start();
    let (publisher, client) = (server.client(), server.client());
    let s = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = s.signal("e").unwrap();
    let mut stuck = client.listen_remote(listen()).await.unwrap();
    let mut longest = Duration::ZERO;
    let sent = 20_000;
    let data = "x".repeat(200);
    for _ in 0..sent {
        longest = longest.max(timed(&signal, &data).await);
    }
    assert!(longest <= PATIENCE + BUSY, "held up for {longest:?}");
    let mut account = Account::default();
    account.hear(&mut stuck, sent).await;
    assert!(account.lost > 0);
}
