//! What events cost: no memory of their own where a router only forwards them (issue 9's figures come from elsewhere; this
//! keeps them possible), and a bounded one where they wait.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sig_carrier_serial::sim::Noise;
use sig_core::{CarrierError, Link, Medium, StreamCarrier};
use sig_router::{Listen, Payload, Policy, ServerRouter};
use sig_tests::raw;
use sig_tests::rig::soon;
use sig_tests::wired;
use sig_wire::{Kind, Preface, Split};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Memory is counted for the whole program: one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Events of one round, and what each costs of the sender's credit: a round is less than half of what that is at first.
const ROUND: u64 = 3000;
const COST: u64 = 20;

/// Links inside this process, made by hand.
#[derive(Debug)]
struct Pipes(Mutex<mpsc::Receiver<DuplexStream>>);

impl Medium for Pipes {
    const NAME: &'static str = "pipe";
    type Io = DuplexStream;

    async fn next(&self) -> Result<Link<DuplexStream>, CarrierError> {
        match self.0.lock().await.recv().await {
            Some(io) => Ok(Link::new(io, "a test")),
            None => std::future::pending().await,
        }
    }
}

/// A client by hand, which needs no memory to send and to count what comes.
struct Client {
    stream: DuplexStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Client {
    async fn connect(links: &mpsc::Sender<DuplexStream>, name: &str) -> Self {
        let (stream, far) = tokio::io::duplex(64 * 1024);
        links.send(far).await.unwrap();
        let mut client = Self {
            stream,
            buffer: vec![0; 1 << 20],
            filled: 0,
        };
        client.send(&Preface::new(sig_wire::Encoding::Sig1).encode()).await;
        let mut answer = [0; sig_wire::preface::LEN];
        client.stream.read_exact(&mut answer).await.unwrap();
        client.send(&raw::control(&raw::hello_of(name))).await;
        let welcome = client.control().await;
        assert_eq!(welcome["method"], "welcome", "{welcome}");
        client
    }

    async fn send(&mut self, bytes: &[u8]) {
        soon("room", self.stream.write_all(bytes)).await.unwrap();
    }

    async fn call(&mut self, method: &str, params: &Value) -> Value {
        self.send(&raw::call(1, method, params)).await;
        loop {
            let mut message = self.control().await;
            if message.get("status").is_some() {
                assert_eq!(message["status"], 0, "{message}");
                return message["response"].take();
            }
        }
    }

    /// Calls `take` with each frame that is here, and then waits for more; until it says that it is enough.
    async fn frames(&mut self, mut take: impl FnMut(Kind, &[u8]) -> bool) {
        loop {
            let mut used = 0;
            while let Split::Frame(frame) = sig_wire::split(&self.buffer[used..self.filled], u32::MAX).unwrap() {
                used += frame.size();
                if take(frame.kind, frame.body) {
                    self.buffer.copy_within(used..self.filled, 0);
                    self.filled -= used;
                    return;
                }
            }
            self.buffer.copy_within(used..self.filled, 0);
            self.filled -= used;
            let read = soon("a frame", self.stream.read(&mut self.buffer[self.filled..]));
            self.filled += read.await.unwrap();
        }
    }

    async fn control(&mut self) -> Value {
        let mut message = Value::Null;
        self.frames(|kind, body| {
            let is_control = kind == Kind::Control;
            if is_control {
                message = serde_json::from_slice(body).unwrap();
            }
            is_control
        })
        .await;
        message
    }

    /// Waits for so many events.
    async fn events(&mut self, count: u64) {
        let mut left = count;
        self.frames(|kind, _| {
            left -= u64::from(kind == Kind::Event);
            left == 0
        })
        .await;
    }
}

struct World {
    _server: ServerRouter,
    links: mpsc::Sender<DuplexStream>,
    publisher: Client,
    alias: u32,
    number: u64,
    credit: u64,
}

impl World {
    async fn new() -> Self {
        let server = ServerRouter::new().unwrap();
        let (links, accepted) = mpsc::channel(4);
        server.attach(Arc::new(StreamCarrier::new(Pipes(Mutex::new(accepted)))));
        let mut publisher = Client::connect(&links, "publisher").await;
        let added = publisher
            .call("add_sender", &json!({ "sender": "s", "events": ["e"] }))
            .await;
        Self {
            _server: server,
            links,
            publisher,
            alias: u32::try_from(added["aliases"]["e"].as_u64().unwrap()).unwrap(),
            number: 0,
            credit: added["credit"].as_u64().unwrap(),
        }
    }

    async fn subscriber(&self, policy: Value) -> Client {
        let mut client = Client::connect(&self.links, &policy.to_string()).await;
        let params = json!({ "listener_id": 1, "sender": "s", "event": "e", "policy": policy });
        client.call("add_listener", &params).await;
        client
    }

    /// The frames of the next round.
    fn round(&mut self) -> Vec<u8> {
        let first = self.number + 1;
        self.number += ROUND;
        let frames = (first..=self.number).map(|number| raw::event(self.alias, number, b"{}"));
        frames.collect::<Vec<_>>().concat()
    }

    /// Waits until the next round has credit.
    async fn recovered(&mut self) {
        while self.credit < COST * (self.number + ROUND) {
            let message = self.publisher.control().await;
            self.credit = message["params"]["granted"].as_u64().unwrap();
        }
    }
}

/// How much was asked of the allocator.
fn calls(stats: &Stats) -> usize {
    stats.allocations + stats.reallocations
}

/// How many bytes more there are now.
fn growth(change: &Stats) -> i64 {
    change.bytes_allocated as i64 - change.bytes_deallocated as i64
}

#[tokio::test]
async fn an_event_that_is_only_forwarded_needs_no_memory_of_its_own() {
    let _alone = ALONE.lock().await;
    let mut world = World::new().await;
    let mut subscribers = [
        world.subscriber(json!({ "block_ms": 5000 })).await,
        world.subscriber(json!({ "block_ms": 100 })).await,
    ];
    let mut worst = 0;
    for round in 0..6 {
        let frames = world.round();
        let region = Region::new(COUNTING);
        let [first, second] = &mut subscribers;
        tokio::join!(world.publisher.send(&frames), first.events(ROUND), second.events(ROUND));
        let calls = calls(&region.change());
        // The first rounds make what is then kept.
        if round >= 2 {
            worst = worst.max(calls);
        }
        world.recovered().await;
    }
    // Some for each batch, whose buffers grow anew where a link was idle, and for the credit; none for each event.
    eprintln!("{worst} calls of the allocator for {ROUND} events to two clients");
    assert!(
        worst < usize::try_from(ROUND).unwrap() / 20,
        "{worst} for {ROUND} events"
    );
}

#[tokio::test]
async fn a_client_that_takes_nothing_costs_as_much_memory_as_it_may_keep() {
    let _alone = ALONE.lock().await;
    let mut world = World::new().await;
    let _frozen = world.subscriber(json!({ "drop_oldest": 500 })).await;
    let _newest = world.subscriber(json!("latest")).await;
    let _slow = world.subscriber(json!({ "rate": 5.0 })).await;
    let mut healthy = world.subscriber(json!({ "block_ms": 5000 })).await;
    let mut grown = Vec::new();
    for _ in 0..12 {
        let frames = world.round();
        let region = Region::new(COUNTING);
        tokio::join!(world.publisher.send(&frames), healthy.events(ROUND));
        let change = region.change();
        world.recovered().await;
        grown.push(growth(&change));
    }
    // Full after a few rounds; from then on it only changes what is in it.
    let later: i64 = grown[4..].iter().sum();
    assert!(later < 256 * 1024, "bytes more in each round: {grown:?}");
}

/// Behind a serial line that takes a tenth of what is sent.
#[tokio::test(start_paused = true)]
async fn a_producer_that_is_too_fast_for_a_serial_line_costs_as_much_memory_as_the_listener_may_keep() {
    let _alone = ALONE.lock().await;
    for policy in [
        Policy::DropOldest(20),
        Policy::Latest,
        Policy::Block(Duration::from_secs(5)),
    ] {
        let world = wired::World::new(false, Noise::NONE);
        let (server, client) = (&world.trips.server, &world.trips.client);
        let listen = Listen::to("probe/tick").unwrap().policy(policy);
        let mut events = client.listen_remote(listen).await.unwrap();
        let probe = server.add_sender("probe").event("tick").connect().unwrap();
        let signal = probe.signal("tick").unwrap();
        let whole = Region::new(COUNTING);
        let mut grown = Vec::new();
        let sending = async {
            for _ in 0..8 {
                let (began, region) = (Instant::now(), Region::new(COUNTING));
                while began.elapsed() < Duration::from_secs(1) {
                    // 100 bytes on the line each, and 115 such would fit into a second.
                    signal.trigger(&Payload::from_bytes(vec![7; 64])).await.unwrap();
                    sleep(Duration::from_micros(800)).await;
                }
                grown.push(growth(&region.change()));
            }
        };
        let receiving = async {
            loop {
                let _event_or_loss = events.recv().await.unwrap();
            }
        };
        tokio::select! {
            () = sending => {}
            () = receiving => unreachable!(),
        }
        let whole = growth(&whole.change());
        eprintln!("{policy:?}: {whole} bytes, in each second {grown:?}");
        // Full after two seconds. What waited without a bound would be 200 KB more in each.
        let later: i64 = grown[2..].iter().sum();
        assert!(later < 64 * 1024, "{policy:?}: bytes more in each second: {grown:?}");
        assert!(whole < 128 * 1024, "{policy:?}: {whole} bytes");
    }
}
