//! `kill -9` of the server, and a new one after three seconds: everyone is back soon, and everyone was told exactly that
//! (promise 5).

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]
#![allow(clippy::disallowed_methods, reason = "what a test begins ends with its runtime")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use sig_core::Carrier;
use sig_router::{ClientRouter, Event, Reconnect, RemoteEventStream};
use sig_tests::process::Process;
use sig_tests::rig::{lasting_address, soon};

const SENDERS: usize = 10;
const LISTENERS: usize = 50;

/// How long the router is away.
const AWAY: Duration = Duration::from_secs(3);

/// The longest pause between two attempts, spread by a fifth.
const BACKOFF: Duration = Duration::from_millis(500);

/// Within which time after that everything is back.
const SOON: Duration = Duration::from_secs(1);

/// What a listener heard of each sender: how often it came, how often it left, and what it triggered.
type Heard = BTreeMap<String, (u32, u32, Vec<u64>)>;

fn client_over(carrier: Arc<dyn Carrier>) -> ClientRouter {
    let reconnect = Reconnect::new().first(Duration::from_millis(10)).max(BACKOFF);
    ClientRouter::builder().reconnect(reconnect).connect(carrier).unwrap()
}

/// A listener, behind a link of its own.
struct Listener {
    _client: ClientRouter,
    streams: Vec<RemoteEventStream>,
    heard: Heard,
}

impl Listener {
    /// One to everything, or one that names what it wants.
    async fn new(client: ClientRouter, to_everything: bool) -> Self {
        let topics: &[&str] = if to_everything {
            &["*"]
        } else {
            &["#connect", "#disconnect"]
        };
        let mut streams = Vec::new();
        for topic in topics {
            streams.push(client.listen_remote(*topic).await.unwrap());
        }
        let mut senders = Vec::new();
        if !to_everything {
            for n in 0..SENDERS {
                senders.push(client.listen_remote((format!("s{n}").as_str(), "e")).await.unwrap());
            }
        }
        streams.extend(senders);
        let (_client, heard) = (client, Heard::new());
        Self {
            _client,
            streams,
            heard,
        }
    }

    /// Takes what is there, and gives how often senders came and left.
    fn take(&mut self) -> (u32, u32) {
        for stream in &mut self.streams {
            while let Some(event) = futures::FutureExt::now_or_never(stream.recv()) {
                match event.unwrap() {
                    Ok(event) => note(&mut self.heard, &event),
                    Err(lagged) => assert!(!is_of_test(lagged.sender().as_str()), "{lagged}"),
                }
            }
        }
        let came = self.heard.iter().filter(|(name, _)| is_of_test(name));
        came.fold((0, 0), |(came, left), (_, heard)| (came + heard.0, left + heard.1))
    }

    /// Waits until senders came and left so often.
    async fn heard(&mut self, came: u32, left: u32) {
        while self.take() != (came, left) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// The router has a sender of its own, too.
fn is_of_test(name: &str) -> bool {
    name != "timer"
}

fn note(heard: &mut Heard, event: &Event<'_>) {
    let (came, left, events) = heard.entry(event.sender().to_string()).or_default();
    match event.name().as_str() {
        "#connect" => *came += 1,
        "#disconnect" => *left += 1,
        _ => events.push(event.decode().unwrap()),
    }
}

async fn everyone_is_back(server: impl Fn() -> Process, dial: impl Fn() -> Arc<dyn Carrier>) {
    let mut process = server();
    process.says_line("listening").await;
    let listening = (0..LISTENERS).map(|n| Listener::new(client_over(dial()), n % 2 == 0));
    let mut listeners = soon("the listeners", join_all(listening)).await;
    let mut senders = Vec::new();
    for n in 0..SENDERS {
        let client = client_over(dial());
        let sender = client
            .add_remote_sender(format!("s{n}"))
            .event("e")
            .connect()
            .await
            .unwrap();
        senders.push((client, sender));
    }
    let (all, count) = (SENDERS as u32, SENDERS as u32);
    soon(
        "everyone came",
        join_all(listeners.iter_mut().map(|listener| listener.heard(all, 0))),
    )
    .await;

    for round in 1..=2 {
        process.kill().await;
        tokio::time::sleep(AWAY).await;
        process = server();
        process.says_line("listening").await;
        let began = Instant::now();
        let back = listeners
            .iter_mut()
            .map(|listener| listener.heard(all + round * count, round * count));
        soon("everyone is back", join_all(back)).await;
        let took = began.elapsed();
        println!("everyone is back after {took:?}");
        assert!(
            took <= BACKOFF.mul_f64(1.2) + SOON,
            "everyone is back only after {took:?}"
        );

        // Nothing comes twice: neither presence nor what is triggered now.
        for (_, sender) in &senders {
            sender.signal("e").unwrap().trigger(&u64::from(round)).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        for listener in &mut listeners {
            listener.take();
            for n in 0..SENDERS {
                let heard = &listener.heard[&format!("s{n}")];
                let events: Vec<_> = (1..=u64::from(round)).collect();
                assert_eq!(*heard, (1 + round, round, events), "s{n} in round {round}");
            }
        }
    }
}

#[tokio::test]
async fn promise_5_everyone_is_back_soon_after_a_crash_of_the_server_over_tcp() {
    let address = lasting_address();
    let server = || Process::start(env!("CARGO_BIN_EXE_trio"), &["server", &address]);
    everyone_is_back(server, || Arc::new(sig_carrier_tcp::dial(&address).unwrap())).await;
}

#[cfg(unix)]
#[tokio::test]
async fn promise_5_everyone_is_back_soon_after_a_crash_of_the_server_over_local_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("router");
    let socket = socket.to_str().unwrap();
    let server = || Process::start(env!("CARGO_BIN_EXE_trio"), &["server", socket]);
    everyone_is_back(server, || Arc::new(sig_carrier_ipc::dial(socket).unwrap())).await;
}
