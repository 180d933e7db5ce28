//! What links that end cost: those that swallow everything are found out in time, at both ends, and nobody is told twice.

use std::time::Duration;

use futures::FutureExt as _;
use sig_core::Carrier;
use sig_router::{ClientRouter, Event, Policy, Presence, ServerRouter};
use sig_tests::rig::{connected, impatient};
use tokio::time::Instant;

use crate::lines::{FaultyLine, Line};
use crate::virtually::{PERIOD, pair};
use crate::watcher::Watcher;

fn line(server: &ServerRouter) -> FaultyLine {
    let mut line = FaultyLine::new(1, Duration::from_millis(5), Box::new(pair));
    line.lead_to(server);
    line
}

fn client_over(line: &FaultyLine) -> ClientRouter {
    let carrier: std::sync::Arc<dyn Carrier> = line.carrier();
    ClientRouter::builder().reconnect(impatient()).connect(carrier).unwrap()
}

fn told(event: &Event<'_>) -> (String, Presence) {
    (event.name().to_string(), event.decode().unwrap())
}

#[tokio::test(start_paused = true)]
async fn promise_3_a_black_hole_is_found_out_within_two_and_a_half_periods_at_both_ends() {
    let server = ServerRouter::new().unwrap();
    let mut line = line(&server);
    let client = client_over(&line);
    let _near = server.add_sender("near").event("e").connect().unwrap();
    let _far = client.add_remote_sender("far").event("e").connect().await.unwrap();
    let mut at_server = server.listen("far").unwrap();
    let mut at_client = client.listen_remote("near/#disconnect").await.unwrap();
    // At any moment between two heartbeats.
    for moment in 0..20 {
        connected(&client).await;
        // Silence alone is no reason.
        tokio::time::sleep(7 * PERIOD + PERIOD * moment / 20).await;
        assert!(at_server.is_empty() && at_client.is_empty());

        let began = Instant::now();
        line.silence();
        let here = async {
            let event = at_client.recv().await.unwrap().unwrap();
            (told(&event), began.elapsed())
        };
        let there = async {
            let event = at_server.recv().await.unwrap().unwrap();
            (told(&event), began.elapsed())
        };
        for ((name, presence), after) in <[_; 2]>::from(tokio::join!(here, there)) {
            assert_eq!(
                (name.as_str(), presence.reason.as_deref()),
                ("#disconnect", Some("timeout"))
            );
            assert!(after >= PERIOD && after <= PERIOD * 5 / 2, "noticed after {after:?}");
        }
        line.heal();
        let (name, _) = told(&at_server.recv().await.unwrap().unwrap());
        assert_eq!(name, "#connect");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_3_changes_while_listeners_are_registered_again_are_told_once() {
    fastrand::seed(1);
    let server = ServerRouter::new().unwrap();
    let mut line = line(&server);
    let client = client_over(&line);
    let mut watchers: Vec<_> = ["s/presence", "presence", "x/e", "s", "y/e", "*"]
        .iter()
        .map(|topic| Watcher::at_client(&client, topic, Policy::default()))
        .collect();
    let mut sender = None;
    for round in 0..500 {
        line.cut();
        // It comes and goes all the time that it takes.
        for _ in 0..100 {
            sender = match sender {
                None => Some(server.add_sender("s").event("e").connect().unwrap()),
                Some(_) => None,
            };
            for _ in 0..fastrand::u32(1..6) {
                tokio::task::yield_now().await;
            }
            if fastrand::u32(..10) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        connected(&client).await;
        tokio::time::sleep(PERIOD).await;
        let senders = server.senders().into_iter().filter(|info| info.connected);
        let truth = senders.map(|info| (info.name.to_string(), info.generation)).collect();
        for watcher in &mut watchers {
            let told = watcher.take(&format!("round {round}"));
            told.and_then(|()| watcher.is_true(&truth)).unwrap();
        }
    }
    assert!(watchers.iter().all(|watcher| watcher.is_there()));
    assert!(watchers[3].told.presence > 100, "{watchers:?}");
}

#[tokio::test(start_paused = true)]
async fn promise_3_a_link_that_was_taken_over_from_does_not_end_what_follows() {
    let server = ServerRouter::new().unwrap();
    let mut line = line(&server);
    let client = client_over(&line);
    let sender = client.add_remote_sender("far").event("e").connect().await.unwrap();
    let mut everything = server.listen("far").unwrap();
    let mut generation = 0;
    for round in 0..20 {
        connected(&client).await;
        tokio::time::sleep(PERIOD * round / 20).await;
        let began = Instant::now();
        line.roam(&server);
        // At once, though the server still holds the former link for alive.
        let (name, gone) = told(&everything.recv().await.unwrap().unwrap());
        assert_eq!(
            (name.as_str(), gone.reason.as_deref()),
            ("#disconnect", Some("replaced"))
        );
        let (name, back) = told(&everything.recv().await.unwrap().unwrap());
        assert_eq!(name, "#connect");
        assert!(back.generation > gone.generation && gone.generation >= generation);
        assert!(began.elapsed() < PERIOD, "taken over after {:?}", began.elapsed());
        generation = back.generation;
        sender.signal("e").unwrap().trigger(&round).await.unwrap();
        let event = everything.recv().await.unwrap().unwrap();
        assert_eq!(event.decode::<u32>().unwrap(), round);
        // The former link's time is over by now, and then its end comes through.
        tokio::time::sleep(4 * PERIOD).await;
        assert!(everything.recv().now_or_never().is_none(), "told late");
        line.heal();
        tokio::time::sleep(4 * PERIOD).await;
        assert!(everything.recv().now_or_never().is_none(), "told late");
    }
}
