//! What is particular about local sockets. That the carrier keeps the contract is in contract.rs.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use sig_carrier_ipc::{IpcFactory, dial, listen};
use sig_conformance::Probe;
use sig_core::{Carrier, CarrierError, ClientId, Encoding, PeerInfo, Schemes};
use tempfile::TempDir;

/// A scratch directory, and the path of a socket in it.
fn scratch() -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.sock").to_str().unwrap().to_owned();
    (directory, path)
}

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

#[tokio::test]
async fn the_system_says_who_the_peers_are() {
    let (_directory, path) = scratch();
    let pair = Pair::connect(listen(&path).unwrap(), dial(&path).unwrap()).await;
    let (us, directory) = (std::process::id(), std::env::temp_dir());
    for peer in [&pair.at_server.1, &pair.at_client.1] {
        let credentials = peer.local_credentials.unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(credentials.pid, Some(us));
        }
        assert_eq!(credentials.uid, std::fs::metadata(&path).unwrap().uid());
        assert_eq!(peer.encoding, Encoding::Sig1);
        assert!(
            peer.address.starts_with(&format!("ipc://{}", directory.display())),
            "{}",
            peer.address
        );
    }
    assert_eq!(pair.server.carrier().profile().heartbeat, None);
}

#[tokio::test]
async fn a_socket_is_bound_early_and_gone_when_the_carrier_ends() {
    let (_directory, path) = scratch();
    let first = listen(&path).unwrap();
    assert!(matches!(listen(&path).unwrap_err(), CarrierError::Listen { .. }));
    drop(first);
    assert!(!Path::new(&path).exists());

    let mut pair = Pair::connect(listen(&path).unwrap(), dial(&path).unwrap()).await;
    pair.works().await;
    pair.server.stopped().await.unwrap();
    assert!(!Path::new(&path).exists());
}

#[tokio::test]
async fn nobody_there_is_a_clear_error() {
    let (_directory, path) = scratch();
    let mut side = Probe::start(Arc::new(dial(&path).unwrap()));
    let error = side.ended().await.unwrap().unwrap_err().to_string();
    assert!(
        error.contains(&path) && error.contains("is the router running?"),
        "{error}"
    );

    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    side.run();
    let error = side.ended().await.unwrap().unwrap_err().to_string();
    assert!(error.contains("nothing listens there"), "{error}");
}

#[test]
fn urls_become_carriers() {
    let schemes = Schemes::new().with("ipc", IpcFactory);
    let (_directory, path) = scratch();
    let listening = schemes.listen(&format!("ipc://{path}")).unwrap();
    assert!(format!("{listening:?}").contains(&path));
    for url in ["ipc://", "ipc://lab", "ipc://./lab.sock"] {
        assert!(schemes.dial(url).unwrap().profile().dials);
    }
    let error = schemes.dial("ipc://lab?mode=666").unwrap_err().to_string();
    assert!(error.contains("unknown option mode; known are max_frame"), "{error}");
}
