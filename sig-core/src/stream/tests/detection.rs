//! What a listener makes of a peer's first bytes.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::*;
use crate::client::{Encoding, Reason};
use crate::stream::Dialect;
use crate::stream::detect;

/// The error for a peer that says this and closes.
async fn refusal(said: &[u8]) -> String {
    let (mut ours, mut theirs) = tokio::io::duplex(1024);
    theirs.write_all(said).await.unwrap();
    drop(theirs);
    let detected = detect::listener(&mut ours, Dialect::Auto, sig_wire::Encoding::Sig1, None).await;
    detected.unwrap_err().to_string()
}

#[tokio::test]
async fn a_native_peer_is_answered_and_announced() {
    let (side, give) = listener();
    let mut peer = give.peer(&PREFACE).await;
    let (_, info) = side.connected().await;
    assert_eq!((info.encoding, info.pacing), (Encoding::Sig1, None));
    assert_eq!(info.address, "pipe://peer");
    expect(&mut peer, &PREFACE).await;
}

#[tokio::test]
async fn a_packed_peer_gets_one_message_per_frame() {
    let (side, give) = listener();
    let mut peer = give.peer(&PACKED_PREFACE).await;
    let (id, info) = side.connected().await;
    assert_eq!((info.encoding, info.pacing), (Encoding::Packed, None));
    expect(&mut peer, &PACKED_PREFACE).await;

    side.send(id, &info, [7]).await.unwrap();
    expect(&mut peer, &frame(5, br#"{"id":7,"method":"m","params":null}"#)).await;

    let said = [frame(3, b""), frame(0x90, b"later"), frame(5, b"one"), frame(5, b"two")].concat();
    peer.write_all(&said).await.unwrap();
    assert_eq!(side.frame().await, "one");
    assert_eq!(side.frame().await, "two");
    peer.write_all(&frame(3, b"")).await.unwrap();
    assert_eq!(side.next().await, crate::stream::probe::Seen::Nothing(id));

    peer.write_all(&frame(1, b"{}")).await.unwrap();
    let (_, why) = side.disconnected().await;
    assert_eq!(why.reason, Reason::Kicked);
    assert!(why.detail.contains("kind 0x01"), "{why}");
}

#[tokio::test]
async fn a_pysig_peer_speaks_bare_documents() {
    for space in ["", " ", "\r\n\t            "] {
        let (side, give) = listener();
        let said = format!(r#"{space}{{"id":1,"method":"get_version"}}  {{"id":2}}"#);
        let mut peer = give.peer(said.as_bytes()).await;
        let (id, info) = side.connected().await;
        assert_eq!(info.encoding, Encoding::Packed);
        assert_eq!(info.pacing.unwrap().max_message, 4096);
        assert_eq!(side.frame().await, r#"{"id":1,"method":"get_version"}"#);
        assert_eq!(side.frame().await, r#"{"id":2}"#);

        side.send(id, &info, [1, 2]).await.unwrap();
        expect(
            &mut peer,
            br#"{"id":1,"method":"m","params":null}{"id":2,"method":"m","params":null}"#,
        )
        .await;
        peer.write_all(b"\n").await.unwrap();
        drop(peer);
        assert_eq!(side.disconnected().await.1.reason, Reason::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn it_does_not_matter_where_the_bytes_are_split() {
    let event = frame(2, &[1; 300]);
    let native = [&PREFACE[..], &frame(1, b"{}"), &event, &frame(3, b"")].concat();
    let pysig = br#" {"id":1,"params":{"a":"}\""}} {"id":2}"#.to_vec();
    for (said, frames) in [(native, 3), (pysig, 2)] {
        let mut whole: Option<Vec<Bytes>> = None;
        for at in 0..=said.len() {
            let (side, give) = listener();
            let mut peer = give.link(1 << 16, None).await;
            let (first, second) = said.split_at(at);
            peer.write_all(first).await.unwrap();
            // Time is paused, so it goes on only when the carrier waits: it has read the first part by then.
            tokio::time::sleep(Duration::from_millis(1)).await;
            peer.write_all(second).await.unwrap();
            side.connected().await;
            let mut got = Vec::new();
            for _ in 0..frames {
                got.push(side.frame().await);
            }
            assert_eq!(*whole.get_or_insert_with(|| got.clone()), got, "split at {at}");
        }
    }
}

#[tokio::test]
async fn byte_by_byte_is_the_same() {
    let (side, give) = listener();
    let mut peer = give.link(1, None).await;
    let said = [&PREFACE[..], &frame(1, b"first"), &frame(1, b"second")].concat();
    let (mut read, mut write) = tokio::io::split(&mut peer);
    let mut answer = [0; 12];
    let (wrote, answered) = tokio::join!(write.write_all(&said), read.read_exact(&mut answer));
    wrote.unwrap();
    answered.unwrap();
    assert_eq!(answer, PREFACE);
    side.connected().await;
    assert_eq!(side.frame().await, &frame(1, b"first")[4..]);
    assert_eq!(side.frame().await, &frame(1, b"second")[4..]);
}

#[tokio::test]
async fn strangers_are_told_apart() {
    for (said, looks_like) in [
        (&b"\x16\x03\x01\x02\x00"[..], "a TLS handshake"),
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"SSH-2.0-x", "SSH"),
        (b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f", "ZeroMQ"),
        (b"[1,2]", "a JSON array"),
        (b"\x93SIG\n\x1a\n", "damaged"),
        (b"\x00\x01\x02", "no protocol known here"),
    ] {
        let error = refusal(said).await;
        assert!(error.contains(looks_like), "{said:?}: {error}");
    }
    let error = refusal(&PREFACE[..5]).await;
    assert!(error.contains("middle of its preface"), "{error}");
}

#[tokio::test]
async fn a_refused_peer_costs_nobody_else_anything() {
    let (side, give) = listener();
    let mut friend = give.peer(&PREFACE).await;
    side.connected().await;
    let mut stranger = give.peer(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(rest(&mut stranger).await, b"");
    friend.write_all(&frame(1, b"{}")).await.unwrap();
    assert_eq!(side.frame().await, &frame(1, b"{}")[4..]);
}

#[tokio::test]
async fn another_version_is_answered_with_ours() {
    let (side, give) = listener();
    let mut offer = PREFACE;
    (offer[8], offer[9]) = (7, 9);
    let mut peer = give.peer(&offer).await;
    assert_eq!(rest(&mut peer).await, PREFACE);
    assert!(side.is_quiet());

    (offer[8], offer[9]) = (1, 9);
    let mut peer = give.peer(&offer).await;
    expect(&mut peer, &PREFACE).await;
    side.connected().await;
}

#[tokio::test]
async fn a_codec_of_ones_own_wants_packed_peers() {
    let (carrier, give) = pipes(false);
    let side = Side::start(carrier.with_codec(crate::Json));
    let mut peer = give.peer(&PREFACE).await;
    assert_eq!(rest(&mut peer).await, PACKED_PREFACE);
    let _peer = give.peer(&PACKED_PREFACE).await;
    assert_eq!(side.connected().await.1.encoding, Encoding::Packed);
}

#[tokio::test]
async fn a_dialect_can_be_forced() {
    let (carrier, give) = pipes(false);
    let side = Side::start(carrier.with_dialect(Dialect::Sig1));
    let mut peer = give.peer(b"{}").await;
    assert_eq!(rest(&mut peer).await, b"");
    let _peer = give.peer(&PREFACE).await;
    side.connected().await;

    let (carrier, give) = pipes(false);
    let side = Side::start(carrier.with_dialect(Dialect::Pysig));
    let _silent = give.peer(b"").await;
    assert!(side.connected().await.1.pacing.is_some());
}

#[tokio::test(start_paused = true)]
async fn patience_with_the_silent_is_what_the_link_says() {
    let (side, give) = listener();
    let start = Instant::now();
    let mut hurried = give.link(64, Some(Duration::from_secs(60))).await;
    let mut spaces = give.link(64, Some(Duration::from_secs(60))).await;
    let mut patient = give.link(64, None).await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    spaces.write_all(b"  ").await.unwrap();
    assert_eq!(rest(&mut hurried).await, b"");
    assert_eq!(rest(&mut spaces).await, b"");
    assert!((60..61).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());

    tokio::time::sleep(Duration::from_secs(86_400)).await;
    patient.write_all(b"{}").await.unwrap();
    side.connected().await;
}

#[tokio::test(start_paused = true)]
async fn half_a_preface_does_not_wait_for_ever() {
    let (side, give) = listener();
    let start = Instant::now();
    let mut peer = give.peer(&PREFACE[..11]).await;
    assert_eq!(rest(&mut peer).await, b"");
    assert!((10..11).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert!(side.is_quiet());
}

#[tokio::test]
async fn beyond_512_silent_peers_the_oldest_is_let_go() {
    let (side, give) = listener();
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(give.link(64, None).await);
    }
    let mut kept = silent.split_off(1000 - 512);
    for mut evicted in silent {
        assert_eq!(rest(&mut evicted).await, b"");
    }
    assert!(side.is_quiet());
    for peer in &mut kept {
        peer.write_all(b"{}").await.unwrap();
        side.connected().await;
        side.frame().await;
    }
}
