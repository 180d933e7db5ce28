//! Two routers over a simulated line, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use sig_carrier_serial::Options;
use sig_carrier_serial::framing::{Reader, Settings};
use sig_carrier_serial::link::{Drive, Event, Pace, Stream};
use sig_carrier_serial::sim::{Cable, Noise, SimLine};
use sig_core::{CarrierError, Link, Medium, Profile, StreamCarrier};
use sig_router::{ClientRouter, Listen, Payload, Policy, Request, Sender, ServerRouter};
use sig_tests::rig::client_over;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const BAUD: u32 = 115_200;
const MEBIBYTE: usize = 1024 * 1024;

/// The links over one end of a line.
#[derive(Debug)]
struct Wired {
    streams: Mutex<mpsc::Receiver<Stream>>,
    profile: Profile,
}

impl Medium for Wired {
    const NAME: &'static str = "serial";
    type Io = Stream;

    async fn next(&self) -> Result<Link<Stream>, CarrierError> {
        match self.streams.lock().await.recv().await {
            Some(stream) => Ok(Link::new(stream, "line")),
            None => std::future::pending().await,
        }
    }

    fn profile(&self) -> Profile {
        self.profile
    }
}

fn pace(half: bool) -> Pace {
    Pace {
        half,
        ..Pace::from(&Options::new().baud(BAUD))
    }
}

/// Lets a drive run, and hands its links on.
fn wired(tasks: &mut JoinSet<()>, mut drive: Drive<SimLine>, dials: bool) -> Wired {
    let (give, streams) = mpsc::channel(4);
    tasks.spawn(async move {
        loop {
            match drive.next().await {
                Event::Opened(stream) => drop(give.try_send(stream)),
                Event::Ended(_) => return,
                Event::Closed(end) => println!("a link ended: {end}"),
                Event::Item(_) => {}
            }
        }
    });
    let chunk = pace(false).chunk();
    Wired {
        streams: Mutex::new(streams),
        profile: Profile::default()
            .dialling(dials)
            .with_heartbeat(Duration::from_secs(2))
            .with_chunk(chunk),
    }
}

/// A server, a client, and a line between the two.
struct World {
    server: ServerRouter,
    client: ClientRouter,
    cable: Cable,
    /// Answers requests at the server.
    _clock: Sender,
    _tasks: JoinSet<()>,
}

impl World {
    fn new(half: bool, noise: Noise) -> Self {
        let (cable, near, far) = Cable::new(BAUD, 4);
        cable.set_noise(noise);
        cable.set_jitter(Duration::from_millis(1));
        let mut tasks = JoinSet::new();
        let reader = || Reader::new(Settings::default());
        let far = wired(&mut tasks, Drive::listen(far, reader(), pace(half)), false);
        let near = wired(&mut tasks, Drive::dial(near, reader(), pace(half)), true);
        let server = ServerRouter::new().expect("a runtime");
        server.attach(Arc::new(StreamCarrier::new(far)));
        let client = client_over(StreamCarrier::new(near));
        let clock = server
            .add_sender("clock")
            .request("now", |_: Request| Ok(12))
            .connect()
            .expect("the name is free");
        Self {
            server,
            client,
            cable,
            _clock: clock,
            _tasks: tasks,
        }
    }

    async fn trip(&self) -> Duration {
        let began = Instant::now();
        let reply = self
            .client
            .remote_request("clock", "now", &())
            .await
            .expect("an answer");
        assert_eq!(reply.parse::<u32>().expect("a number"), 12);
        began.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn over_a_noisy_line_events_come_in_order_and_requests_are_answered() {
    for half in [false, true] {
        let world = World::new(half, Noise::of(1000));
        let mut events = world.server.listen("probe/tick").unwrap();
        let probe = world
            .client
            .add_remote_sender("probe")
            .event("tick")
            .connect()
            .await
            .unwrap();
        let signal = probe.signal("tick").unwrap();
        let sending = async {
            for number in 1..=1_500_u64 {
                signal.trigger(&number).await.unwrap();
            }
        };
        let receiving = async {
            for number in 1..=1_500_u64 {
                let event = events.next().await.unwrap().expect("none is lost");
                assert_eq!((event.number(), event.decode::<u64>().unwrap()), (number, number));
            }
        };
        let asking = async {
            for _ in 0..40 {
                world.trip().await;
            }
        };
        let all = async { tokio::join!(sending, receiving, asking) };
        tokio::time::timeout(Duration::from_secs(120), all)
            .await
            .expect("in two minutes");
        assert!(world.cable.damaged() > 20, "half {half}: {}", world.cable.damaged());
    }
}

#[tokio::test(start_paused = true)]
async fn payloads_of_64_bytes_use_nine_tenths_of_the_line() {
    let world = World::new(false, Noise::NONE);
    let mut events = world.server.listen("probe/tick").unwrap();
    let probe = world
        .client
        .add_remote_sender("probe")
        .event("tick")
        .connect()
        .await
        .unwrap();
    let signal = probe.signal("tick").unwrap();
    // 64 bytes of JSON.
    let payload = "7".repeat(62);
    let sending = async {
        loop {
            signal.trigger(&payload).await.unwrap();
        }
    };
    let measuring = async {
        // Until the line is full.
        for _ in 0..100 {
            events.next().await.unwrap().unwrap();
        }
        let (began, mut bytes, sent) = (Instant::now(), 0, world.cable.sent());
        while began.elapsed() < Duration::from_secs(20) {
            events.next().await.unwrap().unwrap();
            // Its frame of sig/1 has a length, a kind, flags, an alias and a number.
            bytes += 18 + 64;
        }
        let [there, back] = world.cable.sent();
        println!("{} bytes there, {} back", there - sent[0], back - sent[1]);
        bytes as f64 / (began.elapsed().as_secs_f64() * f64::from(BAUD) / 10.0)
    };
    let share = tokio::select! {
        share = measuring => share,
        () = sending => unreachable!(),
    };
    println!(
        "{:.1} % of the line are frames with payloads of 64 bytes",
        share * 100.0
    );
    assert!(share >= 0.9, "{share}");
}

/// The longest of many requests, at all times of a chunk.
async fn worst_trip(world: &World) -> Duration {
    let mut worst = Duration::ZERO;
    for _ in 0..40 {
        worst = worst.max(world.trip().await);
        sleep(Duration::from_millis(173)).await;
    }
    worst
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_at_most_for_two_chunks_of_a_large_transfer() {
    let chunk = pace(false).time_of(pace(false).chunk());
    for from_client in [true, false] {
        let world = World::new(false, Noise::NONE);
        let mut idle = Duration::ZERO;
        let payload = Payload::from_bytes(vec![7; MEBIBYTE]);
        let worst;
        if from_client {
            let big = world.server.listen("camera/frame").unwrap();
            let camera = world
                .client
                .add_remote_sender("camera")
                .event("frame")
                .connect()
                .await
                .unwrap();
            for _ in 0..5 {
                idle = idle.max(world.trip().await);
            }
            camera.signal("frame").unwrap().trigger(&payload).await.unwrap();
            worst = worst_trip(&world).await;
            assert!(big.is_empty(), "the transfer is still under way");
        } else {
            let big = world.client.listen_remote("camera/frame").await.unwrap();
            let camera = world.server.add_sender("camera").event("frame").connect().unwrap();
            for _ in 0..5 {
                idle = idle.max(world.trip().await);
            }
            camera.signal("frame").unwrap().trigger(&payload).await.unwrap();
            worst = worst_trip(&world).await;
            assert!(big.is_empty(), "the transfer is still under way");
        }
        println!("idle {idle:?}, worst {worst:?}, a chunk {chunk:?}, from the client: {from_client}");
        assert!(
            worst <= idle + 2 * chunk,
            "worst {worst:?}, idle {idle:?}, a chunk {chunk:?}"
        );
    }
}

/// A producer ten times too fast: what waits is bounded, by each policy.
#[tokio::test(start_paused = true)]
async fn memory_is_bounded_with_a_producer_ten_times_too_fast() {
    for policy in [
        Policy::DropOldest(20),
        Policy::Latest,
        Policy::Block(Duration::from_secs(5)),
    ] {
        let world = World::new(false, Noise::NONE);
        let listen = Listen::to("probe/tick").unwrap().policy(policy);
        let mut events = world.client.listen_remote(listen).await.unwrap();
        let probe = world.server.add_sender("probe").event("tick").connect().unwrap();
        let signal = probe.signal("tick").unwrap();
        let (mut sent, mut received, mut missed) = (0_u64, 0_u64, 0_u64);
        let blocks = matches!(policy, Policy::Block(_));
        let sending = async {
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(20) {
                // 100 bytes on the line each, and 115 would fit.
                signal.trigger(&Payload::from_bytes(vec![7; 64])).await.unwrap();
                sent += 1;
                sleep(Duration::from_micros(800)).await;
            }
            sent
        };
        let mut latest = Duration::ZERO;
        let mut last = Instant::now();
        let receiving = async {
            loop {
                match events.next().await.unwrap() {
                    Ok(event) => {
                        missed += event.skipped();
                        received += 1;
                    }
                    Err(lagged) => missed += lagged.count(),
                }
                latest = latest.max(last.elapsed());
                last = Instant::now();
            }
        };
        let sent = tokio::select! {
            sent = sending => sent,
            () = receiving => unreachable!(),
        };
        // What is behind the last event that came is what waits.
        let waits = sent - received - missed;
        println!("{policy:?}: {sent} sent, {received} received, {missed} told as missed, {waits} wait");
        let most = if blocks { 36 * 1024 / 82 + 300 } else { 300 };
        assert!(waits <= most, "{policy:?}: {waits} of {sent} wait");
        assert!(received > 500, "{policy:?}: {received} received");
        if !blocks {
            assert!(missed > 10_000, "{policy:?}: {missed} missed of {sent}");
        }
    }
}
