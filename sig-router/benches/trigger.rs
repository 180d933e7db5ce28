//! What a trigger costs inside one program: a cached `Signal` of a `&u64`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use futures::FutureExt as _;
use futures::executor::block_on;
use sig_router::{Event, EventStream, Listener, Router, Sender, Signal};

/// Listeners that hear other events.
const ELSEWHERE: usize = 100_000;

fn sender(router: &Router) -> (Sender, Signal) {
    let sender = router.add_sender("source").event("e").connect().expect("a sender");
    let signal = sender.signal("e").expect("its event");
    (sender, signal)
}

fn inline(router: &Router, count: usize) -> Vec<Listener> {
    let listen = |_| {
        let function = |event: &Event<'_>| _ = black_box(event.value::<u64>());
        router.add_listener("source/e", function).expect("a listener")
    };
    (0..count).map(listen).collect()
}

fn trigger(signal: &Signal) {
    signal.try_trigger(black_box(&7_u64)).expect("it is triggered");
}

/// Takes what waits, so that the next trigger finds room.
fn drain(stream: &mut EventStream) {
    while let Some(Some(event)) = stream.recv().now_or_never() {
        black_box(event.expect("nothing is lost"));
    }
}

fn functions(c: &mut Criterion) {
    let mut group = c.benchmark_group("trigger");
    for count in [0, 1, 2, 8] {
        let router = Router::new();
        let ((_sender, signal), _listeners) = (sender(&router), inline(&router, count));
        group.bench_function(BenchmarkId::new("inline", count), |b| b.iter(|| trigger(&signal)));
    }
    let router = Router::new();
    let ((_sender, signal), _listeners) = (sender(&router), inline(&router, 1));
    group.bench_function("inline/1, awaited", |b| {
        b.iter(|| block_on(signal.trigger(black_box(&7_u64))).expect("it is triggered"));
    });
    group.finish();
}

fn crowd(c: &mut Criterion) {
    let router = Router::new();
    let ((_sender, signal), _listeners) = (sender(&router), inline(&router, 1));
    let listen = |n| {
        let topic = match n / (ELSEWHERE / 4) {
            0 => "#channel".to_owned(),
            1 => format!("sender{n}"),
            2 => format!("sender{n}/e"),
            _ => format!("source/e{n}"),
        };
        router
            .add_listener(topic.as_str(), |_: &Event<'_>| {})
            .expect("a listener")
    };
    let _elsewhere: Vec<_> = (0..ELSEWHERE).map(listen).collect();
    let name = format!("trigger/inline/1, {ELSEWHERE} listeners elsewhere");
    c.bench_function(&name, |b| b.iter(|| trigger(&signal)));
}

/// Events in one round; fewer than hold up the sender.
const ROUND: u64 = 8192;

fn streams(c: &mut Criterion) {
    let mut group = c.benchmark_group("trigger");
    for count in [0, 1, 2] {
        let router = Router::new();
        let ((_sender, signal), _listeners) = (sender(&router), inline(&router, count));
        let mut stream = router.listen("source/e").expect("a stream");
        group.bench_function(BenchmarkId::new("stream and inline", count), |b| {
            b.iter_custom(|iterations| {
                let mut spent = std::time::Duration::ZERO;
                let mut left = iterations;
                while left > 0 {
                    let round = left.min(ROUND);
                    let began = std::time::Instant::now();
                    (0..round).for_each(|_| trigger(&signal));
                    spent += began.elapsed();
                    drain(&mut stream);
                    left -= round;
                }
                spent
            });
        });
    }
    group.finish();
}

fn main() {
    let mut c = Criterion::default().configure_from_args();
    functions(&mut c);
    crowd(&mut c);
    streams(&mut c);
    c.final_summary();
}
