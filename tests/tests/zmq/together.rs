//! One router, whose clients come by ZeroMQ and by TCP: of ours, of pysig, of pyzmq.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sig_router::{Presence, RemoteEventStream};
use sig_tests::pysig::Pysig;
use sig_tests::pyzmq::Pyzmq;
use sig_tests::rig::{client_of, connected, soon};
use tokio::task::JoinSet;

use crate::world::Served;

/// How many events each sender triggers.
const EVENTS: u64 = 15;

const SENDERS: [&str; 4] = ["hub", "ours", "pysig", "pyzmq"];

/// What a listener heard of each sender.
#[derive(Default)]
struct Heard(HashMap<String, Vec<u64>>);

impl Heard {
    fn add(&mut self, sender: &Value, event: &Value, data: &Value) {
        if event == "e" {
            let numbers = self.0.entry(sender.as_str().unwrap().to_owned()).or_default();
            numbers.push(data.as_u64().unwrap());
        }
    }

    fn is_complete(&self) -> bool {
        self.0.values().map(Vec::len).sum::<usize>() as u64 == EVENTS * SENDERS.len() as u64
    }

    /// Every event of every sender, in its order, once.
    fn check(&self, who: &str) {
        for sender in SENDERS {
            let expected: Vec<u64> = (0..EVENTS).collect();
            assert_eq!(self.0[sender], expected, "what {who} heard of {sender}");
        }
    }
}

async fn hear(mut stream: RemoteEventStream, who: &str) {
    let mut heard = Heard::default();
    while !heard.is_complete() {
        let event = soon("an event", stream.recv()).await.unwrap().unwrap();
        if event.name().as_str() == "e" {
            let data = event.decode::<Value>().unwrap();
            heard.add(&json!(event.sender()), &json!("e"), &data);
        }
    }
    heard.check(who);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_hears_everybody_in_order_and_a_killed_program_leaves() {
    let (Some(pyzmq), Some(pysig)) = (Pyzmq::available(), Pysig::available()) else {
        return;
    };
    let served = Served::start();
    let hub = &served.router;
    let tcp = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = tcp.medium().local_addr();
    hub.attach(Arc::new(tcp));

    // Each listens to everything.
    let over_zmq = served.client().await;
    let over_tcp = client_of(&address.to_string());
    connected(&over_tcp).await;
    let zmq_stream = over_zmq.listen_remote("*").await.unwrap();
    let tcp_stream = over_tcp.listen_remote("*").await.unwrap();
    // A pysig that hears itself stands still: it takes two.
    let (peer, pysig) = (pysig.spawn().await, pysig.spawn().await);
    for peer in [&peer, &pysig] {
        peer.ok("connect", json!({ "port": address.port() })).await;
    }
    peer.ok(
        "add_remote_listener",
        json!({ "id": "all", "sender": null, "event": null }),
    )
    .await;
    let mut dealer = pyzmq.client(&served.endpoint, "DEALER", "bench").await;
    dealer
        .ok("add_listener", json!({ "sender": null, "event": null }))
        .await;
    let mut leaves = over_tcp.listen_remote("pyzmq/#disconnect").await.unwrap();

    // What pysig triggers is answered when all have taken it.
    let mut hearing = JoinSet::new();
    hearing.spawn(hear(zmq_stream, "a client of ours over ZeroMQ"));
    hearing.spawn(hear(tcp_stream, "a client of ours over TCP"));

    // And each sends.
    let own = hub.add_sender("hub").event("e").connect().unwrap();
    let own = own.signal("e").unwrap();
    let ours = over_zmq.add_remote_sender("ours").event("e").connect().await.unwrap();
    let ours = ours.signal("e").unwrap();
    pysig
        .ok("add_remote_sender", json!({ "name": "pysig", "events": ["e"] }))
        .await;
    dealer
        .ok("add_sender", json!({ "sender": "pyzmq", "events": ["e"] }))
        .await;
    for n in 0..EVENTS {
        let info = json!({ "sender": "pyzmq", "event": "e" });
        dealer.send("signal", json!({ "info": info, "data": n })).await;
        own.trigger(&n).await.unwrap();
        ours.trigger(&n).await.unwrap();
        pysig
            .ok("trigger", json!({ "sender": "pysig", "event": "e", "data": n }))
            .await;
    }

    while let Some(heard) = hearing.join_next().await {
        heard.unwrap();
    }
    let mut heard = Heard::default();
    while !heard.is_complete() {
        let call = peer.heard("all").await;
        heard.add(&call.sender, &call.event, &call.data);
    }
    heard.check("pysig");
    let mut heard = Heard::default();
    while !heard.is_complete() {
        let signal = dealer.says("signal").await;
        heard.add(&signal["info"]["sender"], &signal["info"]["event"], &signal["data"]);
    }
    heard.check("pyzmq");

    dealer.kill().await;
    let left = soon("its leaving", leaves.recv()).await.unwrap().unwrap();
    let left = left.decode::<Presence>().unwrap();
    // The system closes the link of a program that was killed, or breaks it where something came that was not read.
    let reason = left.reason.as_deref().unwrap_or_default();
    assert!(
        ["closed", "link_lost"].contains(&reason) && left.carrier == "zmq",
        "{left:?}"
    );
}
