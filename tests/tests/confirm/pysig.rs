//! pysig's peers: their replies confirm, and what they trigger is answered when it is delivered (P63).

use std::time::Duration;

use futures::FutureExt as _;
use serde_json::{Value, json};
use sig_router::{Confirm, Event, Listen, Policy};
use sig_tests::raw::Raw;
use sig_tests::rig::{holds, soon};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{World, counts};

/// A client that speaks pysig's JSON.
struct Pysig {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Pysig {
    async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let read = Vec::new();
        Self { stream, read }
    }

    async fn send(&mut self, message: Value) {
        self.stream.write_all(message.to_string().as_bytes()).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        soon("a document", async {
            loop {
                let mut documents = serde_json::Deserializer::from_slice(&self.read).into_iter::<Value>();
                if let Some(Ok(document)) = documents.next() {
                    let taken = documents.byte_offset();
                    self.read.drain(..taken);
                    return document;
                }
                let mut buffer = [0; 4096];
                let count = self.stream.read(&mut buffer).await.unwrap();
                assert!(count > 0, "the server closed the connection");
                self.read.extend_from_slice(&buffer[..count]);
            }
        })
        .await
    }

    async fn call(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.send(json!({ "id": id, "method": method, "params": params })).await;
        let reply = self.next().await;
        assert_eq!((&reply["id"], &reply["status"]), (&json!(id), &json!(0)), "{reply}");
        reply
    }

    async fn add_sender(&mut self) {
        self.call(1, "add_sender", json!({ "sender": "s", "events": ["e"] }))
            .await;
    }

    async fn signal(&mut self, id: u64) {
        let params = json!({ "info": { "sender": "s", "event": "e" }, "data": id });
        self.send(json!({ "id": id, "method": "signal", "params": params }))
            .await;
    }
}

#[tokio::test]
async fn a_reply_of_a_pysig_client_is_the_delivery() {
    let world = World::tcp();
    let sender = world.server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut pysig = Pysig::connect(world.address()).await;
    let added = pysig
        .call(1, "add_listener", json!({ "sender": "s", "event": "e" }))
        .await;
    let listener = added["response"]["listener_id"].clone();
    for (status, expected) in [
        (json!({ "status": 0, "response": null }), [1, 1, 0, 0]),
        (json!({ "status": -2, "exception": "ouch" }), [1, 0, 1, 0]),
    ] {
        let mut confirming = signal.trigger_confirmed(&7, Confirm::Delivered).into_future();
        let call = tokio::select! {
            call = pysig.next() => call,
            early = &mut confirming => panic!("{early:?}"),
        };
        assert_eq!(
            (&call["method"], &call["params"]["listener_id"]),
            (&json!("signal"), &listener)
        );
        let mut reply = status;
        reply["id"] = call["id"].clone();
        pysig.send(reply).await;
        assert_eq!(counts(soon("the reply", confirming).await.unwrap()), expected);
    }
    let accepted = soon("accepted", signal.trigger_confirmed(&8, Confirm::Accepted))
        .await
        .unwrap();
    assert_eq!(counts(accepted), [1, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p63_a_pysig_signal_is_answered_when_blocking_listeners_have_dealt_with_it() {
    let world = World::tcp();
    let mut pysig = Pysig::connect(world.address()).await;
    pysig.add_sender().await;
    let client = world.client();
    // Nobody takes anything from these, and they hold nobody up.
    let _idle = world
        .server
        .listen(Listen::to("s/e").unwrap().policy(Policy::Latest))
        .unwrap();
    let _dropping = client
        .listen_remote(Listen::to("s").unwrap().policy(Policy::DropOldest(8)))
        .await
        .unwrap();
    pysig.signal(2).await;
    assert_eq!(pysig.next().await["id"], 2);
    drop(_dropping);

    let mut here = world.server.listen("s/e").unwrap();
    let mut there = client.listen_remote("s/e").await.unwrap();
    let (thaw, frozen) = std::sync::mpsc::sync_channel::<()>(1);
    let frozen = std::sync::Mutex::new(frozen);
    let freeze = move |_: &Event<'_>| {
        let _ = frozen.lock().unwrap().recv();
    };
    let _function = client.add_remote_listener("s/e", freeze).await.unwrap();
    pysig.signal(3).await;
    // Whichever is last, the answer waits for it.
    assert_eq!(soon("at the server", here.recv()).await.unwrap().unwrap().number(), 2);
    assert_eq!(soon("at the client", there.recv()).await.unwrap().unwrap().number(), 2);
    let early = tokio::time::timeout(Duration::from_millis(100), pysig.next()).await;
    assert!(early.is_err(), "answered while a function runs: {early:?}");
    thaw.send(()).unwrap();
    assert_eq!(pysig.next().await["id"], 3);
}

#[tokio::test]
async fn p63_a_pysig_signal_waits_for_a_stream_of_a_client() {
    let world = World::tcp();
    let mut pysig = Pysig::connect(world.address()).await;
    pysig.add_sender().await;
    let client = world.client();
    let mut there = client.listen_remote("s/e").await.unwrap();
    pysig.signal(2).await;
    holds("the event to arrive", || !there.is_empty()).await;
    let early = tokio::time::timeout(Duration::from_millis(100), pysig.next()).await;
    assert!(early.is_err(), "answered while it lies there: {early:?}");
    assert!(there.recv().await.unwrap().is_ok());
    assert_eq!(pysig.next().await["id"], 2);
}

#[tokio::test]
async fn a_pysig_signal_does_not_wait_for_clients_that_do_not_tell() {
    let world = World::tcp();
    let mut raw = Raw::hello(world.address()).await;
    let listens = json!({ "listener_id": 1, "sender": "s", "event": "e" });
    assert_eq!(raw.call(1, "add_listener", &listens).await["status"], 0);
    let mut pysig = Pysig::connect(world.address()).await;
    pysig.add_sender().await;
    pysig.signal(2).await;
    let answer = pysig.next().now_or_never();
    let answer = match answer {
        Some(answer) => answer,
        None => tokio::time::timeout(Duration::from_secs(4), pysig.next())
            .await
            .expect("no wait of nine seconds"),
    };
    assert_eq!(answer["id"], 2);
}
