//! Routers of both kinds, started for a test, and ways to wait for what they do.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};
use sig_core::Dialect;
use sig_router::{ClientRouter, Event, EventStream, RemoteEventStream, ServerRouter};
use sig_tests::pysig::{Peer, Pysig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) use sig_tests::rig::{WAIT, soon};

/// A server of ours on a port of this host.
pub(crate) struct Serving {
    pub(crate) router: ServerRouter,
    pub(crate) port: u16,
}

impl Serving {
    pub(crate) fn start() -> Self {
        Self::at(0)
    }

    /// On a port that was used before.
    pub(crate) fn at(port: u16) -> Self {
        let carrier = sig_carrier_tcp::listen(&format!("127.0.0.1:{port}")).expect("the port can be bound");
        let port = carrier.medium().local_addr().port();
        let router = ServerRouter::new().expect("inside a runtime");
        router.attach(Arc::new(carrier));
        Self { router, port }
    }

    /// A client of pysig's, connected.
    pub(crate) async fn pysig(&self, pysig: &Pysig) -> Peer {
        let peer = pysig.spawn().await;
        assert_eq!(peer.ok("connect", json!({ "port": self.port })).await, true);
        peer
    }

    /// A client of ours.
    pub(crate) fn native(&self) -> ClientRouter {
        dial(self.port, Dialect::Sig1)
    }

    /// A client that speaks for itself.
    pub(crate) async fn raw(&self) -> Raw {
        Raw::new(
            TcpStream::connect(("127.0.0.1", self.port))
                .await
                .expect("the server listens"),
        )
    }

    pub(crate) async fn close(self) {
        assert_eq!(self.router.close(WAIT).await.aborted, 0, "tasks had to be cut off");
    }
}

/// A port at which nobody listens, and that the system gives to nobody by itself: a server may come back to it.
pub(crate) fn free_port() -> u16 {
    // By the process, so that test programs that run at the same time do not meet.
    let first = 10_000 + (std::process::id() % 200) as u16 * 100;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A client router of ours that speaks this dialect.
pub(crate) fn dial(port: u16, dialect: Dialect) -> ClientRouter {
    let carrier = sig_carrier_tcp::dial(&format!("127.0.0.1:{port}")).expect("an address");
    ClientRouter::connect(Arc::new(carrier.with_dialect(dialect))).expect("inside a runtime")
}

/// The whole reply to a call.
pub(crate) async fn call(peer: &Peer, method: &str, params: Value) -> Value {
    peer.ok("call", json!({ "method": method, "params": params })).await
}

/// The response to a call that must succeed.
pub(crate) async fn done(peer: &Peer, method: &str, params: Value) -> Value {
    let mut reply = call(peer, method, params).await;
    assert_eq!(reply["status"], 0, "{method}: {reply}");
    reply["response"].take()
}

/// The text of a failure, after checking that it is one in pysig's form.
pub(crate) async fn refused(peer: &Peer, method: &str, params: Value) -> String {
    let reply = call(peer, method, params).await;
    assert_eq!(reply["status"], -2, "{method}: {reply}");
    assert_eq!(reply.get("response"), None, "{reply}");
    reply["exception"].as_str().expect("a failure has a text").to_owned()
}

/// Lets a pysig client listen.
pub(crate) async fn listen<'a>(
    peer: &Peer,
    id: &str,
    sender: impl Into<Option<&'a str>>,
    event: impl Into<Option<&'a str>>,
) {
    let (sender, event) = (sender.into(), event.into());
    let added = peer
        .ok(
            "add_remote_listener",
            json!({ "id": id, "sender": sender, "event": event }),
        )
        .await;
    assert_eq!(added, true, "{id}");
}

/// Lets a pysig client trigger an event of its sender.
pub(crate) async fn trigger(peer: &Peer, sender: &str, event: &str, data: Value) {
    peer.ok("trigger", json!({ "sender": sender, "event": event, "data": data }))
        .await;
}

/// The same, where a stream of the test is among those that it waits for (P63): they are to be read first.
pub(crate) async fn begin_trigger(peer: &Peer, sender: &str, event: &str, data: Value) {
    let fields = json!({ "sender": sender, "event": event, "data": data });
    // It waits in a thread of its own there.
    drop(peer.start("trigger", fields).await);
}

/// Lets a pysig client leave. Its disconnect() and its receiving thread race for the socket.
pub(crate) async fn disconnect(peer: &Peer) {
    match peer.command("disconnect", json!({})).await {
        Ok(answer) => assert_eq!(answer, true),
        Err(raised) => assert_eq!(raised.kind, "AttributeError", "{raised}"),
    }
}

/// The next call of any listener in the process, in the order of the calls: listener, sender, event, data.
pub(crate) async fn next_heard(peer: &Peer) -> (String, String, String, Value) {
    let mut line = peer
        .next_event("a call of a listener", |line| line.get("listener").is_some())
        .await;
    let text = |value: &Value| value.as_str().unwrap_or("null").to_owned();
    (
        text(&line["listener"]),
        text(&line["info"]["sender"]),
        text(&line["info"]["event"]),
        line["data"].take(),
    )
}

/// The next call of any listener as `listener: sender/event`.
pub(crate) async fn next_call(peer: &Peer) -> String {
    let (listener, sender, event, _) = next_heard(peer).await;
    format!("{listener}: {sender}/{event}")
}

/// Asserts that no call of a listener is left.
pub(crate) fn assert_nothing_heard(peer: &Peer) {
    let mut left = peer.take_events();
    left.retain(|line| line.get("listener").is_some());
    assert_eq!(left, Vec::<Value>::new());
}

/// A stream of events, of a server or of a client.
pub(crate) trait Events {
    fn next_event(&mut self) -> impl Future<Output = Event<'static>>;
}

impl Events for EventStream {
    async fn next_event(&mut self) -> Event<'static> {
        soon("an event", self.recv())
            .await
            .expect("the router lives")
            .expect("nothing is lost")
    }
}

impl Events for RemoteEventStream {
    async fn next_event(&mut self) -> Event<'static> {
        soon("an event", self.recv())
            .await
            .expect("the router lives")
            .expect("nothing is lost")
    }
}

/// The next event as `sender/event`, and its data.
pub(crate) async fn next(stream: &mut impl Events) -> (String, Value) {
    let event = stream.next_event().await;
    (
        format!("{}/{}", event.sender(), event.name()),
        event.decode().expect("JSON"),
    )
}

/// The next event that is not a presence event.
pub(crate) async fn next_plain(stream: &mut impl Events) -> (String, Value) {
    loop {
        let event = stream.next_event().await;
        if !event.name().is_presence() {
            return (
                format!("{}/{}", event.sender(), event.name()),
                event.decode().expect("JSON"),
            );
        }
    }
}

/// One end of a connection on which a test says what it likes, and reads JSON documents.
pub(crate) struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next connection of a listener.
    pub(crate) async fn accept(listener: &tokio::net::TcpListener) -> Self {
        let (stream, _) = soon("a connection", listener.accept()).await.expect("a connection");
        Self::new(stream)
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.expect("the peer is there");
    }

    /// The text of the next document; `None` when the connection has ended.
    pub(crate) async fn document(&mut self) -> Option<String> {
        loop {
            let mut documents = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Value>();
            if let Some(Ok(_)) = documents.next() {
                let end = documents.byte_offset();
                let document: Vec<_> = self.buffer.drain(..end).collect();
                return Some(String::from_utf8(document).expect("UTF-8"));
            }
            match soon("a document", self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub(crate) async fn receive(&mut self) -> Value {
        let document = self.document().await.expect("the connection lives");
        serde_json::from_str(&document).expect("JSON")
    }

    /// Says something and reads the next document, which is the answer when nothing else is under way.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.send(message.to_string()).await;
        self.receive().await
    }
}
