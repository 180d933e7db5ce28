//! `Rate(20)` on an event of 1 kHz: 20 a second reach the listener, and no more are sent to its client.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sig_router::{Listen, Policy, RemoteEventStream, ServerRouter, Signal};
use sig_tests::counted::counted;
use sig_tests::raw::{Incoming, Raw};
use sig_tests::rig::{TcpServer, client_over, soon};
use tokio::time::{Instant, interval, sleep, timeout};

use crate::account::Account;
use crate::virtually::{World, trigger_now};

fn listen() -> Listen {
    Listen::to("s/e").unwrap().policy(Policy::Rate(20.0))
}

async fn at_a_kilohertz(signal: &Signal, count: u64) {
    let mut ticks = interval(Duration::from_millis(1));
    for n in 1..=count {
        ticks.tick().await;
        trigger_now(signal, n);
    }
}

/// When each one came, in seconds, until so many are accounted for.
async fn hear(stream: &mut RemoteEventStream, account: &mut Account, total: u64) -> Vec<f64> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while account.total() < total {
        let delivery = soon("an event", stream.recv()).await.unwrap();
        account.take(&delivery);
        times.push(began.elapsed().as_secs_f64());
    }
    times
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_rate_is_kept_to_on_the_link_and_the_last_of_a_burst_comes() {
    const SECONDS: u64 = 10;
    let world = World::new();
    let client = world.client();
    let sender = world.server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = client.listen_remote(listen()).await.unwrap();
    let mut account = Account::default();
    let count = 1000 * SECONDS;
    let ((), times) = tokio::join!(at_a_kilohertz(&signal, count), hear(&mut stream, &mut account, count));
    for second in 0..SECONDS {
        let within = times.iter().filter(|time| (**time as u64) == second).count();
        assert!((19..=21).contains(&within), "{within} in second {second}");
    }
    assert_eq!((account.total(), account.lost, account.last), (count, 0, count));
    // What was not sent was left out by the router: as many came as were sent.
    let sent = count - world.server.clients()[0].skipped;
    assert_eq!(sent, account.received, "{account:?}");

    // A burst after a pause: the first at once, the last within a period.
    sleep(Duration::from_secs(1)).await;
    (1..=100).for_each(|n| trigger_now(&signal, count + n));
    let times = hear(&mut stream, &mut account, count + 100).await;
    assert_eq!((account.last, account.lost), (count + 100, 0));
    assert_eq!(times.len(), 2);
    assert!(times[0] < 0.005 && times[1] < 0.055, "{times:?}");
    assert_eq!(account.received, stream.stats().received);
    assert_eq!(account.skipped, stream.stats().skipped);
}

/// On the very link of the client, frame by frame.
#[tokio::test(start_paused = true)]
async fn promise_6_twenty_frames_a_second_are_on_the_link_and_each_is_heard() {
    const SECONDS: u64 = 10;
    let server = ServerRouter::new().unwrap();
    let (accepting, dialling, frames) = counted();
    server.attach(Arc::new(accepting));
    let client = client_over(dialling);
    let sender = server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = client.listen_remote(listen()).await.unwrap();
    let mut account = Account::default();
    for second in 0..SECONDS {
        let before = (frames.count(), account.received);
        let (began, end) = (Instant::now(), 1000 * (second + 1));
        tokio::join!(at_a_kilohertz(&signal, 1000), async {
            while began.elapsed() < Duration::from_secs(1) {
                let rest = Duration::from_secs(1).saturating_sub(began.elapsed());
                let Ok(delivery) = timeout(rest, stream.recv()).await else {
                    return;
                };
                account.take(&delivery.unwrap());
            }
        });
        let (sent, heard) = (frames.count() - before.0, account.received - before.1);
        assert!((19..=21).contains(&sent), "{sent} frames in second {second}");
        // One may be on its way.
        assert!(sent.abs_diff(heard) <= 1, "{sent} frames, {heard} heard");
        assert!(account.total() <= end, "{account:?}");
    }
    hear(&mut stream, &mut account, 1000 * SECONDS).await;
    assert_eq!((account.lost, account.last), (0, 1000 * SECONDS));
    assert_eq!(frames.count(), account.received);
}

/// Real frames on a real wire. A busy machine may pause for longer than a period, and so leave one out; it adds none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_as_many_frames_are_on_the_wire() {
    const SECONDS: u64 = 4;
    let server = TcpServer::start();
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut raw = Raw::hello(&server.address).await;
    let params = json!({ "listener_id": 1, "sender": "s", "event": "e", "policy": { "rate": 20.0 } });
    assert_eq!(raw.call(1, "add_listener", &params).await["status"], 0);
    let client = server.client();
    let mut stream = client.listen_remote(listen()).await.unwrap();
    let (began, mut frames, mut account) = (Instant::now(), 0, Account::default());
    let count = 1000 * SECONDS;
    let counting = async {
        loop {
            if let Incoming::Event { number, .. } = raw.next().await.unwrap() {
                frames += 1;
                if number == count {
                    return;
                }
            }
        }
    };
    let triggering = at_a_kilohertz(&signal, count);
    let ((), (), _) = tokio::join!(triggering, counting, hear(&mut stream, &mut account, count));
    let seconds = began.elapsed().as_secs_f64();
    let (least, most) = (19.0 * SECONDS as f64 - 8.0, 20.0 * seconds + 2.0);
    for received in [frames, account.received] {
        let received = received as f64;
        assert!(received >= least && received <= most, "{received} in {seconds} s");
    }
    assert_eq!((account.last, account.lost), (count, 0));
}
