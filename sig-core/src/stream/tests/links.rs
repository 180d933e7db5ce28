//! Links that were accepted: messages, limits and every kind of end.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::*;
use crate::batch::Batch;
use crate::carrier::Carrier as _;
use crate::client::{ClientId, Disconnect, PeerInfo, Reason};
use crate::stream::GOODBYE;

/// A native client of this listener.
async fn native(side: &Side<StreamCarrier<Pipes>>, give: &Give) -> (DuplexStream, ClientId, PeerInfo) {
    let mut peer = give.peer(&PREFACE).await;
    let (id, info) = side.connected().await;
    expect(&mut peer, &PREFACE).await;
    (peer, id, info)
}

#[tokio::test]
async fn batches_go_out_as_they_are_and_leave_their_room() {
    let (side, give) = listener();
    let (mut peer, id, _) = native(&side, &give).await;
    let said = [frame(1, b"{}"), frame(2, &[0; 12])].concat();
    let mut batch = Batch::from_stream(BytesMut::from(&said[..]));
    side.carrier.handle_tx(id, &mut batch).await.unwrap();
    expect(&mut peer, &said).await;
    assert!(batch.is_empty());
    assert!(batch.bytes().capacity() >= said.len());
}

#[tokio::test]
async fn a_hundred_thousand_messages_arrive_in_order() {
    let (dialler, to) = pipes(true);
    let (server, give) = listener();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    give.0.send(Ok(Link::new(ours, "a"))).await.unwrap();
    to.0.send(Ok(Link::new(theirs, "b"))).await.unwrap();
    let client = Side::start(dialler);
    let ((at_server, info), (at_client, _)) = (server.connected().await, client.connected().await);
    let numbers = |round: u64| round * 100..(round + 1) * 100;
    for round in 0..1000 {
        let (up, down) = tokio::join!(
            client.send(at_client, &info, numbers(round)),
            server.send(at_server, &info, numbers(round)),
        );
        up.unwrap();
        down.unwrap();
    }
    for number in 0..100_000 {
        assert_eq!((server.number().await, client.number().await), (number, number));
    }
}

#[tokio::test]
async fn a_limit_that_rises_counts_from_the_next_message() {
    let (side, give) = listener();
    side.set_max_frame(100);
    let (mut peer, _, _) = native(&side, &give).await;
    peer.write_all(&frame(1, &[0; 98])).await.unwrap();
    side.frame().await;
    side.set_max_frame(1000);
    peer.write_all(&frame(1, &[0; 998])).await.unwrap();
    side.frame().await;
    peer.write_all(&[frame(1, b"{}"), frame(1, &[0; 999])].concat())
        .await
        .unwrap();
    assert_eq!(
        side.frame().await,
        &frame(1, b"{}")[4..],
        "what came before is delivered"
    );
    let (_, why) = side.disconnected().await;
    assert_eq!(why.reason, Reason::Kicked);
    assert_eq!(
        why.detail,
        "a message of 1001 bytes is over the limit of 1000 bytes for this link"
    );
}

#[tokio::test]
async fn malformed_frames_cost_their_own_link() {
    let cases: [(&[u8], &str); 3] = [
        (
            &[0xff, 0xff, 0xff, 0xff],
            "a message of 4294967295 bytes is over the limit of 65536 bytes",
        ),
        (&[1, 0, 0, 0, 1], "too short"),
        (&[2, 0, 0, 0, 0x33, 0], "unknown frame kind 0x33"),
    ];
    let (side, give) = listener();
    let (mut bystander, _, _) = native(&side, &give).await;
    for (said, expected) in cases {
        let (mut peer, id, _) = native(&side, &give).await;
        peer.write_all(said).await.unwrap();
        let (gone, why) = side.disconnected().await;
        assert_eq!((gone, why.reason), (id, Reason::Kicked));
        assert!(why.detail.contains(expected), "{why}");
        assert_eq!(rest(&mut peer).await, b"");
    }
    bystander.write_all(&frame(1, b"{}")).await.unwrap();
    side.frame().await;
}

#[tokio::test]
async fn pysig_documents_are_limited_too() {
    let (side, give) = listener();
    for said in [
        format!(r#"{{"a":"{}"#, "x".repeat(70_000)),
        "{}x".to_owned(),
        "[".repeat(1000).replacen('[', r#"{"a":["#, 1),
    ] {
        let mut peer = give.link(1 << 17, None).await;
        peer.write_all(said.as_bytes()).await.unwrap();
        side.connected().await;
        if said.starts_with("{}") {
            assert_eq!(side.frame().await, "{}");
        }
        let (_, why) = side.disconnected().await;
        assert_eq!(why.reason, Reason::Kicked);
        assert!(why.detail.starts_with("not a valid message: "), "{why}");
    }
}

#[tokio::test]
async fn what_the_router_refuses_ends_the_link() {
    let (side, give) = listener();
    let (mut peer, _, _) = native(&side, &give).await;
    peer.write_all(&frame(1, b"break")).await.unwrap();
    let (_, why) = side.disconnected().await;
    assert_eq!(
        (why.reason, why.detail.as_str()),
        (Reason::Kicked, "the client broke a rule")
    );

    side.refuse();
    let mut peer = give.peer(&PREFACE).await;
    assert_eq!(rest(&mut peer).await, PREFACE);
    assert!(side.is_quiet());
    assert!(format!("{:?}", side.carrier).contains("clients: 0"));
}

#[tokio::test]
async fn the_end_of_a_stream_is_a_goodbye_between_messages_and_a_loss_inside_one() {
    let (side, give) = listener();
    let (mut peer, id, _) = native(&side, &give).await;
    peer.write_all(&frame(1, b"{}")).await.unwrap();
    drop(peer);
    side.frame().await;
    assert_eq!(side.disconnected().await, (id, Disconnect::closed()));

    let half_a_frame = &frame(1, b"{}")[..7];
    for said in [&[&PREFACE[..], half_a_frame].concat()[..], br#"{"id":1"#] {
        let peer = give.peer(said).await;
        side.connected().await;
        drop(peer);
        let (_, why) = side.disconnected().await;
        assert_eq!(why.reason, Reason::LinkLost);
        assert!(why.detail.contains("in the middle of a message"), "{why}");
    }
}

#[tokio::test]
async fn a_kick_is_at_once_and_idempotent() {
    let (side, give) = listener();
    let (mut peer, id, info) = native(&side, &give).await;
    side.kick(id);
    side.carrier
        .close_client(id, &Disconnect::new(Reason::Timeout, "too late"));
    assert_eq!(side.disconnected().await, (id, Disconnect::new(Reason::Kicked, "test")));
    assert_eq!(rest(&mut peer).await, b"");
    side.kick(id);
    side.kick(ClientId::next());
    let error = side.send(id, &info, [1]).await.unwrap_err();
    assert!(matches!(error, CarrierError::UnknownClient(unknown) if unknown == id));
    assert!(side.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_kick_frees_a_writer_that_is_stuck_on_a_frozen_peer() {
    let (side, give) = listener();
    let (frozen, id, info) = native(&side, &give).await;
    let start = Instant::now();
    let stuck = async {
        let mut batch = Batch::from_stream(BytesMut::from(&frame(1, &[0; 1 << 17])[..]));
        side.carrier.handle_tx(id, &mut batch).await
    };
    let kick = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        side.kick(id);
    };
    let (written, ()) = tokio::join!(stuck, kick);
    assert!(matches!(written, Err(CarrierError::UnknownClient(_))), "{written:?}");
    assert_eq!(side.disconnected().await.1.reason, Reason::Kicked);
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert!(side.send(id, &info, [1]).await.is_err());
    drop(frozen);
}

#[tokio::test]
async fn a_write_that_fails_ends_the_link() {
    let (side, give) = listener();
    let (peer, id, _) = native(&side, &give).await;
    drop(peer);
    let mut batch = Batch::from_stream(BytesMut::from(&frame(1, b"{}")[..]));
    let error = side.carrier.handle_tx(id, &mut batch).await.unwrap_err();
    assert!(
        matches!(error, CarrierError::Io(_) | CarrierError::UnknownClient(_)),
        "{error}"
    );
    assert_eq!(side.disconnected().await.1.reason, Reason::LinkLost);
}

#[tokio::test]
async fn stopping_writes_what_was_handed_over_and_says_goodbye() {
    let (mut side, give) = listener();
    let (mut peer, id, info) = native(&side, &give).await;
    let _undecided = give.peer(b"").await;
    side.send(id, &info, 0..1000).await.unwrap();
    let read = async {
        let got = rest(&mut peer).await;
        drop(peer);
        got
    };
    let (ended, got) = tokio::join!(side.stopped(), read);
    ended.unwrap();
    let mut all = Batch::from_stream(BytesMut::from(&got[..]));
    assert_eq!(std::iter::from_fn(|| all.next_frame()).count(), 1000);
    let (_, why) = side.disconnected().await;
    assert_eq!(why.reason, Reason::Closed);
    assert!(side.is_quiet());

    side.run();
    native(&side, &give).await;
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_long_for_the_frozen() {
    let (mut side, give) = listener();
    let (_frozen, id, _) = native(&side, &give).await;
    let carrier = std::sync::Arc::clone(&side.carrier);
    let stuck = async move {
        let mut batch = Batch::from_stream(BytesMut::from(&frame(1, &[0; 1 << 17])[..]));
        carrier.handle_tx(id, &mut batch).await
    };
    let start = Instant::now();
    let (stuck, ended) = tokio::join!(stuck, side.stopped());
    assert!(stuck.is_err());
    ended.unwrap();
    assert!(start.elapsed() <= 2 * GOODBYE, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_run_that_is_dropped_reports_its_clients_as_lost() {
    let (mut side, give) = listener();
    let (_peer, id, info) = native(&side, &give).await;
    side.kill().await;
    assert_eq!(side.disconnected().await.1.reason, Reason::LinkLost);
    assert!(matches!(
        side.send(id, &info, [1]).await,
        Err(CarrierError::UnknownClient(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn trouble_in_accepting_passes_and_failure_does_not() {
    let (mut side, give) = listener();
    let (_peer, id, _) = native(&side, &give).await;
    for _ in 0..5 {
        give.error(io::Error::from(io::ErrorKind::ConnectionAborted).into())
            .await;
    }
    let (_other, _, _) = native(&side, &give).await;
    give.error(CarrierError::Other("the socket is gone".to_owned())).await;
    assert_eq!(side.ended().await.unwrap_err().to_string(), "the socket is gone");
    assert_eq!(side.disconnected().await.0, id);
}

#[tokio::test]
async fn every_kind_of_frame_reaches_the_router_of_a_native_peer() {
    let (side, give) = listener();
    let (mut peer, _, _) = native(&side, &give).await;
    let said = [frame(3, b""), frame(0x81, b"later"), frame(2, &[9; 20])].concat();
    peer.write_all(&said).await.unwrap();
    for expected in [frame(3, b""), frame(0x81, b"later"), frame(2, &[9; 20])] {
        assert_eq!(side.frame().await, &expected[4..]);
    }
}
