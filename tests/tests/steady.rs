//! Who stays takes no more memory for all that come and go, and for links that are cut.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::alloc::System;
use std::sync::Arc;

use sig_core::bytes::{BufMut as _, Bytes, BytesMut};
use sig_core::{Codec, CodecError, EventMessage, Json, Message};
use sig_router::{ClientRouter, Event, Listen, Payload, Policy, RemoteEventStream, RemoteSender, Router, ServerRouter};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, client_of, client_over, connected, disconnected, holds, soon};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::Mutex;

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Memory is counted for the whole program: one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Events of each sender that comes and goes: many, so that what is remembered for a while is full soon.
const EVENTS: usize = 60;

/// What a visit may cost for good: less than anything that is remembered of it.
const SLACK: usize = 500;

/// The same where aliases of its events are remembered for a while.
const SLACK_OF_EVENTS: usize = 75 * EVENTS;

fn in_use() -> usize {
    let stats = MEMORY.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// Sees to it that what is in use does not grow from one round of visits to the next.
///
/// What may be of use for a while is thrown away by the thousand, now this and now that. So it is the least of a round
/// that counts, and the first round does not: it is when all that fills up.
async fn stays_flat(visits: usize, slack: usize, mut visit: impl AsyncFnMut(&str)) {
    let mut least = Vec::new();
    for round in 0..3 {
        let mut lowest = usize::MAX;
        for n in 0..visits {
            visit(&format!("visitor{}", round * visits + n)).await;
            lowest = lowest.min(in_use());
        }
        least.push(lowest);
    }
    println!("bytes in use at least: {least:?}");
    assert!(least[2] < least[1] + visits * slack, "it grows: {least:?} bytes");
}

/// A server, one who stays, and where others come from.
struct World {
    server: TcpServer,
    cable: Proxy,
    stays: ClientRouter,
    stream: RemoteEventStream,
}

fn events() -> Vec<String> {
    (0..EVENTS).map(|n| format!("event{n}")).collect()
}

impl World {
    async fn new(topic: &str) -> Self {
        let server = TcpServer::start();
        let cable = Proxy::to(&server.address).await;
        let stays = client_of(&cable.address.to_string());
        let stream = stays.listen_remote(topic).await.unwrap();
        Self {
            server,
            cable,
            stays,
            stream,
        }
    }

    /// A sender comes and triggers each of its events.
    async fn visit(&self, from: &ClientRouter, name: &str) -> RemoteSender {
        let events = events();
        let sender = from.add_remote_sender(name).events(events.iter().map(String::as_str));
        let sender = sender.event("last").keep_last().connect().await.unwrap();
        for event in &events {
            sender.signal(event).unwrap().trigger(&7).await.unwrap();
        }
        let kept = Payload::from_bytes(vec![7; 1000]);
        sender.signal("last").unwrap().trigger(&kept).await.unwrap();
        sender
    }

    async fn heard_leave(&mut self, name: &str) {
        loop {
            let event = soon("its leaving", self.stream.recv()).await.unwrap();
            if event.is_ok_and(|event| event.sender().as_str() == name && event.name().as_str() == "#disconnect") {
                return;
            }
        }
    }

    async fn cut(&self) {
        self.cable.set(Cable::Cut);
        disconnected(&self.stays).await;
        self.cable.set(Cable::Whole);
        connected(&self.stays).await;
    }
}

#[tokio::test]
async fn promise_6_a_listener_remembers_no_senders_that_left() {
    let _alone = ALONE.lock().await;
    let mut world = World::new("*").await;
    let other = world.server.client();
    // Aliases that are over are told when there are more than a thousand.
    stays_flat(200, SLACK_OF_EVENTS, async |name| {
        world.visit(&other, name).await.remove().await;
        world.heard_leave(name).await;
    })
    .await;
}

#[tokio::test]
async fn promise_6_nor_those_that_left_before_its_link_was_cut() {
    let _alone = ALONE.lock().await;
    let mut world = World::new("*").await;
    let other = world.server.client();
    stays_flat(60, SLACK_OF_EVENTS, async |name| {
        world.visit(&other, name).await.remove().await;
        world.heard_leave(name).await;
        world.cut().await;
    })
    .await;
}

#[tokio::test]
async fn promise_6_nor_those_that_left_while_its_link_was_cut() {
    let _alone = ALONE.lock().await;
    let mut world = World::new("*").await;
    let other = world.server.client();
    stays_flat(60, SLACK_OF_EVENTS, async |name| {
        let sender = world.visit(&other, name).await;
        world.cable.set(Cable::Cut);
        world.heard_leave(name).await;
        sender.remove().await;
        world.cable.set(Cable::Whole);
        connected(&world.stays).await;
    })
    .await;
}

#[tokio::test]
async fn promise_6_a_server_remembers_no_clients_that_left() {
    let _alone = ALONE.lock().await;
    let world = World::new("here/e").await;
    stays_flat(60, SLACK, async |name| {
        let client = world.server.client();
        let _listener = client.add_remote_listener("visitor", |_: &Event<'_>| {}).await.unwrap();
        let _stream = client.listen_remote((name, "e")).await.unwrap();
        let _sender = world.visit(&client, name).await;
        drop(client);
        holds("it has left", || world.server.router.clients().len() == 1).await;
    })
    .await;
    let known: Vec<_> = world.server.router.router().senders();
    assert_eq!(known.len(), 1, "all but the one that is listened to: {known:?}");
}

#[tokio::test]
async fn promise_6_nobody_remembers_topics_to_which_nobody_listens() {
    let _alone = ALONE.lock().await;
    let world = World::new("here/e").await;
    let _here = world.server.router.add_sender("here").event("e").connect().unwrap();
    stays_flat(60, SLACK, async |name| {
        for event in events() {
            for topic in [
                format!("{name}/{event}"),
                format!("here/{name}{event}"),
                format!("#{name}{event}"),
            ] {
                let stream = world.stays.listen_remote(topic.as_str()).await.unwrap();
                stream.unlisten().await;
            }
        }
        world.cut().await;
    })
    .await;
}

#[tokio::test]
async fn promise_6_a_listener_remembers_nothing_of_a_senders_former_lives() {
    let _alone = ALONE.lock().await;
    let router = Router::new();
    let mut stream = router.listen("*").unwrap();
    stays_flat(200, SLACK, async |_| {
        let events = events();
        let sender = router.add_sender("always the same");
        let sender = sender.events(events.iter().map(String::as_str)).connect().unwrap();
        for event in &events {
            sender.signal(event).unwrap().try_trigger(&7).unwrap();
        }
        drop(sender);
        while !stream.is_empty() {
            stream.recv().await.unwrap().unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn promise_6_a_queue_that_was_full_gives_its_memory_back() {
    let _alone = ALONE.lock().await;
    const MANY: u64 = 100_000;
    let router = Router::new();
    let sender = router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    for policy in [Policy::DropOldest(1 << 20), Policy::DropNewest(1 << 20)] {
        let before = in_use();
        let mut stream = router.listen(Listen::to("s/e").unwrap().policy(policy)).unwrap();
        (0..MANY).for_each(|n| signal.try_trigger(&n).unwrap());
        assert_eq!(stream.len() as u64, MANY);
        let full = in_use() - before;
        while !stream.is_empty() {
            stream.recv().await.unwrap().unwrap();
        }
        let empty = in_use().saturating_sub(before);
        println!("{full} bytes when it is full, {empty} when it is empty");
        assert!(empty < full / 100, "{policy:?}: {empty} of {full} bytes");
    }
}

#[tokio::test]
async fn promise_6_a_stream_inside_one_process_remembers_no_senders_that_left() {
    let _alone = ALONE.lock().await;
    let router = Router::new();
    let mut stream = router.listen("*").unwrap();
    stays_flat(60, SLACK, async |name| {
        let events = events();
        let sender = router.add_sender(name).events(events.iter().map(String::as_str));
        let sender = sender.connect().unwrap();
        for event in &events {
            sender.signal(event).unwrap().try_trigger(&7).unwrap();
        }
        drop(sender);
        while !stream.is_empty() {
            stream.recv().await.unwrap().unwrap();
        }
    })
    .await;
}

/// JSON, but for events: their data is given back where it lies in the frame.
#[derive(Debug)]
struct InPlace;

/// Before the data of an event: 1, alias and number.
const HEAD: usize = 13;

impl Codec for InPlace {
    fn name(&self) -> &'static str {
        "in place"
    }

    fn pack(&self, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        let Message::Event(event) = message else {
            return Json.pack(message, out);
        };
        out.put_u8(1);
        out.put_u32(event.alias);
        out.put_u64(event.number);
        out.put_slice(event.payload.bytes());
        Ok(())
    }

    fn unpack(&self, frame: Bytes) -> Result<Message, CodecError> {
        let Some((&[1, a, b, c, d, ref number @ ..], _)) = frame.split_first_chunk::<HEAD>() else {
            return Json.unpack(frame);
        };
        Ok(Message::Event(EventMessage {
            alias: u32::from_be_bytes([a, b, c, d]),
            number: u64::from_be_bytes(*number),
            ext: Bytes::new(),
            payload: Payload::from_bytes(frame.slice(HEAD..)),
        }))
    }
}

/// Eight bytes of each of many events come among many others, are kept as last values, and wait for a listener: they are
/// all that is remembered of what was read.
async fn keeps_no_buffers(server: &ServerRouter, publisher: &ClientRouter) {
    const KEPT: usize = 150;
    let names: Vec<_> = (0..KEPT).map(|n| format!("kept{n}")).collect();
    let mut adding = publisher.add_remote_sender("s").event("filler");
    for name in &names {
        adding = adding.event(name.as_str()).keep_last();
    }
    let sender = adding.connect().await.unwrap();
    let mut filled = server.listen("s/filler").unwrap();
    let waiting: Vec<_> = names
        .iter()
        .map(|name| server.listen(("s", name.as_str())).unwrap())
        .collect();
    let filler = Payload::from_bytes(vec![0; 16 * 1024]);
    let round = async |filled: &mut sig_router::EventStream| {
        for name in &names {
            sender
                .signal(name)
                .unwrap()
                .trigger(&Payload::from_bytes(vec![7; 8]))
                .await
                .unwrap();
            for _ in 0..4 {
                sender.signal("filler").unwrap().trigger(&filler).await.unwrap();
            }
            for _ in 0..4 {
                soon("a filler", filled.recv()).await.unwrap().unwrap();
            }
        }
    };
    let before = in_use();
    round(&mut filled).await;
    let grown = in_use().saturating_sub(before);
    println!("{} bytes for each", grown / KEPT);
    assert!(waiting.iter().all(|stream| stream.len() == 1));
    // The links were busy just now, and have their buffers still.
    assert!(grown < KEPT * 3000 + (1 << 20), "{grown} bytes for {KEPT} times eight");
}

#[tokio::test]
async fn promise_6_what_is_kept_or_waits_keeps_no_read_buffer_alive() {
    let _alone = ALONE.lock().await;
    let server = TcpServer::start();
    keeps_no_buffers(&server.router, &server.client()).await;
}

#[tokio::test]
async fn promise_6_nor_where_a_codec_gives_it_back_in_place() {
    let _alone = ALONE.lock().await;
    let server = ServerRouter::new().unwrap();
    let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap().with_codec(InPlace);
    let address = listener.medium().local_addr().to_string();
    server.attach(Arc::new(listener));
    let client = client_over(sig_carrier_tcp::dial(&address).unwrap().with_codec(InPlace));
    keeps_no_buffers(&server, &client).await;
}
