//! What is particular about the carrier.

use std::sync::Arc;
use std::time::Duration;

use sig_carrier_zmq::{Dialer, Heartbeat, Listener, Options, dial, listen};
use sig_conformance::{Finding, Probe};
use sig_core::{Carrier as _, CarrierError, Reason};

fn at_home(listener: &Listener) -> String {
    listener.endpoint().replace('*', "127.0.0.1")
}

#[tokio::test]
async fn one_that_accepts_nobody_any_more_keeps_who_is_there() -> Result<(), Finding> {
    let listener = Arc::new(listen("tcp://*:*").expect("a free port"));
    let endpoint = at_home(&listener);
    let mut server = Probe::start(listener.clone());
    let mut client = Probe::start(Arc::new(dial(&endpoint).expect("an endpoint")));
    let (id, peer) = client.connected().await?;
    let (_, seen) = server.connected().await?;
    assert!(seen.address.starts_with("zmq:tcp://127.0.0.1:"), "{seen:?}");
    listener.stop_accepting().await;
    let mut late = Probe::start(Arc::new(dial(&endpoint).expect("an endpoint")));
    let ended = late.ended().await?;
    assert!(matches!(&ended, Err(CarrierError::Connect { .. })), "{ended:?}");
    let text = ended.map_err(|error| error.to_string()).expect_err("nobody listens");
    assert!(
        text.contains(&endpoint) && text.contains("is the router running?"),
        "{text}"
    );
    client.send(id, &peer, 0..100).await?;
    server.receive(0..100).await?;
    server.stopped().await
}

#[tokio::test]
async fn an_endpoint_that_is_taken_is_refused_at_once() {
    let first = listen("tcp://127.0.0.1:*").expect("a free port");
    let taken = listen(first.endpoint()).expect_err("it is taken");
    assert!(matches!(taken, CarrierError::Listen { .. }), "{taken}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_path_with_something_else_is_left_alone() -> Result<(), Finding> {
    let directory = tempfile::tempdir().expect("a scratch directory");
    let path = directory.path().join("router");
    let endpoint = format!("ipc://{}", path.display());
    let mut server = Probe::start(Arc::new(listen(&endpoint).expect("a free path")));
    let mut client = Probe::start(Arc::new(dial(&endpoint).expect("an endpoint")));
    client.connected().await?;
    let taken = listen(&endpoint).expect_err("somebody listens there");
    assert!(matches!(taken, CarrierError::Listen { .. }), "{taken}");
    server.connected().await?;
    server.stopped().await?;
    std::fs::write(&path, "precious").expect("a path of our own");
    let refused = listen(&endpoint).expect_err("it is a file").to_string();
    assert!(refused.contains("choose another one"), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "precious");
    Ok(())
}

#[tokio::test]
async fn a_peer_that_gives_no_sign_of_life_is_gone() -> Result<(), Finding> {
    let quick = Options::for_carriers().heartbeat(Heartbeat::every(Duration::from_millis(100)));
    let listener = Listener::bind_with("tcp://127.0.0.1:*", quick.clone()).expect("a free port");
    let endpoint = listener.endpoint().to_owned();
    let mut server = Probe::start(Arc::new(listener));
    let (freeze, frozen) = std::sync::mpsc::sync_channel::<()>(1);
    let peer = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let dialer = Dialer::with_options(&endpoint, quick).expect("an endpoint");
            let mut client = Probe::start(Arc::new(dialer));
            client.connected().await.expect("it connects");
            // The process stands still, and its connection stays open.
            frozen.recv().expect_err("the test ends");
        });
    });
    let (id, _) = server.connected().await?;
    let (gone, why) = server.disconnected("when the peer stands still").await?;
    assert_eq!((gone, why.reason), (id, Reason::LinkLost), "{why}");
    drop(freeze);
    peer.join().expect("it ends");
    Ok(())
}
