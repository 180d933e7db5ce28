//! Two routers over a simulated line, in virtual time.

use std::time::Duration;

use futures::StreamExt as _;
use sig_carrier_serial::sim::Noise;
use sig_router::{Listen, Payload, Policy};
use sig_tests::wired::{BAUD, World, pace};
use tokio::time::{Instant, sleep};

const MEBIBYTE: usize = 1024 * 1024;

#[tokio::test(start_paused = true)]
async fn over_a_noisy_line_events_come_in_order_and_requests_are_answered() {
    for half in [false, true] {
        let world = World::new(half, Noise::of(1000));
        let mut events = world.trips.server.listen("probe/tick").unwrap();
        let probe = world
            .trips
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
                world.trips.trip().await;
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
    let mut events = world.trips.server.listen("probe/tick").unwrap();
    let probe = world
        .trips
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
        worst = worst.max(world.trips.trip().await);
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
            let big = world.trips.server.listen("camera/frame").unwrap();
            let camera = world
                .trips
                .client
                .add_remote_sender("camera")
                .event("frame")
                .connect()
                .await
                .unwrap();
            for _ in 0..5 {
                idle = idle.max(world.trips.trip().await);
            }
            camera.signal("frame").unwrap().trigger(&payload).await.unwrap();
            worst = worst_trip(&world).await;
            assert!(big.is_empty(), "the transfer is still under way");
        } else {
            let big = world.trips.client.listen_remote("camera/frame").await.unwrap();
            let camera = world
                .trips
                .server
                .add_sender("camera")
                .event("frame")
                .connect()
                .unwrap();
            for _ in 0..5 {
                idle = idle.max(world.trips.trip().await);
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
        let mut events = world.trips.client.listen_remote(listen).await.unwrap();
        let probe = world.trips.server.add_sender("probe").event("tick").connect().unwrap();
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
