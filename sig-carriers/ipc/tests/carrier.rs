//! The local-socket carrier.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

#[path = "../../shared/suite.rs"]
mod suite;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sig_carrier_ipc::{Dialer, IpcFactory, Listener, dial, listen};
use sig_core::{Carrier as _, CarrierError, Encoding, Schemes, StreamCarrier};
use suite::Pair;
use suite::probe::Side;
use tempfile::TempDir;

/// A scratch directory, and the path of a socket in it.
fn scratch() -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.sock").to_str().unwrap().to_owned();
    (directory, path)
}

async fn pair() -> Pair<StreamCarrier<Listener>, StreamCarrier<Dialer>> {
    let (directory, path) = scratch();
    Pair::connect(listen(&path).unwrap(), dial(&path).unwrap())
        .await
        .keeping(directory)
}

#[tokio::test]
async fn messages_arrive_in_order_and_once() {
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
async fn a_restarted_server_has_its_socket_at_once() {
    suite::restart(pair().await).await;
}

#[tokio::test]
async fn the_system_says_who_the_peers_are() {
    let pair = pair().await;
    let (us, directory) = (std::process::id(), std::env::temp_dir());
    let path = pair.server.carrier.medium().path();
    for peer in [&pair.at_server.1, &pair.at_client.1] {
        let credentials = peer.local_credentials.unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(credentials.pid, Some(us));
        }
        assert_eq!(credentials.uid, std::fs::metadata(path).unwrap().uid());
        assert_eq!(peer.encoding, Encoding::Sig1);
        assert!(
            peer.address.starts_with(&format!("ipc://{}", directory.display())),
            "{}",
            peer.address
        );
    }
    assert_eq!(pair.server.carrier.profile().heartbeat, None);
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
    let mut side = Side::start(dial(&path).unwrap());
    let error = side.ended().await.unwrap_err().to_string();
    assert!(
        error.contains(&path) && error.contains("is the router running?"),
        "{error}"
    );

    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    side.run();
    let error = side.ended().await.unwrap_err().to_string();
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
    assert!(error.contains("takes no option"), "{error}");
}
