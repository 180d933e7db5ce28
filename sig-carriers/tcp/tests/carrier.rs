//! What is particular about TCP, over loopback. That the carrier keeps the contract is in contract.rs.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sig_carrier_tcp::{TcpFactory, dial, listen};
use sig_conformance::{Probe, Seen};
use sig_core::bytes::{Bytes, BytesMut};
use sig_core::{
    Batch, Call, Carrier, CarrierError, CarrierFactory as _, ClientId, Dialect, Encoding, PeerInfo, RawJson, Reason,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A listening carrier with one client, seen from both ends.
struct Pair {
    server: Probe,
    client: Probe,
    at_server: (ClientId, PeerInfo),
    at_client: (ClientId, PeerInfo),
}

impl Pair {
    async fn connect(listener: impl Carrier, dialer: impl Carrier) -> Self {
        let (mut server, mut client) = (Probe::start(Arc::new(listener)), Probe::start(Arc::new(dialer)));
        let at_client = client.connected().await.unwrap();
        let at_server = server.connected().await.unwrap();
        Self {
            server,
            client,
            at_server,
            at_client,
        }
    }

    /// Messages pass both ways.
    async fn works(&self) {
        self.client
            .send(self.at_client.0, &self.at_client.1, 0..3)
            .await
            .unwrap();
        self.server.receive(0..3).await.unwrap();
        self.server
            .send(self.at_server.0, &self.at_server.1, 0..3)
            .await
            .unwrap();
        self.client.receive(0..3).await.unwrap();
    }
}

async fn pair() -> (Pair, SocketAddr) {
    pair_on("127.0.0.1:0").await
}

async fn pair_on(address: &str) -> (Pair, SocketAddr) {
    let listener = listen(address).unwrap();
    let address = listener.medium().local_addr();
    let dialer = dial(&address.to_string()).unwrap();
    (Pair::connect(listener, dialer).await, address)
}

/// A listener that runs, and where.
fn server() -> (Probe, SocketAddr) {
    let listener = listen("127.0.0.1:0").unwrap();
    let address = listener.medium().local_addr();
    (Probe::start(Arc::new(listener)), address)
}

/// The next report, which must be a frame.
async fn frame(probe: &Probe) -> Bytes {
    match probe.next("a frame").await.unwrap() {
        Seen::Frame(_, frame) => frame,
        other => panic!("expected a frame, got {other:?}"),
    }
}

/// Sends a call to a peer that reads JSON.
async fn call(probe: &Probe, id: ClientId, peer: &PeerInfo, number: u64) {
    let mut packed = BytesMut::new();
    let message = Call::new(number, "m", RawJson::null()).into();
    probe.carrier().pack(peer, &message, &mut packed).unwrap();
    let mut batch = Batch::of_frames(Encoding::Packed);
    batch.push_frame(packed.freeze());
    probe.carrier().handle_tx(id, &mut batch).await.unwrap();
}

/// What the future gives, within the patience of a test.
async fn within<F: Future>(what: &str, future: F) -> F::Output {
    let waited = timeout(Duration::from_secs(20), future).await;
    waited.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

#[tokio::test]
async fn a_dropped_server_gives_its_port_back_at_once() {
    let (mut first, address) = pair().await;
    first.works().await;
    first.server.kill().await;
    let _good_order_or_not = first.client.ended().await.unwrap();
    drop(first);
    pair_on(&address.to_string()).await.0.works().await;
}

#[tokio::test]
async fn peers_have_addresses_of_both_families() {
    let (pair, server) = pair().await;
    let (at_server, at_client) = (&pair.at_server.1, &pair.at_client.1);
    assert_eq!(at_client.address, format!("tcp://{server}"));
    assert!(
        at_server.address.starts_with("tcp://127.0.0.1:"),
        "{}",
        at_server.address
    );
    assert_eq!(at_server.encoding, Encoding::Sig1);
    assert_eq!(pair.server.carrier().profile().heartbeat, Some(Duration::from_secs(15)));

    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let (pair, _) = pair_on("[::1]:0").await;
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
    let mut side = Probe::start(Arc::new(dial(&free.to_string()).unwrap()));
    let error = side.ended().await.unwrap().unwrap_err().to_string();
    assert!(
        error.contains(&free.to_string()) && error.contains("is the router running?"),
        "{error}"
    );

    let mut side = Probe::start(Arc::new(dial("no-such-host.invalid:1").unwrap()));
    assert!(matches!(side.ended().await.unwrap(), Err(CarrierError::Connect { .. })));
}

#[tokio::test]
async fn pysig_and_native_peers_share_the_port() {
    let (mut pair, address) = pair().await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut pysig = TcpStream::connect(address).await.unwrap();
    pysig.write_all(br#"{"id":1,"method":"get_version"}"#).await.unwrap();
    let (id, info) = pair.server.connected().await.unwrap();
    assert!(info.pacing.is_some());
    assert_eq!(frame(&pair.server).await, r#"{"id":1,"method":"get_version"}"#);
    call(&pair.server, id, &info, 9).await;
    let mut reply = [0; 4096];
    let read = within("the reply", pysig.read(&mut reply)).await.unwrap();
    assert_eq!(&reply[..read], br#"{"id":9,"method":"m","params":null}"#);
    pair.works().await;

    idle.write_all(b"{}").await.unwrap();
    pair.server.connected().await.unwrap();
}

#[tokio::test]
async fn a_pysig_server_is_recognised_by_its_silence() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    let mut side = Probe::start(Arc::new(dial(&address).unwrap()));
    let (_swallowed, _) = server.accept().await.unwrap();
    let (mut json, _) = within("the second connection", server.accept()).await.unwrap();
    let (id, info) = side.connected().await.unwrap();
    assert!(info.pacing.is_some());
    call(&side, id, &info, 1).await;
    let mut first = [0; 1];
    json.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"{");

    let url = format!("tcp://{address}?dialect=pysig").parse().unwrap();
    let carrier = TcpFactory::default().dial(&url).unwrap();
    assert!(format!("{carrier:?}").contains(&format!("{:?}", Dialect::Pysig)));
}

#[tokio::test]
async fn a_reset_connection_is_a_lost_link() {
    let (mut server, address) = server();
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(b"{}").await.unwrap();
    server.connected().await.unwrap();
    frame(&server).await;
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    assert_eq!(
        server.disconnected("after a reset").await.unwrap().1.reason,
        Reason::LinkLost
    );
}

#[tokio::test]
async fn a_last_message_before_a_kick_arrives_though_the_peer_still_sends() {
    let (mut server, address) = server();
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(b"{}").await.unwrap();
    let (id, info) = server.connected().await.unwrap();
    frame(&server).await;
    call(&server, id, &info, 1).await;
    server.kick(id).unwrap();
    peer.write_all(&[b' '; 100_000]).await.unwrap();
    let mut got = Vec::new();
    within("the end", peer.read_to_end(&mut got)).await.unwrap();
    assert_eq!(got, br#"{"id":1,"method":"m","params":null}"#);
}

#[tokio::test]
async fn random_bytes_cost_their_own_connection() {
    let (pair, address) = pair().await;
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
