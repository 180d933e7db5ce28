//! A ROUTER socket and whoever comes: three hundred DEALERs at once, connections that say nothing or half of something, sizes that
//! nobody has. Others are not affected, and the memory stays flat. Alone in its process, whose memory it measures.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::sync::Arc;

use sig_carrier_zmq::{Message, Socket};
use sig_router::{ClientRouter, ServerRouter};
use sig_tests::rig::{client_over, connected, holds, soon};
use sig_tests::strangers::{allow_many_files, closed, memory};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const DEALERS: usize = 300;
const SILENT: usize = 500;
const HALF: usize = 200;
const FORGED: usize = 100;
const SHAKEN: usize = 560;

/// Most connections that may say nothing after their handshake.
const MOST_SILENT: usize = 512;

/// How much memory the strangers may cost at most.
const MEMORY: usize = 64 * 1024 * 1024;

/// What opens a connection of ZeroMQ 3.1 without security, and then tells that a DEALER is there.
const GREETING: [u8; 64] = {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[11] = 1;
    let (null, mut at) = (b"NULL", 0);
    while at < null.len() {
        greeting[12 + at] = null[at];
        at += 1;
    }
    greeting
};
const READY: &[u8] = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER";

struct World {
    server: ServerRouter,
    endpoint: String,
    /// Who must not notice anything.
    neighbour: ClientRouter,
}

impl World {
    async fn new() -> Self {
        let listener = sig_carrier_zmq::listen("tcp://127.0.0.1:*").unwrap();
        let endpoint = listener.endpoint().to_owned();
        let server = ServerRouter::new().unwrap();
        server.attach(Arc::new(listener));
        let neighbour = client_over(sig_carrier_zmq::dial(&endpoint).unwrap());
        connected(&neighbour).await;
        Self {
            server,
            endpoint,
            neighbour,
        }
    }

    /// The neighbour is served.
    async fn is_well(&self) {
        let answer = soon("the neighbour's answer", self.neighbour.remote_version()).await;
        assert_eq!(answer.unwrap(), "1.01");
    }

    async fn stranger(&self) -> TcpStream {
        TcpStream::connect(self.endpoint.trim_start_matches("tcp://"))
            .await
            .unwrap()
    }

    /// A connection that has shaken hands, without a ZeroMQ library at this end.
    async fn forger(&self) -> TcpStream {
        let mut stream = self.stranger().await;
        stream.write_all(&GREETING).await.unwrap();
        stream.write_all(READY).await.unwrap();
        let mut greeting = [0; 64];
        soon("a greeting", stream.read_exact(&mut greeting)).await.unwrap();
        let mut size = [0; 2];
        soon("a handshake", stream.read_exact(&mut size)).await.unwrap();
        let mut ready = vec![0; usize::from(size[1])];
        soon("a handshake", stream.read_exact(&mut ready)).await.unwrap();
        assert!(ready.starts_with(b"\x05READY"), "{}", ready.escape_ascii());
        stream
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_loses_nothing_and_strangers_cost_nothing() {
    allow_many_files();
    let world = World::new().await;
    world.is_well().await;

    // Each sends one message, the first thing that it does, and waits for the answer.
    let mut crowd = JoinSet::new();
    for number in 0..DEALERS {
        let endpoint = world.endpoint.clone();
        crowd.spawn(async move {
            let dealer = Socket::dealer().unwrap();
            dealer.connect(&endpoint).await.unwrap();
            let call = format!(r#"{{"id":{number},"method":"get_version"}}"#);
            dealer.send(Message::from(call)).await.unwrap();
            let reply = soon("a reply", dealer.recv()).await.unwrap();
            let reply: serde_json::Value = serde_json::from_slice(reply.frame(0).unwrap()).unwrap();
            assert_eq!(
                (reply["id"].as_u64(), reply["status"].as_i64()),
                (Some(number as u64), Some(0))
            );
            dealer
        });
    }
    let dealers = crowd.join_all().await;
    assert_eq!(world.server.clients().len(), DEALERS + 1);
    world.is_well().await;
    for dealer in dealers {
        dealer.close().await;
    }
    holds("all have left", || world.server.clients().len() == 1).await;

    let before = memory().unwrap_or_default();
    let mut idle = Vec::new();
    for _ in 0..SILENT {
        idle.push(world.stranger().await);
    }
    world.is_well().await;
    for at in 0..HALF {
        let mut stream = world.stranger().await;
        let greeted = [&GREETING[..], READY].concat();
        stream.write_all(&greeted[..at % greeted.len()]).await.unwrap();
        idle.push(stream);
    }
    world.is_well().await;
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0; 4096],
        &[0xff; 4096],
        b"{\"id\":1,\"method\":\"get_version\"}",
    ] {
        let mut stream = world.stranger().await;
        let _ = stream.write_all(garbage).await;
        idle.push(stream);
    }
    world.is_well().await;
    for at in 0..FORGED {
        // A frame of a terabyte, and one just above what is allowed.
        let size = if at % 2 == 0 { 1u64 << 40 } else { 17 << 20 };
        let mut stream = world.forger().await;
        stream
            .write_all(&[&[0x02][..], &size.to_be_bytes(), b"and more"].concat())
            .await
            .unwrap();
        soon("the end of a forged frame", closed(stream)).await;
    }
    world.is_well().await;
    // Claims that are allowed: nothing is set aside for what was not sent.
    for _ in 0..FORGED {
        let mut stream = world.forger().await;
        stream
            .write_all(&[&[0x02][..], &(15u64 << 20).to_be_bytes(), b"no more"].concat())
            .await
            .unwrap();
        idle.push(stream);
    }
    world.is_well().await;
    // Who has shaken hands and says nothing may stay, up to a number: then the oldest is let go.
    let mut shaken = JoinSet::new();
    for _ in 0..SHAKEN {
        shaken.spawn(closed(world.forger().await));
    }
    // Those of the claims are older.
    for _ in 0..SHAKEN - MOST_SILENT {
        soon("one that is let go", shaken.join_next()).await.unwrap().unwrap();
    }
    world.is_well().await;
    let grown = memory().unwrap_or_default().saturating_sub(before);
    println!("{} KiB for {} strangers", grown >> 10, idle.len() + shaken.len());
    assert!(grown < MEMORY, "{} KiB for {} strangers", grown >> 10, idle.len());
    assert_eq!(world.server.clients().len(), 1, "none of them is a client");
    drop((idle, shaken));

    // A message that no session begins with is answered, and one that breaks sig/1 costs its own link.
    let dealer = Socket::dealer().unwrap();
    dealer.connect(&world.endpoint).await.unwrap();
    for bad in [&b"\xc0\xff\xee"[..], b"", b"\x93SIG\r\n\x1a\n\x05\x01\x00\x00"] {
        dealer.send(Message::from(bad.to_vec())).await.unwrap();
        let reply = soon("a reply", dealer.recv()).await.unwrap();
        assert!(
            reply.frame(0).unwrap().starts_with(b"{\"id\":null,\"status\":-2"),
            "{reply:?}"
        );
    }
    let offer = sig_wire::Preface::new(sig_wire::Encoding::Sig1).encode();
    dealer.send(Message::from(offer.to_vec())).await.unwrap();
    assert_eq!(
        soon("an answer", dealer.recv()).await.unwrap().frame(0).unwrap(),
        &offer[..]
    );
    dealer
        .send(Message::from(&b"\xff\xff\xff\xff\x01\x00"[..]))
        .await
        .unwrap();
    let refusal = soon("a refusal", dealer.recv()).await.unwrap();
    assert!(
        refusal.frame(0).unwrap().windows(6).any(|part| part == b"refuse"),
        "{refusal:?}"
    );
    let goodbye = soon("a goodbye", dealer.recv()).await.unwrap();
    assert_eq!(goodbye, Message::from(""));
    holds("it is gone", || world.server.clients().len() == 1).await;
    world.is_well().await;
}
