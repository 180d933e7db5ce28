//! A thousand connections that say nothing, or half of something: let go of, and the memory stays flat
//! (promise 10, "what must be shown" 7). Alone in its process, whose memory it measures.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::time::{Duration, Instant};

use sig_tests::raw::{Raw, control, hello};
use sig_tests::rig::{TcpServer, WAIT, connected, soon};
use sig_tests::strangers::{allow_many_files, closed, memory};
use sig_wire::{Encoding, Preface};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Most connections that may be undecided at a time.
const UNDECIDED: usize = 512;

/// How many of each sort come.
const SILENT: usize = 700;
const HALF: usize = 100;

/// How long half of something is waited for, and a little more.
const PATIENCE: Duration = Duration::from_secs(13);

/// How much memory all of them may cost at most.
const MEMORY: usize = 24 * 1024 * 1024;

async fn crowd(address: &str, count: usize, says: &[u8]) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut raw = Raw::connect(address).await;
        raw.send(says).await;
        streams.push(raw.stream);
    }
    streams
}

#[tokio::test]
async fn a_thousand_that_say_nothing_or_half_of_it_are_let_go_of() {
    allow_many_files();
    let server = TcpServer::start();
    let (publisher, listener) = (server.client(), server.client());
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let mut stream = listener.listen_remote("s/e").await.unwrap();
    connected(&publisher).await;
    connected(&listener).await;
    let (signal, mut states) = (sender.signal("e").unwrap(), listener.states());
    states.mark_unchanged();
    let before = memory().unwrap_or_default();

    let preface = Preface::new(Encoding::Sig1).encode();
    let greeting = control(&hello());
    // The frame could have 60,000 bytes; all but one of them are sent.
    let long = [&60_000_u32.to_le_bytes()[..], &[1, 0], &[b' '; 59_997]].concat();
    let half_hello = [&preface[..], &greeting[..greeting.len() / 2]].concat();
    let nearly_hello = [&preface[..], &long].concat();
    let address = &server.address;
    let half = [
        crowd(address, HALF, &preface[..5]).await,
        crowd(address, HALF, &half_hello).await,
        crowd(address, HALF, &nearly_hello).await,
        crowd(address, HALF, &preface).await,
        crowd(address, HALF, br#"{"id":1,"method":"get_ver"#).await,
    ]
    .into_iter()
    .flatten();
    let mut silent = crowd(address, SILENT, b"").await;
    let began = Instant::now();

    // The healthy ones go on among them.
    for n in 1..=1000_u64 {
        signal.trigger(&n).await.unwrap();
        assert_eq!(soon("an event", stream.recv()).await.unwrap().unwrap().number(), n);
    }
    let grown = memory().unwrap_or_default().saturating_sub(before);
    assert!(grown < MEMORY, "{grown} bytes more than before");

    // Whoever began something is let go of when it does not come to an end.
    for (index, stream) in half.enumerate() {
        let left = PATIENCE.saturating_sub(began.elapsed());
        timeout(left, closed(stream))
            .await
            .unwrap_or_else(|_| panic!("half {index} is still there"));
    }
    // Of the silent ones the oldest went, as many as are too many; the others can still begin.
    for stream in silent.drain(..SILENT - UNDECIDED) {
        soon("the end of a silent one", closed(stream)).await;
    }
    assert_eq!(server.router.clients().len(), 2, "none of them became a client");
    for mut stream in silent {
        stream.write_all(&preface).await.unwrap();
        let mut answer = [0; sig_wire::preface::LEN];
        soon("an answer", stream.read_exact(&mut answer)).await.unwrap();
    }
    assert!(!states.has_changed().unwrap());
    assert_eq!(server.router.close(WAIT).await.aborted, 0);
}
