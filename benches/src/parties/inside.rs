//! Triggers inside a process: nanoseconds for one, with listeners that are called on the spot.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::Serialize;
use sig_bench_party::{Args, row};
use sig_router::{ClientRouter, Event, EventStream, Listener, RemoteEventStream, Router, ServerRouter, Signal};

use crate::error::Failure;

/// How many triggers are timed at once, so few that most batches are not interrupted, and of how many batches the median
/// is.
const BATCH: u64 = 500;
const BATCHES: usize = 2000;
/// How many further listeners their cost is taken from.
const FURTHER: usize = 8;
/// How many events a stream is given before they are taken from it.
const STREAMED: u64 = 200;

#[derive(Serialize)]
struct Row {
    role: &'static str,
    /// `try_trigger` with one listener.
    one_listener_ns: f64,
    /// The same with `trigger().await`.
    one_listener_async_ns: f64,
    /// What each further listener adds.
    further_listener_ns: f64,
    /// One listener, and a stream on another event of the same sender.
    stream_elsewhere_ns: f64,
    /// One listener, and a stream on the same event: packed, queued, and taken (not timed).
    stream_here_ns: f64,
    /// One listener, and a client over TCP that hears another event of the same sender.
    remote_elsewhere_ns: f64,
    /// One listener, and a client over TCP that hears the same event, in batches that the client takes (not timed).
    remote_here_ns: f64,
    /// An atomic operation that nobody else wants, to compare machines by: a trigger takes two.
    atomic_ns: f64,
}

struct World {
    router: Router,
    signal: Signal,
    _sender: sig_router::Sender,
    count: Arc<AtomicU64>,
    listeners: Vec<Listener>,
}

impl World {
    fn with(listeners: usize) -> Result<Self, Failure> {
        Self::on(Router::new(), listeners)
    }

    fn on(router: Router, listeners: usize) -> Result<Self, Failure> {
        let sender = router.add_sender("clock").events(["tick", "tock"]).connect()?;
        let mut world = Self {
            signal: sender.signal("tick")?,
            _sender: sender,
            count: Arc::default(),
            listeners: Vec::new(),
            router,
        };
        for _ in 0..listeners {
            let count = Arc::clone(&world.count);
            world
                .listeners
                .push(world.router.add_listener("clock/tick", move |event: &Event<'_>| {
                    let value = event.value::<u64>().copied().unwrap_or(0);
                    // One thread alone triggers.
                    count.store(count.load(Ordering::Relaxed) + (value & 1), Ordering::Relaxed);
                })?);
        }
        Ok(world)
    }

    /// Nanoseconds per trigger: the median of many batches.
    fn time(&self) -> Result<f64, Failure> {
        let mut times = Vec::new();
        for _ in 0..BATCHES {
            let began = Instant::now();
            for _ in 0..BATCH {
                self.signal.try_trigger(black_box(&1u64))?;
            }
            times.push(began.elapsed().as_nanos() as f64 / BATCH as f64);
        }
        let expected = self.listeners.len() as u64 * BATCH * BATCHES as u64;
        let counted = self.count.swap(0, Ordering::Relaxed);
        if counted == expected {
            Ok(median(times))
        } else {
            Err(Failure::new(format!("{counted} calls instead of {expected}")))
        }
    }

    async fn time_async(&self) -> Result<f64, Failure> {
        let mut times = Vec::new();
        for _ in 0..BATCHES {
            let began = Instant::now();
            for _ in 0..BATCH {
                self.signal.trigger(black_box(&1u64)).await?;
            }
            times.push(began.elapsed().as_nanos() as f64 / BATCH as f64);
        }
        Ok(median(times))
    }

    async fn time_with(&self, mut stream: EventStream) -> Result<f64, Failure> {
        let mut times = Vec::new();
        for _ in 0..BATCHES {
            let began = Instant::now();
            for _ in 0..STREAMED {
                self.signal.try_trigger(black_box(&1u64))?;
            }
            times.push(began.elapsed().as_nanos() as f64 / STREAMED as f64);
            for _ in 0..STREAMED {
                stream
                    .recv()
                    .await
                    .ok_or_else(|| Failure::new("the stream is over"))??;
            }
        }
        Ok(median(times))
    }
}

/// A server, and a client of it that hears this.
struct Remote {
    server: ServerRouter,
    _client: ClientRouter,
    stream: RemoteEventStream,
}

impl Remote {
    async fn hearing(topic: &str) -> Result<Self, Failure> {
        let server = ServerRouter::new()?;
        let carrier = sig_carrier_tcp::listen("127.0.0.1:0")?;
        let address = carrier.medium().local_addr().to_string();
        server.attach(Arc::new(carrier));
        let client = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&address)?))?;
        let stream = client.listen_remote(topic).await?;
        Ok(Self {
            server,
            _client: client,
            stream,
        })
    }

    /// A world of its server whose `tick` it hears.
    async fn time(&mut self) -> Result<f64, Failure> {
        let world = World::on(self.server.router().clone(), 1)?;
        let mut times = Vec::new();
        for _ in 0..BATCHES {
            let began = Instant::now();
            for _ in 0..STREAMED {
                world.signal.try_trigger(black_box(&1u64))?;
            }
            times.push(began.elapsed().as_nanos() as f64 / STREAMED as f64);
            for _ in 0..STREAMED {
                let event = self.stream.recv().await;
                event.ok_or_else(|| Failure::new("the stream is over"))??;
            }
        }
        Ok(median(times))
    }
}

fn time_atomic() -> f64 {
    let count = AtomicU64::new(0);
    let mut times = Vec::new();
    for _ in 0..BATCHES {
        let began = Instant::now();
        for _ in 0..BATCH {
            black_box(&count).fetch_add(1, Ordering::AcqRel);
        }
        times.push(began.elapsed().as_nanos() as f64 / BATCH as f64);
    }
    median(times)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

pub(super) async fn run(_: &Args) -> Result<(), Failure> {
    let one = World::with(1)?;
    one.time()?;
    let one_listener_ns = one.time()?;
    let one_listener_async_ns = one.time_async().await?;
    let many = World::with(1 + FURTHER)?;
    many.time()?;
    let further_listener_ns = (many.time()? - one_listener_ns) / FURTHER as f64;
    let elsewhere = World::with(1)?;
    let _stream = elsewhere.router.listen("clock/tock")?;
    elsewhere.time()?;
    let stream_elsewhere_ns = elsewhere.time()?;
    let remote = Remote::hearing("clock/tock").await?;
    let world = World::on(remote.server.router().clone(), 1)?;
    world.time()?;
    let remote_elsewhere_ns = world.time()?;
    let here = World::with(1)?;
    let stream = here.router.listen("clock/tick")?;
    row(&Row {
        role: "inside",
        one_listener_ns,
        one_listener_async_ns,
        further_listener_ns,
        stream_elsewhere_ns,
        stream_here_ns: here.time_with(stream).await?,
        remote_elsewhere_ns,
        remote_here_ns: Remote::hearing("clock/tick").await?.time().await?,
        atomic_ns: time_atomic(),
    });
    Ok(())
}
