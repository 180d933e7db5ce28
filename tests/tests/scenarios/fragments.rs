//! W1: one conversation, cut in two at every byte boundary, and into single bytes.

use std::sync::Arc;

use serde_json::json;
use sig_core::StreamCarrier;
use sig_router::ServerRouter;
use sig_tests::media::{Handed, Pieces};
use sig_tests::raw::{Raw, call, control, event, frame, hello};
use sig_tests::rig::{TcpServer, holds, soon};
use sig_wire::{Encoding, Flags, Kind, Preface};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

/// What a client says from its first byte on, apart from events: those need the alias.
fn opening() -> Vec<u8> {
    [
        Preface::new(Encoding::Sig1).encode().to_vec(),
        control(&hello()),
        frame(Kind::Heartbeat, Flags::NONE, &[]),
        call(1, "add_sender", &json!({ "sender": "s", "events": ["e"] })),
    ]
    .concat()
}

/// Events, with other frames among them.
fn events(alias: u32) -> Vec<u8> {
    [
        event(alias, 1, b"1"),
        frame(Kind::Ignorable(0x90), Flags::NONE, b"of a later version"),
        event(alias, 2, br#""two""#),
        call(2, "get_version", &json!({})),
        event(alias, 3, br#"{"three":[3,3,3]}"#),
        call(3, "remove_sender", &json!({ "sender": "s" })),
    ]
    .concat()
}

/// The alias that the server gave the event, from what it has said.
async fn alias(answers: &mut tokio::io::DuplexStream) -> u32 {
    let mut said = Vec::new();
    loop {
        let mut buffer = [0; 1024];
        let read = soon("an answer", answers.read(&mut buffer)).await.unwrap();
        assert!(read > 0, "the server ended the link");
        said.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&said);
        let found = text
            .split_once(r#""aliases":{"e":"#)
            .and_then(|(_, rest)| rest.split_once('}'));
        if let Some((alias, _)) = found {
            return alias.parse().unwrap();
        }
    }
}

struct Sides {
    server: ServerRouter,
    give: mpsc::Sender<Pieces>,
}

impl Sides {
    fn new() -> Self {
        let server = ServerRouter::new().unwrap();
        let (medium, give) = Handed::new();
        server.attach(Arc::new(StreamCarrier::new(medium)));
        Self { server, give }
    }

    /// Holds the conversation in pieces of these sizes (the last one is repeated) and checks what comes of it.
    async fn converse(&self, opening_pieces: &[usize], event_pieces: &[usize]) {
        let mut stream = self.server.listen("s").unwrap();
        let (io, feed, mut answers) = Pieces::new();
        self.give.send(io).await.unwrap();
        send(&feed, &opening(), opening_pieces).await;
        let alias = alias(&mut answers).await;
        send(&feed, &events(alias), event_pieces).await;
        let mut heard = Vec::<(String, u64, String)>::new();
        while heard.last().is_none_or(|(name, ..)| name != "#disconnect") {
            let event = soon("an event", stream.recv()).await.unwrap().unwrap();
            let text = event.payload().unwrap().json_text().unwrap().to_string();
            heard.push((event.name().to_string(), event.number(), text));
        }
        let expected = [(1, "1"), (2, r#""two""#), (3, r#"{"three":[3,3,3]}"#)];
        assert_eq!(
            heard.len(),
            5,
            "{heard:?} in pieces of {opening_pieces:?}, {event_pieces:?}"
        );
        for ((name, number, text), (wanted, data)) in heard[1..4].iter().zip(expected) {
            assert_eq!((name.as_str(), *number, text.as_str()), ("e", wanted, data));
        }
        drop(feed);
        holds("the client is gone", || self.server.clients().is_empty()).await;
    }
}

async fn send(feed: &mpsc::Sender<Vec<u8>>, mut bytes: &[u8], pieces: &[usize]) {
    let mut sizes = pieces.iter().copied();
    let mut size = usize::MAX;
    while !bytes.is_empty() {
        size = sizes.next().unwrap_or(size);
        let (piece, rest) = bytes.split_at(size.min(bytes.len()));
        feed.send(piece.to_vec()).await.unwrap();
        bytes = rest;
    }
}

#[tokio::test]
async fn w1_a_conversation_cut_at_every_byte_boundary() {
    let sides = Sides::new();
    for cut in 1..opening().len() {
        sides.converse(&[cut, usize::MAX], &[usize::MAX]).await;
    }
    // The alias is a fixed-size field: the frames have the same length whichever it is.
    for cut in 1..events(0).len() {
        sides.converse(&[usize::MAX], &[cut, usize::MAX]).await;
    }
    for size in 1..=17 {
        sides.converse(&[size], &[size]).await;
    }
}

#[tokio::test]
async fn w1_single_bytes_over_tcp() {
    let server = TcpServer::start();
    let mut stream = server.router.listen("s/e").unwrap();
    let mut raw = Raw::hello(&server.address).await;
    let added = raw
        .call(1, "add_sender", &json!({ "sender": "s", "events": ["e"] }))
        .await;
    let alias = added["response"]["aliases"]["e"].as_u64().unwrap() as u32;
    for byte in events(alias) {
        raw.send(&[byte]).await;
    }
    assert_eq!(raw.reply(2).await["response"], "1.01");
    for number in 1..=3 {
        assert_eq!(soon("an event", stream.recv()).await.unwrap().unwrap().number(), number);
    }
}
