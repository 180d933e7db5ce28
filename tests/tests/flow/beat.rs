//! When what a pace holds back comes.

use std::time::Duration;

use futures::FutureExt as _;
use sig_router::{EventStream, Listen, Policy, Router};
use tokio::time::{Instant, interval, sleep};

use crate::virtually::{World, trigger_now};

fn paced(topic: &str, hz: f64) -> Listen {
    Listen::to(topic).unwrap().policy(Policy::Rate(hz))
}

/// The next event's name and number, and when it came.
async fn next(stream: &mut EventStream, began: Instant) -> (String, u64, u128) {
    let event = stream.recv().await.unwrap().unwrap();
    (event.name().to_string(), event.number(), began.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn promise_6_each_event_has_a_beat_of_its_own() {
    let router = Router::new();
    let sender = router.add_sender("s").events(["a", "b"]).connect().unwrap();
    let (a, b) = (sender.signal("a").unwrap(), sender.signal("b").unwrap());
    let mut stream = router.listen(paced("s", 10.0)).unwrap();
    let began = Instant::now();
    for (ms, signal) in [(0, &a), (50, &b), (60, &a), (70, &b), (80, &a)] {
        tokio::time::sleep_until(began + Duration::from_millis(ms)).await;
        trigger_now(signal, 0);
    }
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(next(&mut stream, began).await);
    }
    let expected = [("a", 1, 80), ("b", 1, 80), ("a", 3, 100), ("b", 2, 150)];
    let expected = expected.map(|(name, number, ms)| (name.to_owned(), number, ms));
    assert_eq!(told, expected);
}

/// Nobody looks in between: what keeps the pace is the events alone.
#[tokio::test(start_paused = true)]
async fn promise_6_a_pace_is_kept_where_events_do_not_come_on_the_beat() {
    let router = Router::new();
    let sender = router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let stream = router.listen(paced("s/e", 20.0)).unwrap();
    let mut ticks = interval(Duration::from_millis(7));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        ticks.tick().await;
        trigger_now(&signal, 0);
    }
    assert!((199..=202).contains(&stream.len()), "{} in ten seconds", stream.len());
}

#[tokio::test(start_paused = true)]
async fn promise_6_after_a_pause_the_pace_begins_anew() {
    let router = Router::new();
    let sender = router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = router.listen(paced("s/e", 10.0)).unwrap();
    for pause in [0, 30, 100, 101, 250, 1000] {
        sleep(Duration::from_millis(pause)).await;
        // Whatever is left of the last beat.
        while stream.recv().now_or_never().is_some() {}
        let began = Instant::now();
        for n in 0..50 {
            trigger_now(&signal, n);
            sleep(Duration::from_millis(10)).await;
        }
        let mut came = 0;
        while stream.recv().now_or_never().is_some() {
            came += 1;
        }
        // Half a second has five or six beats, and one that was held back.
        assert!((4..=6).contains(&came), "{came} within {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_what_is_held_back_comes_when_its_router_ends() {
    let router = Router::new();
    let sender = router.add_sender("s").event("e").connect().unwrap();
    let mut stream = router.listen(paced("s/e", 0.01)).unwrap();
    let signal = sender.signal("e").unwrap();
    (1..=5).for_each(|n| trigger_now(&signal, n));
    drop((signal, sender, router));
    let began = Instant::now();
    for number in [1, 5] {
        let event = stream.recv().await.unwrap().unwrap();
        assert_eq!(event.number(), number);
    }
    assert!(stream.recv().await.is_none());
    assert_eq!(began.elapsed(), Duration::ZERO);

    let world = World::new();
    let client = world.client();
    let sender = world.server.add_sender("s").event("e").connect().unwrap();
    // One that blocks, so that all come to the client.
    let _all = client.listen_remote("s/e").await.unwrap();
    let mut stream = client.listen_remote(paced("s/e", 0.01)).await.unwrap();
    let signal = sender.signal("e").unwrap();
    (1..=5).for_each(|n| trigger_now(&signal, n));
    assert_eq!(stream.recv().await.unwrap().unwrap().number(), 1);
    sleep(Duration::from_millis(10)).await;
    client.close(Duration::from_secs(1)).await;
    let last = stream.recv().await.unwrap().unwrap();
    assert_eq!((last.number(), last.skipped()), (5, 3));
    assert!(stream.recv().await.is_none());
}
