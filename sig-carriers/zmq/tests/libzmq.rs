//! What is particular about the carrier over libzmq, beside the contract: it tells who comes and goes in other ways.

#![cfg(unix)]

use std::sync::Arc;
use std::time::Duration;

use sig_carrier_zmq::{Dialer, Kind, Library, LinkEvent, Listener, Options, Socket};
use sig_conformance::{Finding, Probe};
use sig_core::{Carrier as _, CarrierError, ClientId, Disconnect, Reason};

const SOON: Duration = Duration::from_secs(20);

fn options() -> Options {
    Options::for_carriers().library(Library::Libzmq)
}

fn listen(endpoint: &str) -> Arc<Listener> {
    Arc::new(Listener::bind_with(endpoint, options()).expect("an endpoint"))
}

fn dial(endpoint: &str) -> Probe {
    Probe::start(Arc::new(
        Dialer::with_options(endpoint, options()).expect("an endpoint"),
    ))
}

/// A peer of another make, and what happens to its link.
async fn stranger(library: Library, identity: &'static str, endpoint: &str) -> (Socket, sig_carrier_zmq::Monitor) {
    let options = Options::default()
        .library(library)
        .identity(identity)
        .receive_timeout(SOON);
    let socket = Socket::open(Kind::Dealer, options).expect("a socket");
    let monitor = socket.monitor().expect("it is open");
    socket.connect(endpoint).await.expect("an endpoint");
    socket.send(r#"{"id":1,"method":"get_version"}"#).await.expect("a link");
    (socket, monitor)
}

async fn until_lost(monitor: &mut sig_carrier_zmq::Monitor) {
    let lost = async { while !matches!(monitor.next().await, Some(LinkEvent::Disconnected { .. })) {} };
    tokio::time::timeout(SOON, lost).await.expect("the link is cut");
}

async fn gone(server: &Probe, id: ClientId, what: &str) -> Result<Disconnect, Finding> {
    loop {
        match server.next(what).await? {
            sig_conformance::Seen::Disconnected(client, why) if client == id => return Ok(why),
            _ => {}
        }
    }
}

#[tokio::test]
async fn one_that_accepts_nobody_any_more_keeps_who_is_there() -> Result<(), Finding> {
    for endpoint in ["tcp://127.0.0.1:*", "inproc://door"] {
        let listener = listen(endpoint);
        let mut server = Probe::start(listener.clone());
        let mut client = dial(listener.endpoint());
        server.connected().await?;
        let (id, peer) = client.connected().await?;
        listener.stop_accepting().await;
        let mut late = dial(listener.endpoint());
        let refused = late.ended().await?;
        assert!(matches!(refused, Err(CarrierError::Refused(_))), "{refused:?}");
        client.send(id, &peer, 0..100).await?;
        server.receive(0..100).await?;
        server.stopped().await?;
    }
    Ok(())
}

#[tokio::test]
async fn peers_of_other_makes_are_there_and_gone_and_can_be_cut_off() -> Result<(), Finding> {
    let folder = tempfile::tempdir().expect("a folder");
    let ipc = format!("ipc://{}", folder.path().join("router").display());
    for library in [Library::Omq, Library::Libzmq] {
        for endpoint in ["tcp://127.0.0.1:*", &ipc] {
            let listener = listen(endpoint);
            let mut server = Probe::start(listener.clone());
            let (dealer, _) = stranger(library, "", listener.endpoint()).await;
            let (id, info) = server.connected().await?;
            let scheme = if endpoint == ipc {
                "zmq:ipc"
            } else {
                "zmq:tcp://127.0.0.1:"
            };
            assert!(info.address.starts_with(scheme), "{info:?}");
            dealer.close().await;
            assert_eq!(gone(&server, id, "when a peer goes").await?.reason, Reason::LinkLost);

            let (dealer, mut link) = stranger(library, "", listener.endpoint()).await;
            let (id, _) = server.connected().await?;
            server.kick(id)?;
            gone(&server, id, "when it is let go of").await?;
            until_lost(&mut link).await;
            dealer.close().await;
            server.stopped().await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_newer_link_with_the_same_identity_takes_the_place_of_the_older() -> Result<(), Finding> {
    for library in [Library::Omq, Library::Libzmq] {
        let listener = listen("tcp://127.0.0.1:*");
        let mut server = Probe::start(listener.clone());
        let (older, _) = stranger(library, "bench", listener.endpoint()).await;
        let (id, _) = server.connected().await?;
        let (newer, _) = stranger(library, "bench", listener.endpoint()).await;
        let why = gone(&server, id, "when a newer link has its identity").await?;
        assert!(why.detail.contains("same identity"), "{why}");
        let (second, _) = server.connected().await?;
        assert_ne!(id, second);
        newer.close().await;
        gone(&server, second, "when the newer one goes").await?;
        older.close().await;
        server.stopped().await?;
    }
    Ok(())
}
