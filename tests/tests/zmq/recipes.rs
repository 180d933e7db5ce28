//! The recipes for pyzmq in docs/ZEROMQ.md and docs/CARRIERS.md, as they stand there.

use std::path::Path;

use serde_json::{Value, json};
use sig_carrier_zmq::{Forwarder, Pattern, Publisher, Socket, Subscriber};
use sig_tests::process::Process;
use sig_tests::pyzmq::Pyzmq;
use sig_tests::rig::holds;
use tempfile::TempDir;

use crate::bus::SOON;
use crate::world::Served;

/// Recipes of a page, with other endpoints than it names.
struct Recipes {
    pyzmq: Pyzmq,
    page: String,
    folder: TempDir,
}

impl Recipes {
    fn of(pyzmq: &Pyzmq, page: &str, endpoints: &[(&str, &str)]) -> Self {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let page = std::fs::read_to_string(page).unwrap();
        let page = endpoints
            .iter()
            .fold(page, |page, (there, here)| page.replace(there, here));
        Self {
            pyzmq: pyzmq.clone(),
            page,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs the one that has such a socket.
    fn run(&self, socket: &str) -> Process {
        let blocks = self
            .page
            .split("```python\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next());
        let mut found = blocks.filter(|block| block.contains(&format!("zmq.{socket})")));
        let (Some(block), None) = (found.next(), found.next()) else {
            panic!("there is not one recipe with {socket}");
        };
        let path = self.folder.path().join(format!("{socket}.py"));
        std::fs::write(&path, block).unwrap();
        self.pyzmq.run(path.to_str().unwrap(), &[])
    }
}

/// A forwarder, and the recipes with its endpoints for those of the page.
async fn forwarded(pyzmq: &Pyzmq, pattern: Pattern, front: &str, back: &str) -> (Forwarder, Recipes) {
    let any = "tcp://127.0.0.1:*";
    let forwarder = Forwarder::of(pattern)
        .bind_front(any)
        .bind_back(any)
        .start()
        .await
        .unwrap();
    let endpoints = [
        (front, forwarder.front()[0].as_str().to_owned()),
        (back, forwarder.back()[0].as_str().to_owned()),
    ];
    let recipes = Recipes::of(
        pyzmq,
        "ZEROMQ.md",
        &endpoints.each_ref().map(|(there, here)| (*there, here.as_str())),
    );
    (forwarder, recipes)
}

#[tokio::test]
async fn publishers_and_subscribers_of_pyzmq_work_with_each_other_and_with_ours() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let (front, back) = ("tcp://localhost:5559", "tcp://localhost:5560");
    let (forwarder, recipes) = forwarded(&pyzmq, Pattern::Topics, front, back).await;
    let line = "lab.room1.door. \"open\"";
    // So many were told upstream, those taken back among them.
    let told = |count| forwarder.statistics().back.messages == count;

    // Theirs and ours listen to theirs.
    let ours = Subscriber::connect(forwarder.back()[0].as_str()).await.unwrap();
    let mut theirs = recipes.run("SUB");
    ours.subscribe("lab").await.unwrap();
    holds("both have subscribed", || told(2)).await;
    let _publisher = recipes.run("XPUB");
    theirs.says_line(line).await;
    assert_eq!(
        ours.get_json::<String>(SOON).await.unwrap(),
        ("lab.room1.door".into(), "open".into())
    );

    // Theirs listens to ours.
    ours.close().await;
    // Both have taken theirs back, so that the next one is the new one's.
    holds("none has", || told(4)).await;
    let mut theirs = recipes.run("SUB");
    let publisher = Publisher::connect(forwarder.front()[0].as_str()).await.unwrap();
    publisher.wanted("lab.room1").await.unwrap();
    publisher.publish("lab.room1.door", "open").await.unwrap();
    theirs.says_line(line).await;
}

#[tokio::test]
async fn workers_and_askers_of_pyzmq_find_each_other_and_ours() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let (front, back) = ("tcp://localhost:5555", "tcp://localhost:5556");
    let (forwarder, recipes) = forwarded(&pyzmq, Pattern::Requests, front, back).await;
    // Asked before there is a worker: it waits.
    let mut asker = recipes.run("REQ");
    let _worker = recipes.run("REP");
    asker.says_line("{'double': 42}").await;
    let ours = Socket::req()
        .unwrap()
        .connect(forwarder.front()[0].as_str())
        .await
        .unwrap();
    ours.send(r#"{"n": 4}"#).await.unwrap();
    assert_eq!(document(&ours).await, json!({ "double": 8 }));

    // Another, at which the worker is ours.
    let (forwarder, recipes) = forwarded(&pyzmq, Pattern::Requests, front, back).await;
    let mut asker = recipes.run("REQ");
    let worker = Socket::rep()
        .unwrap()
        .connect(forwarder.back()[0].as_str())
        .await
        .unwrap();
    assert_eq!(document(&worker).await, json!({ "n": 21 }));
    worker.send(r#"{"double": "by hand"}"#).await.unwrap();
    asker.says_line("{'double': 'by hand'}").await;
}

async fn document(socket: &Socket) -> Value {
    let message = tokio::time::timeout(SOON, socket.recv()).await.unwrap().unwrap();
    serde_json::from_slice(message.frame(0).unwrap()).unwrap()
}

#[tokio::test]
async fn a_dealer_of_pyzmq_listens_to_a_router() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let served = Served::start();
    let recipes = Recipes::of(&pyzmq, "CARRIERS.md", &[("tcp://lab:5555", &served.endpoint)]);
    let mut dealer = recipes.run("DEALER");
    let timer = served.router.add_sender("timer").event("tic").connect().unwrap();
    let listens = || {
        let senders = served.router.senders();
        senders
            .iter()
            .any(|sender| sender.name.as_str() == "timer" && sender.listeners == 1)
    };
    holds("it listens", listens).await;
    for n in 1..=3 {
        timer.signal("tic").unwrap().trigger(&n).await.unwrap();
        dealer
            .says_line(&format!("{{'sender': 'timer', 'event': 'tic'}} {n}"))
            .await;
    }
}
