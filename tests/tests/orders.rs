//! A server, a sender and a listener start in any order, over every carrier: each has tried in vain, if it must, before the
//! next one starts (promise 5). `trio` does the same with three programs.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]
#![allow(clippy::disallowed_methods, reason = "what a test begins ends with its runtime")]

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use sig_carrier_local::Local;
use sig_core::Carrier;
use sig_router::{ClientRouter, LinkState, RemoteEventStream, RemoteSender, ServerRouter};
use sig_tests::rig::{becomes, impatient, lasting_address, soon};
use tempfile::TempDir;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Server,
    Sender,
    Listener,
}

use Part::{Listener, Sender, Server};

const ORDERS: [[Part; 3]; 6] = [
    [Server, Sender, Listener],
    [Server, Listener, Sender],
    [Sender, Server, Listener],
    [Sender, Listener, Server],
    [Listener, Server, Sender],
    [Listener, Sender, Server],
];

/// A carrier, both ends of it.
struct Medium {
    name: &'static str,
    listen: Box<dyn Fn() -> Arc<dyn Carrier>>,
    dial: Box<dyn Fn() -> Arc<dyn Carrier>>,
    _directory: Option<TempDir>,
}

fn media() -> Vec<Medium> {
    let address = lasting_address();
    let tcp = Medium {
        name: "tcp",
        listen: Box::new({
            let address = address.clone();
            move || Arc::new(sig_carrier_tcp::listen(&address).unwrap())
        }),
        dial: Box::new(move || Arc::new(sig_carrier_tcp::dial(&address).unwrap())),
        _directory: None,
    };
    let hub = Arc::new(Local::new());
    let local = Medium {
        name: "local",
        listen: Box::new({
            let hub = Arc::clone(&hub);
            move || Arc::clone(&hub) as _
        }),
        dial: Box::new(move || Arc::new(hub.dialer())),
        _directory: None,
    };
    let mut media = vec![tcp, local];
    if cfg!(unix) {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("router").to_str().unwrap().to_owned();
        media.push(Medium {
            name: "ipc",
            listen: Box::new({
                let socket = socket.clone();
                move || Arc::new(sig_carrier_ipc::listen(&socket).unwrap())
            }),
            dial: Box::new(move || Arc::new(sig_carrier_ipc::dial(&socket).unwrap())),
            _directory: Some(directory),
        });
    }
    media
}

/// What has started.
#[derive(Default)]
struct Running {
    server: Option<ServerRouter>,
    sender: Option<(ClientRouter, JoinHandle<RemoteSender>)>,
    /// Who is there, and what is triggered.
    listener: Option<(ClientRouter, JoinHandle<[RemoteEventStream; 2]>)>,
}

impl Running {
    /// Starts a part of it, and waits until it has done what it can.
    async fn start(&mut self, part: Part, medium: &Medium) {
        if part == Server {
            let server = ServerRouter::new().unwrap();
            server.attach((medium.listen)());
            self.server = Some(server);
            return;
        }
        let client = ClientRouter::builder()
            .reconnect(impatient())
            .connect((medium.dial)())
            .unwrap();
        let (states, is_alone) = (client.states(), self.server.is_none());
        let own = client.clone();
        if part == Sender {
            let adding = async move { own.add_remote_sender("s").event("e").connect().await.unwrap() };
            self.sender = Some((client, tokio::spawn(adding)));
        } else {
            let listening = async move {
                [
                    own.listen_remote("s/#connect").await.unwrap(),
                    own.listen_remote("s/e").await.unwrap(),
                ]
            };
            self.listener = Some((client, tokio::spawn(listening)));
        }
        becomes(states, |state| match state {
            LinkState::Waiting { .. } => is_alone,
            LinkState::Connected => !is_alone,
            _ => false,
        })
        .await;
    }
}

async fn hear(stream: &mut RemoteEventStream) -> u64 {
    let event = soon("an event", stream.recv()).await.unwrap().unwrap();
    event.number()
}

#[tokio::test]
async fn promise_5_server_sender_and_listener_start_in_any_order_over_every_carrier() {
    for medium in media() {
        for order in ORDERS {
            println!("{}: {order:?}", medium.name);
            let mut running = Running::default();
            for part in order {
                running.start(part, &medium).await;
            }
            let (_publisher, adding) = running.sender.unwrap();
            let sender = soon("the sender", adding).await.unwrap();
            let (_client, listening) = running.listener.unwrap();
            let [mut presence, mut events] = soon("the listener", listening).await.unwrap();
            let signal = sender.signal("e").unwrap();
            for number in 1..=3 {
                signal.trigger(&number).await.unwrap();
                assert_eq!(hear(&mut events).await, number);
            }
            // It came once, whoever was first.
            hear(&mut presence).await;
            assert!(presence.recv().now_or_never().is_none(), "it came twice");
            running.server.unwrap().close(Duration::from_secs(2)).await;
        }
    }
}
