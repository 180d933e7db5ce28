//! The TCP carrier over loopback.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

#[path = "../../shared/suite.rs"]
mod suite;

use std::time::Duration;

use sig_carrier_tcp::{Dialer, Listener, TcpFactory, dial, listen};
use sig_core::{Carrier as _, CarrierError, CarrierFactory as _, Dialect, Encoding, Reason, StreamCarrier};
use suite::Pair;
use suite::probe::{Side, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type TcpPair = Pair<StreamCarrier<Listener>, StreamCarrier<Dialer>>;

async fn pair() -> TcpPair {
    pair_on("127.0.0.1:0").await
}

async fn pair_on(address: &str) -> TcpPair {
    let listener = listen(address).unwrap();
    let dialer = dial(&listener.medium().local_addr().to_string()).unwrap();
    Pair::connect(listener, dialer).await
}

#[tokio::test]
async fn messages_arrive_in_order_and_once() {
    suite::order(pair().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_in_order_and_once_on_several_threads() {
    suite::order(pair().await).await;
}

#[tokio::test]
async fn a_kick_ends_the_link() {
    suite::kick(pair().await).await;
}

#[tokio::test]
async fn a_dialer_that_stops_says_goodbye() {
    suite::dialer_stops(pair().await).await;
}

#[tokio::test]
async fn a_lost_peer_is_noticed() {
    suite::peer_loss(pair).await;
}

#[tokio::test]
async fn a_restarted_server_has_its_port_at_once() {
    suite::restart(pair().await).await;
}

#[tokio::test]
async fn a_dropped_server_gives_its_port_back_at_once() {
    let mut first = pair().await;
    let address = first.server.carrier.medium().local_addr();
    first.works().await;
    first.server.kill().await;
    first.client.ended().await.ok();
    drop(first);
    pair_on(&address.to_string()).await.works().await;
}

#[tokio::test]
async fn peers_have_addresses_of_both_families() {
    let pair = pair().await;
    let (at_server, at_client) = (&pair.at_server.1, &pair.at_client.1);
    let server = pair.server.carrier.medium().local_addr();
    assert_eq!(at_client.address, format!("tcp://{server}"));
    assert!(
        at_server.address.starts_with("tcp://127.0.0.1:"),
        "{}",
        at_server.address
    );
    assert_eq!(at_server.encoding, Encoding::Sig1);
    assert_eq!(pair.server.carrier.profile().heartbeat, Some(Duration::from_secs(15)));

    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let pair = pair_on("[::1]:0").await;
        assert!(pair.at_server.1.address.starts_with("tcp://[::1]:"));
        pair.works().await;
    }
}

#[tokio::test]
async fn host_names_resolve() {
    let listener = listen("localhost:0").unwrap();
    let port = listener.medium().local_addr().port();
    let dialer = dial(&format!("localhost:{port}")).unwrap();
    Pair::connect(listener, dialer).await.works().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_early_and_clear_error() {
    let first = listen("127.0.0.1:0").unwrap();
    let address = first.medium().local_addr().to_string();
    let error = listen(&address).unwrap_err();
    assert!(matches!(error, CarrierError::Listen { .. }));
    let error = error.to_string();
    assert!(
        error.contains(&address) && error.contains("choose another address"),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_there_is_a_clear_error() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut side = Side::start(dial(&free.to_string()).unwrap());
    let error = side.ended().await.unwrap_err().to_string();
    assert!(
        error.contains(&free.to_string()) && error.contains("is the router running?"),
        "{error}"
    );

    let mut side = Side::start(dial("no-such-host.invalid:1").unwrap());
    assert!(matches!(side.ended().await, Err(CarrierError::Connect { .. })));
}

#[tokio::test]
async fn pysig_and_native_peers_share_the_port() {
    let pair = pair().await;
    let address = pair.server.carrier.medium().local_addr();
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut pysig = TcpStream::connect(address).await.unwrap();
    pysig.write_all(br#"{"id":1,"method":"get_version"}"#).await.unwrap();
    let (id, info) = pair.server.connected().await;
    assert!(info.pacing.is_some());
    assert_eq!(pair.server.frame().await, r#"{"id":1,"method":"get_version"}"#);
    pair.server.send(id, &info, [9]).await.unwrap();
    let mut reply = [0; 4096];
    let read = within("the reply", pysig.read(&mut reply)).await.unwrap();
    assert_eq!(&reply[..read], br#"{"id":9,"method":"m","params":null}"#);
    pair.works().await;

    idle.write_all(b"{}").await.unwrap();
    pair.server.connected().await;
}

#[tokio::test]
async fn a_pysig_server_is_recognised_by_its_silence() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    let side = Side::start(dial(&address).unwrap());
    let (_swallowed, _) = server.accept().await.unwrap();
    let (mut json, _) = within("the second connection", server.accept()).await.unwrap();
    let (id, info) = side.connected().await;
    assert!(info.pacing.is_some());
    side.send(id, &info, [1]).await.unwrap();
    let mut first = [0; 1];
    json.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"{");

    let url = format!("tcp://{address}?dialect=pysig").parse().unwrap();
    let carrier = TcpFactory::default().dial(&url).unwrap();
    assert!(format!("{carrier:?}").contains(&format!("{:?}", Dialect::Pysig)));
}

#[tokio::test]
async fn a_reset_connection_is_a_lost_link() {
    let server = Side::start(listen("127.0.0.1:0").unwrap());
    let address = server.carrier.medium().local_addr();
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(b"{}").await.unwrap();
    server.connected().await;
    server.frame().await;
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    assert_eq!(server.disconnected().await.1.reason, Reason::LinkLost);
}

#[tokio::test]
async fn a_last_message_before_a_kick_arrives_though_the_peer_still_sends() {
    let server = Side::start(listen("127.0.0.1:0").unwrap());
    let address = server.carrier.medium().local_addr();
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(b"{}").await.unwrap();
    let (id, info) = server.connected().await;
    server.frame().await;
    server.send(id, &info, [1]).await.unwrap();
    server.kick(id);
    peer.write_all(&[b' '; 100_000]).await.unwrap();
    let mut got = Vec::new();
    within("the end", peer.read_to_end(&mut got)).await.unwrap();
    assert_eq!(got, br#"{"id":1,"method":"m","params":null}"#);
}

#[tokio::test]
async fn random_bytes_cost_their_own_connection() {
    let pair = pair().await;
    let address = pair.server.carrier.medium().local_addr();
    let mut state = 1u64;
    for _ in 0..200 {
        let garbage: Vec<u8> = (0..64)
            .map(|_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(&garbage).await.unwrap();
        peer.shutdown().await.unwrap();
        let _reset_or_not = within("the end", peer.read_to_end(&mut Vec::new())).await;
    }
    pair.works().await;
}
