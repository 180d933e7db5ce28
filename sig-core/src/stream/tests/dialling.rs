//! Links that this side opened.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::*;
use crate::client::{Encoding, Reason};
use crate::stream::Dialect;

/// A dialler that runs, and the peer's end of its first link.
async fn dialler(dialect: Dialect) -> (Side<StreamCarrier<Pipes>>, Give, DuplexStream) {
    let (carrier, give) = pipes(true);
    let side = Side::start(carrier.with_dialect(dialect));
    let peer = give.link(1 << 16, None).await;
    (side, give, peer)
}

#[tokio::test]
async fn a_native_peer_is_greeted_first() {
    for dialect in [Dialect::Auto, Dialect::Sig1] {
        let (mut side, _give, mut peer) = dialler(dialect).await;
        expect(&mut peer, &PREFACE).await;
        peer.write_all(&[&PREFACE[..], &frame(1, b"{}")].concat())
            .await
            .unwrap();
        assert_eq!(side.connected().await.1.encoding, Encoding::Sig1);
        side.frame().await;
        drop(peer);
        side.ended().await.unwrap();
        assert_eq!(side.disconnected().await.1.reason, Reason::Closed);
    }
}

#[tokio::test]
async fn a_run_is_one_link_and_a_lost_one_is_an_error() {
    let (mut side, give, mut peer) = dialler(Dialect::Sig1).await;
    peer.write_all(&[&PREFACE[..], b"\x09\0\0"].concat()).await.unwrap();
    side.connected().await;
    drop(peer);
    let error = side.ended().await.unwrap_err().to_string();
    assert_eq!(error, "link failed: the peer left in the middle of a message");
    side.disconnected().await;

    side.run();
    let mut peer = give.link(1 << 16, None).await;
    peer.write_all(&PREFACE).await.unwrap();
    let (id, _) = side.connected().await;
    side.kick(id);
    drop(peer);
    side.ended().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn silence_for_a_second_means_a_pysig_server() {
    let (mut side, give, mut peer) = dialler(Dialect::Auto).await;
    let mut second = give.link(1 << 16, None).await;
    let start = Instant::now();
    expect(&mut peer, &PREFACE).await;
    let (id, info) = side.connected().await;
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert!(info.pacing.is_some());
    side.send(id, &info, [1]).await.unwrap();
    expect(&mut second, br#"{"id":1,"method":"m","params":null}"#).await;
    second.write_all(b"{}").await.unwrap();
    assert_eq!(side.frame().await, "{}");

    // The link that got no answer is not kept for ever.
    assert_eq!(rest(&mut peer).await, b"");
    assert!(start.elapsed() < Duration::from_secs(12));
    drop(second);
    side.ended().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_native_peer_that_was_slow_gets_a_native_link_next() {
    let (mut side, give, mut peer) = dialler(Dialect::Auto).await;
    let _second = give.link(1 << 16, None).await;
    assert!(side.connected().await.1.pacing.is_some());
    tokio::time::sleep(Duration::from_secs(5)).await;
    peer.write_all(&PREFACE).await.unwrap();
    let error = side.ended().await.unwrap_err().to_string();
    assert!(error.contains("answered in sig/1 after all"), "{error}");
    assert_eq!(side.disconnected().await.1.reason, Reason::LinkLost);

    side.run();
    let mut third = give.link(1 << 16, None).await;
    third.write_all(&PREFACE).await.unwrap();
    assert_eq!(side.connected().await.1.encoding, Encoding::Sig1);
}

#[tokio::test]
async fn a_close_or_json_instead_of_an_answer_means_a_pysig_server() {
    for said in ["", r#"{"status":-3}"#] {
        let (side, give, mut peer) = dialler(Dialect::Auto).await;
        expect(&mut peer, &PREFACE).await;
        peer.write_all(said.as_bytes()).await.unwrap();
        drop(peer);
        let _second = give.link(1 << 16, None).await;
        assert!(side.connected().await.1.pacing.is_some(), "{said}");

        let (mut side, _give, mut peer) = dialler(Dialect::Sig1).await;
        expect(&mut peer, &PREFACE).await;
        peer.write_all(said.as_bytes()).await.unwrap();
        drop(peer);
        let error = side.ended().await.unwrap_err().to_string();
        assert_eq!(
            error,
            "pipe://peer does not speak sig/1; for a pysig server use the dialect pysig"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_native_peer_that_fails_later_is_not_taken_for_a_pysig_server() {
    let (mut side, give, mut peer) = dialler(Dialect::Auto).await;
    peer.write_all(&PREFACE).await.unwrap();
    assert_eq!(side.connected().await.1.encoding, Encoding::Sig1);
    drop(peer);
    side.ended().await.unwrap();
    side.disconnected().await;

    // It is restarted: its port closes whatever comes.
    side.run();
    let mut closing = give.link(1 << 16, None).await;
    expect(&mut closing, &PREFACE).await;
    drop(closing);
    let error = side.ended().await.unwrap_err().to_string();
    assert_eq!(error, "pipe://peer closed the link without an answer");

    // It is busy: it answers, but not within a second.
    side.run();
    let mut slow = give.link(1 << 16, None).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    slow.write_all(&PREFACE).await.unwrap();
    assert_eq!(side.connected().await.1.encoding, Encoding::Sig1);
    drop(slow);
    side.ended().await.unwrap();
    side.disconnected().await;

    // A pysig server has taken its place.
    side.run();
    let _silent = give.link(1 << 16, None).await;
    let _second = give.link(1 << 16, None).await;
    assert!(side.connected().await.1.pacing.is_some());
}

#[tokio::test]
async fn pysig_can_be_spoken_at_once() {
    let (side, _give, mut peer) = dialler(Dialect::Pysig).await;
    let (id, info) = side.connected().await;
    side.send(id, &info, [1]).await.unwrap();
    expect(&mut peer, br#"{"id":1,"method":"m","params":null}"#).await;
}

#[tokio::test(start_paused = true)]
async fn the_errors_say_what_is_wrong() {
    let (mut side, _give, _peer) = dialler(Dialect::Sig1).await;
    assert_eq!(
        side.ended().await.unwrap_err().to_string(),
        "pipe://peer did not answer within 10s"
    );

    let mut other_version = PREFACE;
    (other_version[8], other_version[9]) = (2, 4);
    for (said, expected) in [
        (
            &other_version[..],
            "the peer speaks sig versions 2 to 4, this side speaks 1 to 1; upgrade the older one",
        ),
        (&PACKED_PREFACE, "set up both sides with the same codec"),
        (b"HTTP/1.1 400 Bad Request", "look like HTTP"),
        (&PREFACE[..6], "in the middle of its preface"),
    ] {
        let (mut side, _give, mut peer) = dialler(Dialect::Auto).await;
        peer.write_all(said).await.unwrap();
        peer.shutdown().await.unwrap();
        let error = side.ended().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(side.is_quiet());
    }

    let (carrier, give) = pipes(true);
    let mut side = Side::start(carrier);
    give.error(CarrierError::Other("no route".to_owned())).await;
    assert_eq!(side.ended().await.unwrap_err().to_string(), "no route");
}

#[tokio::test]
async fn a_dialler_stops_while_it_connects_waits_or_serves() {
    let (carrier, _give) = pipes(true);
    Side::start(carrier).stopped().await.unwrap();

    let (mut side, _give, mut silent) = dialler(Dialect::Sig1).await;
    expect(&mut silent, &PREFACE).await;
    side.stopped().await.unwrap();

    let (mut side, _give, mut peer) = dialler(Dialect::Sig1).await;
    peer.write_all(&PREFACE).await.unwrap();
    side.connected().await;
    let (ended, ()) = tokio::join!(side.stopped(), async move {
        expect(&mut peer, &PREFACE).await;
        assert_eq!(rest(&mut peer).await, b"");
    });
    ended.unwrap();
    assert_eq!(side.disconnected().await.1.reason, Reason::Closed);
}

#[tokio::test]
async fn with_a_codec_every_message_is_packed() {
    let (carrier, give) = pipes(true);
    let side = Side::start(carrier.with_codec(crate::Json).with_dialect(Dialect::Auto));
    let mut peer = give.link(1 << 16, None).await;
    peer.write_all(&PACKED_PREFACE).await.unwrap();
    let (id, info) = side.connected().await;
    side.send(id, &info, [1]).await.unwrap();
    expect(&mut peer, &PACKED_PREFACE).await;
    expect(&mut peer, &frame(5, br#"{"id":1,"method":"m","params":null}"#)).await;
}
