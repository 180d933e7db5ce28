//! The parts on the way of an event, each alone: `cargo bench -p sig-bench`. Continuous integration compiles this and
//! times nothing.

#![expect(missing_docs, reason = "criterion makes a public function of a group")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use sig_core::{Call, Codec as _, Json, Message, Payload, RawJson};
use sig_router::{Event, Listener, Router, Sender, Signal};
use sig_wire::{EventFrame, EventHeader, MAX_FRAME_DEFAULT, Split, split};

/// As many frames as one read brings.
const FRAMES: u64 = 700;
/// How many listeners there are elsewhere.
const ELSEWHERE: usize = 100_000;

fn header(number: u64) -> EventHeader {
    EventHeader { alias: 7, number }
}

fn framing(c: &mut Criterion) {
    let mut group = c.benchmark_group("framing");
    group.throughput(Throughput::Elements(FRAMES));
    let payload = [b'x'; 64];
    let write = |out: &mut Vec<u8>| {
        out.clear();
        for number in 0..FRAMES {
            let head = header(number).encode_head(payload.len(), MAX_FRAME_DEFAULT);
            out.extend_from_slice(&head.expect("it is small"));
            out.extend_from_slice(&payload);
        }
    };
    let mut out = Vec::new();
    group.bench_function("write 64 B events", |b| b.iter(|| write(black_box(&mut out))));
    group.bench_function("find 64 B events in a read", |b| {
        b.iter(|| {
            let mut rest: &[u8] = black_box(&out);
            let mut sum = 0;
            while let Ok(Split::Frame(frame)) = split(rest, MAX_FRAME_DEFAULT) {
                let event = EventFrame::parse(&frame).expect("it was written so");
                sum += event.header.number + event.payload.len() as u64;
                rest = &rest[frame.size()..];
            }
            sum
        });
    });
    group.finish();
}

fn codec(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec");
    let params = RawJson::from_text(r#"{"sender":"oracle","method":"echo","params":"0000000042","deadline_ms":10000}"#);
    let call = Message::Call(Call::new(12, "request", params.expect("it is JSON")));
    let mut packed = BytesMut::new();
    Json.pack(&call, &mut packed).expect("it can be written");
    let packed = packed.freeze();
    let mut out = BytesMut::with_capacity(1024);
    group.bench_function("pack a request", |b| {
        b.iter(|| {
            out.clear();
            Json.pack(black_box(&call), &mut out)
        });
    });
    group.bench_function("unpack a request", |b| {
        b.iter(|| Json.unpack(black_box(packed.clone())))
    });
    group.bench_function("pack a value", |b| {
        b.iter(|| Payload::json(black_box(&(20.5, "celsius"))))
    });
    group.finish();
}

/// A sender with a signal, and what keeps it and its listeners alive.
struct World {
    router: Router,
    _sender: Sender,
    signal: Signal,
    _listeners: Vec<Listener>,
}

impl World {
    fn new(elsewhere: usize) -> Self {
        let router = Router::new();
        let sender = router.add_sender("clock").events(["tick", "tock"]).connect();
        let sender = sender.expect("the name is free");
        let listen = |topic: String| {
            let function = |event: &Event<'_>| {
                black_box(event.value::<u64>());
            };
            router.add_listener(topic.as_str(), function).expect("it is a topic")
        };
        let here = std::iter::once(listen("clock/tick".to_owned()));
        let there = (0..elsewhere).map(|number| listen(format!("other{}/event{number}", number % 1000)));
        Self {
            signal: sender.signal("tick").expect("it was declared"),
            _listeners: here.chain(there).collect(),
            _sender: sender,
            router,
        }
    }
}

fn table(c: &mut Criterion) {
    let mut group = c.benchmark_group("table");
    for elsewhere in [0, ELSEWHERE] {
        let world = World::new(elsewhere);
        group.bench_function(format!("listen, trigger, unlisten beside {elsewhere}"), |b| {
            b.iter(|| {
                let listener = world.router.add_listener("clock/tick", |_: &Event<'_>| {});
                let triggered = world.signal.try_trigger(black_box(&1u64));
                (listener.is_ok(), triggered)
            });
        });
    }
    group.finish();
}

criterion_group!(parts, framing, codec, table);
criterion_main!(parts);
