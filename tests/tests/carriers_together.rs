//! One server with several carriers: one world, and none of them can harm the others.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use sig_carrier_local::Local;
use sig_core::{Batch, Carrier, CarrierError, ClientId, Disconnect, Uplink, async_trait};
use sig_router::{CarrierHandle, CarrierState, ClientRouter, LinkState, Presence, RemoteEventStream, ServerRouter};
use sig_tests::rig::{WAIT, becomes, client_of, client_over, connected, disconnected, lasting_address, soon};
use tempfile::TempDir;

const EVENTS: u64 = 500;

/// A server with three carriers, and the ways to it.
struct Three {
    server: ServerRouter,
    handles: BTreeMap<&'static str, CarrierHandle>,
    address: String,
    socket: PathBuf,
    hub: Arc<Local>,
    _directory: TempDir,
}

/// The carriers of this platform.
const NAMES: &[&str] = if cfg!(unix) {
    &["ipc", "local", "tcp"]
} else {
    &["local", "tcp"]
};

impl Three {
    fn start() -> Self {
        let server = ServerRouter::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let hub = Arc::new(Local::new());
        let tcp = sig_carrier_tcp::listen(&lasting_address()).unwrap();
        let address = tcp.medium().local_addr().to_string();
        let mut carriers: Vec<Arc<dyn Carrier>> = vec![hub.clone(), Arc::new(tcp)];
        if cfg!(unix) {
            carriers.push(Arc::new(sig_carrier_ipc::listen(socket.to_str().unwrap()).unwrap()));
        }
        let attach = |carrier: Arc<dyn Carrier>| (carrier.name(), server.attach(carrier));
        let handles = carriers.into_iter().map(attach).collect();
        Self {
            server,
            handles,
            address,
            socket,
            hub,
            _directory: directory,
        }
    }

    async fn client(&self, carrier: &str) -> ClientRouter {
        let client = match carrier {
            "ipc" => client_over(sig_carrier_ipc::dial(self.socket.to_str().unwrap()).unwrap()),
            "local" => client_over(self.hub.dialer()),
            _ => client_of(&self.address),
        };
        connected(&client).await;
        client
    }
}

/// Sends from `name`, and takes the sender away again.
async fn publish(client: &ClientRouter, name: &str) {
    let sender = client
        .add_remote_sender(name)
        .events(["a", "b"])
        .connect()
        .await
        .unwrap();
    let (a, b) = (sender.signal("a").unwrap(), sender.signal("b").unwrap());
    for n in 0..EVENTS {
        let signal = if n % 3 == 0 { &b } else { &a };
        signal.trigger(&n).await.unwrap();
    }
    soon("removal", sender.remove()).await;
}

/// Takes events until `senders` senders have left; gives what came from each, in order.
async fn hear(stream: &mut RemoteEventStream, senders: usize) -> BTreeMap<String, Vec<String>> {
    let mut heard = BTreeMap::<String, Vec<String>>::new();
    let mut left = 0;
    while left < senders {
        let event = soon("an event", stream.recv()).await.unwrap().unwrap();
        let line = match event.name().as_str() {
            "#connect" => format!("#connect {}", event.decode::<Presence>().unwrap().carrier),
            "#disconnect" => {
                left += 1;
                format!("#disconnect {}", event.decode::<Presence>().unwrap().reason.unwrap())
            }
            name => format!("{name} {} {}", event.number(), event.decode::<u64>().unwrap()),
        };
        heard.entry(event.sender().to_string()).or_default().push(line);
    }
    heard
}

/// What every listener must hear of a sender that [`publish`]es.
fn expected(carrier: &str) -> Vec<String> {
    let (mut a, mut b) = (0, 0);
    let events = (0..EVENTS).map(|n| {
        let (name, count) = if n % 3 == 0 { ("b", &mut b) } else { ("a", &mut a) };
        *count += 1;
        format!("{name} {count} {n}")
    });
    let mut lines = vec![format!("#connect {carrier}")];
    lines.extend(events);
    lines.push("#disconnect removed".to_owned());
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_on_any_carrier_is_heard_on_all_in_the_same_order() {
    let three = Three::start();
    let publishers = join_all(NAMES.iter().map(|name| three.client(name))).await;
    let listeners = join_all(NAMES.iter().map(|name| three.client(name))).await;
    let mut streams = Vec::new();
    for listener in &listeners {
        streams.push(soon("listening", listener.listen_remote("*")).await.unwrap());
    }

    let publishing = join_all(publishers.iter().zip(NAMES).map(|(client, name)| publish(client, name)));
    let hearing = join_all(streams.iter_mut().map(|stream| hear(stream, NAMES.len())));
    let ((), heard) = tokio::join!(async { drop(publishing.await) }, hearing);
    for (heard, on) in heard.iter().zip(NAMES) {
        for name in NAMES {
            assert_eq!(heard[*name], expected(name), "heard on {on} from {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_carrier_that_is_stopped_takes_nobody_along() {
    for stopped in NAMES.iter().copied() {
        let three = Three::start();
        let others: Vec<_> = NAMES.iter().copied().filter(|name| *name != stopped).collect();
        let publisher = three.client(others[0]).await;
        let listener = three.client(others[others.len() - 1]).await;
        let leaver = three.client(stopped).await;
        let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
        let _leaving = leaver.add_remote_sender("leaver").event("e").connect().await.unwrap();
        let mut events = listener.listen_remote("s/e").await.unwrap();
        let mut leaving = listener.listen_remote("leaver/#disconnect").await.unwrap();
        let states = [publisher.states(), listener.states()];

        let signal = sender.signal("e").unwrap();
        for n in 1..=100_u64 {
            signal.trigger(&n).await.unwrap();
            if n == 50 {
                soon("stop", three.handles[stopped].stop()).await;
                assert_eq!(three.handles[stopped].state(), CarrierState::Stopped);
            }
        }
        for n in 1..=100_u64 {
            let event = soon("an event", events.recv()).await.unwrap().unwrap();
            assert_eq!(
                (event.number(), event.decode::<u64>().unwrap()),
                (n, n),
                "{stopped} stopped"
            );
        }
        let gone = soon("#disconnect", leaving.recv()).await.unwrap().unwrap();
        assert_eq!(gone.decode::<Presence>().unwrap().carrier, stopped);
        soon("its client notices", disconnected(&leaver)).await;
        for (state, name) in states.iter().zip(&others) {
            assert!(!state.has_changed().unwrap(), "{name} after {stopped} stopped");
            assert_eq!(three.handles[name].state(), CarrierState::Running);
        }
    }
}

#[tokio::test]
async fn stopping_frees_the_port_and_the_socket_and_the_same_carrier_can_start_again() {
    let three = Three::start();
    let client = three.client("tcp").await;
    three.handles["tcp"].stop().await;
    let listener = TcpListener::bind(&three.address).expect("the port is free at once");
    drop(listener);
    if let Some(ipc) = three.handles.get("ipc") {
        ipc.stop().await;
        assert!(!three.socket.exists(), "the socket file is gone");
    }
    assert!(!three.server.clients().iter().any(|client| client.carrier == "tcp"));
    // Stopping is idempotent.
    soon("second stop", three.handles["tcp"].stop()).await;

    let again = three
        .server
        .attach(Arc::new(sig_carrier_tcp::listen(&three.address).unwrap()));
    soon("the client comes back", connected(&client)).await;
    assert_eq!(client.remote_version().await.unwrap(), "1.01");
    again.stop().await;
}

/// A carrier that fails in a chosen way as often as it is told to, then runs.
#[derive(Debug)]
struct Failing {
    failures: u32,
    panics: bool,
    runs: AtomicU32,
}

impl Failing {
    fn new(failures: u32, panics: bool) -> Arc<Self> {
        Arc::new(Self {
            failures,
            panics,
            runs: AtomicU32::new(0),
        })
    }
}

#[async_trait]
impl Carrier for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        if run >= self.failures {
            router.stopped().await;
            return Ok(());
        }
        assert!(!self.panics, "run {run} panics");
        Err(CarrierError::Other(format!("run {run} failed")))
    }

    async fn handle_tx(&self, client: ClientId, _: &mut Batch) -> Result<(), CarrierError> {
        Err(CarrierError::UnknownClient(client))
    }

    fn close_client(&self, _: ClientId, _: &Disconnect) {}
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_fails_is_restarted_with_growing_pauses_that_can_be_watched() {
    let server = ServerRouter::new().unwrap();
    let carrier = Failing::new(4, false);
    let handle = server.attach(carrier.clone());
    let mut states = handle.states();
    let mut pauses = Vec::new();
    while carrier.runs.load(Ordering::Relaxed) <= carrier.failures {
        states.changed().await.unwrap();
        if let CarrierState::Restarting { error, retry_in } = states.borrow_and_update().clone() {
            assert_eq!(error, format!("run {} failed", pauses.len()));
            pauses.push(retry_in);
        }
    }
    assert_eq!(pauses.len(), 4);
    // Each is spread by 20 % at most and twice the one before.
    assert!(pauses[0] >= Duration::from_millis(50), "{pauses:?}");
    assert!(pauses.windows(2).all(|pair| pair[1] > pair[0]), "{pauses:?}");
    becomes(handle.states(), |state| *state == CarrierState::Running).await;
    handle.stop().await;
    assert_eq!(handle.state(), CarrierState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_panics_is_restarted_too() {
    let server = ServerRouter::new().unwrap();
    let handle = server.attach(Failing::new(1, true));
    let failed = becomes(handle.states(), |state| {
        matches!(state, CarrierState::Restarting { .. })
    })
    .await;
    assert!(
        matches!(&failed, CarrierState::Restarting { error, .. } if error.contains("run 0 panics")),
        "{failed:?}"
    );
    becomes(handle.states(), |state| *state == CarrierState::Running).await;
    assert_eq!(server.close(WAIT).await.aborted, 0);
}

#[tokio::test]
async fn a_failing_carrier_does_not_disturb_the_clients_of_another() {
    let three = Three::start();
    let client = three.client("tcp").await;
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let mut stream = client.listen_remote("s/e").await.unwrap();
    let states = client.states();
    let failing = three.server.attach(Failing::new(u32::MAX, false));
    let signal = sender.signal("e").unwrap();
    let mut failures = failing.states();
    for n in 1..=3_u64 {
        soon("a failure", failures.changed()).await.unwrap();
        signal.trigger(&n).await.unwrap();
        assert_eq!(soon("an event", stream.recv()).await.unwrap().unwrap().number(), n);
    }
    // A carrier that pauses can be stopped at once, too.
    soon("stop", failing.stop()).await;
    assert_eq!(failing.state(), CarrierState::Stopped);
    assert!(!states.has_changed().unwrap());
    assert_eq!(client.state(), LinkState::Connected);
}
