//! A forwarder and what can happen on its links: peers that speak the protocol by hand, and peers that come, go, and do not read.

use std::time::Duration;

use sig_carrier_zmq::{
    Error, Forwarder, ForwarderBuilder, Kind, Library, LinkEvent, Message, Options, Pattern, Socket,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{SOON, World, options, until_heard};

const ANY: &str = "tcp://127.0.0.1:*";

async fn forwarder(pattern: Pattern, options: Options) -> Forwarder {
    let builder = Forwarder::of(pattern).bind_front(ANY).bind_back(ANY).options(options);
    builder.start().await.unwrap()
}

async fn connected(kind: Kind, at: &str) -> Socket {
    Socket::open(kind, options()).unwrap().connect(at).await.unwrap()
}

fn front(forwarder: &Forwarder) -> String {
    forwarder.front()[0].as_str().to_owned()
}

fn back(forwarder: &Forwarder) -> String {
    forwarder.back()[0].as_str().to_owned()
}

/// A peer that writes the bytes itself.
struct Raw(TcpStream);

impl Raw {
    async fn connect(at: &str) -> Self {
        Self(TcpStream::connect(at.strip_prefix("tcp://").unwrap()).await.unwrap())
    }

    /// As a socket of this type, after the handshake.
    async fn of(kind: Kind, at: &str) -> Self {
        let mut raw = Self::connect(at).await;
        raw.write(&greeting()).await;
        raw.write(&ready(kind)).await;
        raw.take(64).await;
        let head = raw.take(2).await;
        assert_eq!(head[0], 4, "READY is a command");
        raw.take(usize::from(head[1])).await;
        raw
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn take(&mut self, bytes: usize) -> Vec<u8> {
        let mut taken = vec![0; bytes];
        timeout(SOON, self.0.read_exact(&mut taken)).await.unwrap().unwrap();
        taken
    }

    /// Waits until the other side hangs up.
    async fn ended(&mut self) {
        let mut rest = [0; 1024];
        while timeout(SOON, self.0.read(&mut rest))
            .await
            .unwrap()
            .is_ok_and(|read| read > 0)
        {}
    }
}

fn greeting() -> [u8; 64] {
    let mut greeting = [0; 64];
    greeting[0] = 0xFF;
    greeting[9..12].copy_from_slice(&[0x7F, 3, 1]);
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

fn ready(kind: Kind) -> Vec<u8> {
    let name = kind.name();
    let ready = [
        b"\x05READY\x0bSocket-Type",
        &u32::try_from(name.len()).unwrap().to_be_bytes()[..],
        name.as_bytes(),
    ]
    .concat();
    [&[4, u8::try_from(ready.len()).unwrap()], &ready[..]].concat()
}

#[tokio::test]
async fn half_handshakes_end_in_time_and_keep_nobody_out_for_long() {
    let few = options()
        .max_pending_handshakes(2)
        .handshake_timeout(Duration::from_secs(1));
    let forwarder = forwarder(Pattern::Pipeline, few).await;
    let (mut silent, mut halfway) = (
        Raw::connect(&front(&forwarder)).await,
        Raw::connect(&front(&forwarder)).await,
    );
    // Both are in the middle of it: they have its greeting.
    silent.take(64).await;
    halfway.take(64).await;
    halfway.write(&[0xFF, 0, 0]).await;
    let began = std::time::Instant::now();
    Raw::connect(&front(&forwarder)).await.ended().await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "one too many is turned away at once"
    );
    silent.ended().await;
    halfway.ended().await;
    let (push, pull) = (
        connected(Kind::Push, &front(&forwarder)).await,
        connected(Kind::Pull, &back(&forwarder)).await,
    );
    push.send("x").await.unwrap();
    assert_eq!(pull.recv().await.unwrap(), "x".into());
}

#[tokio::test]
async fn what_is_broken_costs_its_own_link_and_what_came_before_it_goes_on() {
    let forwarder = forwarder(Pattern::Pipeline, options().max_message(1 << 20)).await;
    let pull = connected(Kind::Pull, &back(&forwarder)).await;
    for broken in [
        &b"\xF8garbage"[..],
        // A message of many gigabytes.
        &[2, 0, 0, 1, 0, 0, 0, 0, 0],
        // Parts of one that are too long together.
        &[&[1, 1, b'a', 3][..], &(1_u64 << 20).to_be_bytes()].concat(),
        // A command that there is not, cut short.
        &[4, 2, 9, b'x'],
    ] {
        let mut raw = Raw::of(Kind::Push, &front(&forwarder)).await;
        raw.write(&[&b"\x01\x01a\x00\x01b"[..], broken].concat()).await;
        raw.ended().await;
        assert_eq!(pull.recv().await.unwrap(), ["a", "b"].into());
    }
    // Killed in the middle of a message.
    let mut raw = Raw::of(Kind::Push, &front(&forwarder)).await;
    raw.write(b"\x00\x01c\x01\x05mess").await;
    drop(raw);
    // Not what belongs here.
    let mut raw = Raw::connect(&front(&forwarder)).await;
    raw.write(b"GET / HTTP/1.1\r\n\r\n").await;
    raw.ended().await;
    let push = connected(Kind::Push, &front(&forwarder)).await;
    assert_eq!(pull.recv().await.unwrap(), "c".into());
    push.send("d").await.unwrap();
    assert_eq!(pull.recv().await.unwrap(), "d".into());
    assert_eq!(forwarder.terminate().await.there.messages, 6);
}

#[tokio::test]
async fn pings_are_answered_and_other_commands_are_not_minded() {
    let forwarder = forwarder(Pattern::Topics, options()).await;
    let mut raw = Raw::of(Kind::Sub, &back(&forwarder)).await;
    raw.write(b"\x04\x06\x05NOVEL").await;
    raw.write(b"\x04\x09\x04PING\x00\x00ab").await;
    assert_eq!(raw.take(9).await, b"\x04\x07\x04PONGab");
}

#[tokio::test]
async fn a_ping_may_come_between_the_frames_of_a_message() {
    let forwarder = forwarder(Pattern::Pipeline, options()).await;
    let pull = connected(Kind::Pull, &back(&forwarder)).await;
    let mut raw = Raw::of(Kind::Push, &front(&forwarder)).await;
    raw.write(b"\x01\x01a\x04\x09\x04PING\x00\x00ab\x00\x01b").await;
    assert_eq!(raw.take(9).await, b"\x04\x07\x04PONGab");
    assert_eq!(pull.recv().await.unwrap(), ["a", "b"].into());
}

#[tokio::test]
async fn what_comes_along_with_the_end_of_a_handshake_is_not_lost() {
    let forwarder = forwarder(Pattern::Pipeline, options()).await;
    let pull = connected(Kind::Pull, &back(&forwarder)).await;
    let mut raw = Raw::connect(&front(&forwarder)).await;
    let rest = b"\x00\x01a\x01\x01b\x00\x01c\x00";
    raw.write(&[&greeting()[..], &ready(Kind::Push), rest].concat()).await;
    assert_eq!(pull.recv().await.unwrap(), "a".into());
    assert_eq!(pull.recv().await.unwrap(), ["b", "c"].into());
    raw.write(b"\x01d").await;
    assert_eq!(pull.recv().await.unwrap(), "d".into());
}

#[tokio::test]
async fn messages_of_every_size_go_on_as_they_are() {
    let forwarder = forwarder(Pattern::Requests, options()).await;
    let ask = connected(Kind::Req, &front(&forwarder)).await;
    let answer = connected(Kind::Rep, &back(&forwarder)).await;
    for size in [0, 1, 255, 256, 4 << 10, 16 << 10, 64 << 10, 3 << 20] {
        let body: Vec<u8> = (0..size).map(|place: usize| (place % 251) as u8).collect();
        let asked = Message::frames([b"".to_vec(), body.clone(), vec![1; 300], body]);
        ask.send(asked.clone()).await.unwrap();
        let request = answer.recv().await.unwrap();
        assert!(request == asked, "{size} bytes there");
        answer.send(request).await.unwrap();
        assert!(ask.recv().await.unwrap() == asked, "{size} bytes back");
    }
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_costs_the_others_nothing() {
    let forwarder = forwarder(Pattern::Topics, options().send_high_water(20)).await;
    let mut stuck = Raw::of(Kind::Sub, &back(&forwarder)).await;
    stuck.write(b"\x00\x01\x01").await;
    let fast = connected(Kind::Sub, &back(&forwarder))
        .await
        .subscribe("")
        .await
        .unwrap();
    let drops_nothing = Socket::open(Kind::Xpub, options().no_drop(true)).unwrap();
    let publisher = drops_nothing.connect(front(&forwarder)).await.unwrap();
    assert_eq!(publisher.recv().await.unwrap(), "\x01".into());
    // More than the system holds back for one link.
    for number in 0..400_u32 {
        publisher
            .send([number.to_be_bytes().to_vec(), vec![0; 100_000]])
            .await
            .unwrap();
        if number % 10 == 9 {
            for number in number - 9..=number {
                assert_eq!(fast.recv().await.unwrap().frame(0), Some(&number.to_be_bytes()[..]));
            }
        }
    }
    // It has missed messages, and each that it gets is whole and in order.
    let (mut got, mut last, mut topic) = (0, None, [0; 6]);
    while timeout(Duration::from_millis(300), stuck.0.read_exact(&mut topic))
        .await
        .is_ok()
    {
        assert_eq!(&topic[..2], b"\x01\x04");
        assert!(last.replace(topic).is_none_or(|last| last < topic));
        let body = stuck.take(9 + 100_000).await;
        assert_eq!(&body[..9], &[2, 0, 0, 0, 0, 0, 1, 0x86, 0xA0]);
        got += 1;
    }
    assert!((20..390).contains(&got), "{got}");
}

#[tokio::test]
async fn where_nothing_is_dropped_a_subscriber_that_does_not_read_is_waited_for() {
    let strict = options().send_high_water(20).no_drop(true);
    let forwarder = forwarder(Pattern::Topics, strict.clone()).await;
    let mut stuck = Raw::of(Kind::Sub, &back(&forwarder)).await;
    stuck.write(b"\x00\x01\x01").await;
    let publisher = Socket::open(Kind::Xpub, strict.send_timeout(Duration::from_millis(300))).unwrap();
    publisher.connect(front(&forwarder)).await.unwrap();
    assert_eq!(publisher.recv().await.unwrap(), "\x01".into());
    let mut sent = 0_u32;
    loop {
        match publisher.send([sent.to_be_bytes().to_vec(), vec![0; 100_000]]).await {
            Ok(()) => sent += 1,
            Err(error) => {
                assert!(error.is_timeout(), "{error}");
                break;
            }
        }
        assert!(sent < 10_000, "it never waits");
    }
    for number in 0..sent {
        assert_eq!(stuck.take(6).await[2..], number.to_be_bytes());
        stuck.take(9 + 100_000).await;
    }
}

#[tokio::test]
async fn publishers_hear_what_is_wanted_and_what_nobody_wants_any_more() {
    for world in World::all(&["tcp", "inproc"]) {
        let builder = Forwarder::of(Pattern::Topics)
            .bind_front(world.endpoint())
            .bind_back(world.endpoint());
        let forwarder = builder.options(options().library(world.bound)).start().await.unwrap();
        let early = world.there(Kind::Xpub).connect(front(&forwarder)).await.unwrap();
        let one = world.there(Kind::Sub).connect(back(&forwarder)).await.unwrap();
        let other = world.there(Kind::Sub).connect(back(&forwarder)).await.unwrap();
        one.subscribe("a").await.unwrap();
        assert_eq!(early.recv().await.unwrap(), "\x01a".into());
        other.subscribe("a").await.unwrap();
        other.subscribe("b").await.unwrap();
        assert_eq!(early.recv().await.unwrap(), "\x01b".into());
        let late = world.there(Kind::Xpub).connect(front(&forwarder)).await.unwrap();
        let mut told = [late.recv().await.unwrap(), late.recv().await.unwrap()].map(Message::into_frames);
        told.sort();
        assert_eq!(told, [["\x01a"], ["\x01b"]]);
        // Both ask for it, so that one who leaves changes nothing.
        one.close().await;
        other.unsubscribe("b").await.unwrap();
        assert_eq!(early.recv().await.unwrap(), "\0b".into());
        // Its link takes along what it asked for.
        other.close().await;
        assert_eq!(early.recv().await.unwrap(), "\0a".into());
        assert_eq!(late.recv().await.unwrap(), "\0b".into());
        assert_eq!(late.recv().await.unwrap(), "\0a".into());
    }
}

#[tokio::test]
async fn a_side_that_connects_does_so_again() {
    for world in World::all(&["tcp", "ipc", "inproc"]) {
        let (push, pull) = (world.here(Kind::Push), world.here(Kind::Pull));
        let (from, to) = (
            crate::world::bind(&push, &world.endpoint()).await,
            crate::world::bind(&pull, &world.endpoint()).await,
        );
        let prompt = options().reconnect(Duration::from_millis(10), Duration::from_millis(50));
        let builder: ForwarderBuilder = Forwarder::of(Pattern::Pipeline).connect_front(&from).connect_back(&to);
        let forwarder = builder.options(prompt.library(world.bound)).start().await.unwrap();
        assert_eq!(front(&forwarder), from);
        push.send("a").await.unwrap();
        assert_eq!(pull.recv().await.unwrap(), "a".into());
        let mut links = pull.monitor().unwrap();
        push.close().await;
        let push = world.here(Kind::Push).bind(&from).await.unwrap();
        push.send("b").await.unwrap();
        assert_eq!(pull.recv().await.unwrap(), "b".into());
        forwarder.terminate().await;
        while !matches!(
            timeout(SOON, links.next()).await.unwrap(),
            Some(LinkEvent::Disconnected { .. })
        ) {}
    }
}

#[tokio::test]
async fn who_comes_again_with_its_identity_gets_the_replies() {
    let forwarder = forwarder(Pattern::Requests, options()).await;
    let worker = connected(Kind::Dealer, &back(&forwarder)).await;
    let asker = || async {
        let socket = Socket::open(Kind::Dealer, options().identity("bench-3")).unwrap();
        socket.connect(front(&forwarder)).await.unwrap()
    };
    let first = asker().await;
    first.send("one").await.unwrap();
    let question = worker.recv().await.unwrap();
    assert_eq!(question, ["bench-3", "one"].into());
    let second = asker().await;
    second.send("two").await.unwrap();
    assert_eq!(worker.recv().await.unwrap(), ["bench-3", "two"].into());
    worker.send(question).await.unwrap();
    assert_eq!(second.recv().await.unwrap(), "one".into());
    // Nobody of that name, and nothing for anybody.
    worker.send(["nobody", "x"]).await.unwrap();
    worker.send("bench-3").await.unwrap();
    worker.send(["bench-3", "three"]).await.unwrap();
    assert_eq!(second.recv().await.unwrap(), "three".into());
    assert_eq!(forwarder.statistics().dropped, 2);
}

#[tokio::test]
async fn work_goes_to_those_in_turn_who_have_room() {
    let forwarder = forwarder(Pattern::Pipeline, options().send_high_water(10)).await;
    let push = connected(Kind::Push, &front(&forwarder)).await;
    let (one, other) = (
        connected(Kind::Pull, &back(&forwarder)).await,
        connected(Kind::Pull, &back(&forwarder)).await,
    );
    // Both are there.
    until_heard(&push, "warm", &one).await;
    until_heard(&push, "warm", &other).await;
    push.send("0").await.unwrap();
    for pull in [&one, &other] {
        while pull.recv_within(Duration::from_millis(50)).await.is_ok() {}
    }
    for number in 0..20_u32 {
        push.send(number.to_string()).await.unwrap();
    }
    for pull in [&one, &other] {
        for _ in 0..10 {
            pull.recv().await.unwrap();
        }
    }
    // One that never reads fills up, and the rest goes to the other.
    let _stuck = Raw::of(Kind::Pull, &back(&forwarder)).await;
    one.close().await;
    let reading = async {
        let mut got = 0;
        while other.recv_within(Duration::from_millis(500)).await.is_ok() {
            got += 1;
        }
        got
    };
    let pushing = async {
        for _ in 0..300_u32 {
            push.send(vec![0; 100_000]).await.unwrap();
        }
    };
    let (got, ()) = tokio::join!(reading, pushing);
    assert!(got > 150, "{got}");
    assert_eq!(forwarder.statistics().dropped, 0);
}

#[tokio::test]
async fn what_is_taken_when_it_ends_still_goes_out() {
    let forwarder = forwarder(Pattern::Pipeline, options().linger(SOON)).await;
    let mut slow = Raw::of(Kind::Pull, &back(&forwarder)).await;
    let push = connected(Kind::Push, &front(&forwarder)).await;
    for _ in 0..100_u32 {
        push.send(vec![7; 100_000]).await.unwrap();
    }
    while forwarder.statistics().there.messages < 100 {
        tokio::task::yield_now().await;
    }
    let (told, ()) = tokio::join!(forwarder.terminate(), async {
        for _ in 0..100 {
            slow.take(9 + 100_000).await;
        }
        slow.ended().await;
    });
    assert_eq!((told.there.messages, told.dropped), (100, 0));

    // Without room, as long as it lingers and no longer.
    let forwarder = super::links::forwarder(Pattern::Pipeline, options().linger(Duration::from_millis(50))).await;
    let _stuck = Raw::of(Kind::Pull, &back(&forwarder)).await;
    let push = connected(Kind::Push, &front(&forwarder)).await;
    for _ in 0..100_u32 {
        push.send(vec![7; 100_000]).await.unwrap();
    }
    timeout(SOON / 2, forwarder.terminate()).await.unwrap();
    let error = push.send_within("x", Duration::ZERO).await;
    assert!(
        error.as_ref().is_err_and(Error::is_timeout) || error.is_ok(),
        "{error:?}"
    );
}

#[tokio::test]
async fn prefixes_that_are_too_long_or_too_many_end_nothing_but_their_link() {
    let forwarder = forwarder(Pattern::Topics, options()).await;
    let socket = Socket::open(Kind::Pub, options().library(Library::Omq)).unwrap();
    let bound = crate::world::bind(&socket, ANY).await;
    for at in [&back(&forwarder), &bound] {
        // One that is longer than what a library can look for without an end of its stack.
        let mut raw = Raw::of(Kind::Sub, at).await;
        let size = (4_u64 << 20) + 1;
        raw.write(&[&[2][..], &size.to_be_bytes(), &[1], &vec![b'l'; 4 << 20]].concat())
            .await;
        // Many, each of them the beginning of the next.
        let mut raw = Raw::of(Kind::Sub, at).await;
        for length in 0..3000_u64 {
            let prefix = vec![b'l'; usize::try_from(length).unwrap()];
            let frame = [&[2][..], &(length + 1).to_be_bytes(), &[1], &prefix].concat();
            // The forwarder has hung up by then.
            let _ = raw.0.write_all(&frame).await;
        }
    }
    let publisher = connected(Kind::Xpub, &front(&forwarder)).await;
    let subscriber = connected(Kind::Sub, &back(&forwarder))
        .await
        .subscribe("x")
        .await
        .unwrap();
    while publisher.recv().await.unwrap() != "\x01x".into() {}
    publisher.send("x").await.unwrap();
    assert_eq!(subscriber.recv().await.unwrap(), "x".into());
    let subscriber = connected(Kind::Sub, &bound).await.subscribe("y").await.unwrap();
    assert_eq!(until_heard(&socket, "y", &subscriber).await, "y".into());
}
