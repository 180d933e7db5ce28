//! Our sockets and forwarders with those of pyzmq, in both roles.

use std::time::Duration;

use serde_json::json;
use sig_carrier_zmq::{Forwarder, Kind, Message, Options, Pattern, Socket};
use sig_tests::pyzmq::Pyzmq;

use crate::peer::Python;

const ANY: &str = "tcp://127.0.0.1:*";

fn options() -> Options {
    let soon = Duration::from_secs(20);
    Options::default().receive_timeout(soon).send_timeout(soon)
}

fn open(kind: Kind) -> Socket {
    Socket::open(kind, options()).unwrap()
}

async fn bound(kind: Kind) -> (Socket, String) {
    let socket = open(kind).bind(ANY).await.unwrap();
    let endpoint = socket.bound().unwrap();
    (socket, endpoint)
}

async fn connected(kind: Kind, endpoint: &str) -> Socket {
    open(kind).connect(endpoint).await.unwrap()
}

fn text(message: &Message) -> Vec<String> {
    message
        .iter()
        .map(|frame| frame.iter().map(|&byte| char::from(byte)).collect())
        .collect()
}

/// Ours publishes until theirs has it.
async fn until_python_hears(from: &Socket, frames: &[&str], python: &mut Python, name: &str) {
    for _ in 0..1000 {
        from.send(Message::frames(frames.iter().copied())).await.unwrap();
        if let Some(heard) = python.recv_within(name, 20).await {
            assert_eq!(heard, frames);
            return;
        }
    }
    panic!("{name} hears nothing of {frames:?}");
}

/// Theirs publishes until ours has it.
async fn until_we_hear(python: &mut Python, name: &str, frames: &[&str], to: &Socket) {
    for _ in 0..1000 {
        python.send(name, frames).await;
        if let Ok(heard) = to.recv_within(Duration::from_millis(20)).await {
            assert_eq!(text(&heard), frames);
            return;
        }
    }
    panic!("we hear nothing of {frames:?}");
}

#[tokio::test]
async fn push_pull_pair_and_dealers_in_both_roles() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let mut python = Python::start(&pyzmq);
    let pairs = [
        (Kind::Push, "PULL", Kind::Pull, "PUSH"),
        (Kind::Pair, "PAIR", Kind::Pair, "PAIR"),
        (Kind::Dealer, "DEALER", Kind::Dealer, "DEALER"),
    ];
    for (sends, theirs, receives, from) in pairs {
        for we_bind in [true, false] {
            let (ours, their) = (format!("to-{theirs}-{we_bind}"), format!("from-{from}-{we_bind}"));
            let (out, into) = if we_bind {
                let (out, endpoint) = bound(sends).await;
                python.connected(&ours, theirs, &endpoint).await;
                let (into, endpoint) = bound(receives).await;
                python.connected(&their, from, &endpoint).await;
                (out, into)
            } else {
                let out = connected(sends, &python.bound(&ours, theirs).await).await;
                (out, connected(receives, &python.bound(&their, from).await).await)
            };
            let big = "x".repeat(70_000);
            for frames in [&["one"][..], &["", "two", ""], &["\0\u{ff}", &big]] {
                let bytes = frames
                    .iter()
                    .map(|text| text.chars().map(|c| c as u8).collect::<Vec<_>>());
                out.send(Message::frames(bytes)).await.unwrap();
                assert_eq!(python.recv(&ours).await, frames);
                python.send(&their, frames).await;
                assert_eq!(text(&into.recv().await.unwrap()), frames);
            }
        }
    }
}

#[tokio::test]
async fn requests_and_replies_in_both_roles() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let mut python = Python::start(&pyzmq);
    let (rep, endpoint) = bound(Kind::Rep).await;
    python.connected("req", "REQ", &endpoint).await;
    let req = connected(Kind::Req, &python.bound("rep", "REP").await).await;
    let (router, endpoint) = bound(Kind::Router).await;
    python.open("named", "DEALER", json!({"IDENTITY": "lab"})).await;
    python.connect("named", &endpoint).await;
    let dealer = Socket::open(Kind::Dealer, options().identity("ours")).unwrap();
    dealer.connect(python.bound("router", "ROUTER").await).await.unwrap();
    for round in ["first", "second"] {
        python.send("req", &[round, "?"]).await;
        assert_eq!(text(&rep.recv().await.unwrap()), [round, "?"]);
        rep.send([round, "!"]).await.unwrap();
        assert_eq!(python.recv("req").await, [round, "!"]);

        req.send(round).await.unwrap();
        assert_eq!(python.recv("rep").await, [round]);
        python.send("rep", &["re", round]).await;
        assert_eq!(text(&req.recv().await.unwrap()), ["re", round]);

        python.send("named", &["hi", round]).await;
        assert_eq!(text(&router.recv().await.unwrap()), ["lab", "hi", round]);
        router.send(["lab", "hello", round]).await.unwrap();
        assert_eq!(python.recv("named").await, ["hello", round]);

        dealer.send(["hi", round]).await.unwrap();
        assert_eq!(python.recv("router").await, ["ours", "hi", round]);
        python.send("router", &["ours", "hello", round]).await;
        assert_eq!(text(&dealer.recv().await.unwrap()), ["hello", round]);
    }
}

#[tokio::test]
async fn pub_sub_and_xpub_xsub_in_both_roles() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let mut python = Python::start(&pyzmq);
    let (publisher, endpoint) = bound(Kind::Pub).await;
    python.connected("sub", "SUB", &endpoint).await;
    python.subscribe("sub", "t").await;
    until_python_hears(&publisher, &["tt", "1"], &mut python, "sub").await;

    let subscriber = connected(Kind::Sub, &python.bound("pub", "PUB").await).await;
    subscriber.subscribe("t").await.unwrap();
    until_we_hear(&mut python, "pub", &["t", "2"], &subscriber).await;
    python.send("pub", &["other", "3"]).await;
    python.send("pub", &["t", "end"]).await;
    while text(&subscriber.recv().await.unwrap()) != ["t", "end"] {}

    let (xpub, endpoint) = bound(Kind::Xpub).await;
    python.connected("xsub", "XSUB", &endpoint).await;
    python.send("xsub", &["\u{1}a"]).await;
    assert_eq!(text(&xpub.recv().await.unwrap()), ["\u{1}a"]);
    xpub.send(["a", "", "b"]).await.unwrap();
    assert_eq!(python.recv("xsub").await, ["a", "", "b"]);
    python.close("xsub").await;
    assert_eq!(text(&xpub.recv().await.unwrap()), ["\0a"], "its leaving takes it back");

    let xsub = connected(Kind::Xsub, &python.bound("xpub", "XPUB").await).await;
    xsub.subscribe("a").await.unwrap();
    assert_eq!(python.recv("xpub").await, ["\u{1}a"]);
    python.send("xpub", &["ab", "x"]).await;
    assert_eq!(text(&xsub.recv().await.unwrap()), ["ab", "x"]);
    xsub.close().await;
    assert_eq!(python.recv("xpub").await, ["\0a"]);
}

#[tokio::test]
async fn through_our_proxy_and_through_theirs() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let mut python = Python::start(&pyzmq);
    let ours = Forwarder::of(Pattern::Topics)
        .bind_front(ANY)
        .bind_back(ANY)
        .start()
        .await
        .unwrap();
    python.connected("pub", "XPUB", ours.front()[0].as_str()).await;
    python.connected("sub", "SUB", ours.back()[0].as_str()).await;
    python.subscribe("sub", "t").await;
    assert_eq!(python.recv("pub").await, ["\u{1}t"], "subscriptions go upstream");
    for number in 0..300_u32 {
        python.send("pub", &["t", &number.to_string()]).await;
    }
    for number in 0..300_u32 {
        assert_eq!(python.recv("sub").await, ["t", &number.to_string()]);
    }
    python.unsubscribe("sub", "t").await;
    assert_eq!(python.recv("pub").await, ["\0t"]);
    python.subscribe("sub", "u").await;
    assert_eq!(python.recv("pub").await, ["\u{1}u"]);
    python.close("sub").await;
    assert_eq!(
        python.recv("pub").await,
        ["\0u"],
        "one that leaves takes its subscriptions along"
    );

    let requests = Forwarder::of(Pattern::Requests)
        .bind_front(ANY)
        .bind_back(ANY)
        .start()
        .await
        .unwrap();
    python.connected("req", "REQ", requests.front()[0].as_str()).await;
    python.connected("rep", "REP", requests.back()[0].as_str()).await;
    python.send("req", &["question"]).await;
    assert_eq!(python.recv("rep").await, ["question"]);
    python.send("rep", &["answer"]).await;
    assert_eq!(python.recv("req").await, ["answer"]);

    let front = python.bound("front", "XSUB").await;
    let back = python.bound("back", "XPUB").await;
    python.proxy("front", "back").await;
    let publisher = connected(Kind::Xpub, &front).await;
    let subscriber = connected(Kind::Sub, &back).await.subscribe("t").await.unwrap();
    assert_eq!(text(&publisher.recv().await.unwrap()), ["\u{1}t"]);
    publisher.send(["t", "", "x"]).await.unwrap();
    assert_eq!(text(&subscriber.recv().await.unwrap()), ["t", "", "x"]);
    subscriber.close().await;
    assert_eq!(text(&publisher.recv().await.unwrap()), ["\0t"]);
}

#[tokio::test]
async fn peers_restart_in_every_order() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    // They listen and restart; killed, not closed.
    let mut python = Python::start(&pyzmq);
    let endpoint = python.bound("pull", "PULL").await;
    let push = connected(Kind::Push, &endpoint).await;
    push.send("one").await.unwrap();
    assert_eq!(python.recv("pull").await, ["one"]);
    let mut events = push.monitor().unwrap();
    python.kill().await;
    while !matches!(
        events.next().await.unwrap(),
        sig_carrier_zmq::LinkEvent::Disconnected { .. }
    ) {}
    let mut python = Python::start(&pyzmq);
    python.open("pull", "PULL", json!({})).await;
    python.bind("pull", &endpoint).await;
    push.send("two").await.unwrap();
    assert_eq!(python.recv("pull").await, ["two"]);

    // We listen and restart.
    let (pull, endpoint) = bound(Kind::Pull).await;
    python.connected("push", "PUSH", &endpoint).await;
    python.send("push", &["three"]).await;
    assert_eq!(text(&pull.recv().await.unwrap()), ["three"]);
    pull.close().await;
    let pull = open(Kind::Pull).bind(&endpoint).await.unwrap();
    // What was on its way when the link broke may be lost, as with any ZeroMQ.
    until_we_hear(&mut python, "push", &["four"], &pull).await;

    // Subscribers subscribe again by themselves, whoever restarts.
    let (publisher, endpoint) = bound(Kind::Pub).await;
    python.connected("sub", "SUB", &endpoint).await;
    python.subscribe("sub", "t").await;
    until_python_hears(&publisher, &["t", "1"], &mut python, "sub").await;
    publisher.close().await;
    let publisher = open(Kind::Pub).bind(&endpoint).await.unwrap();
    while python.recv_within("sub", 0).await.is_some() {}
    until_python_hears(&publisher, &["t", "2"], &mut python, "sub").await;

    let endpoint = python.bound("pub", "PUB").await;
    let subscriber = connected(Kind::Sub, &endpoint).await.subscribe("t").await.unwrap();
    until_we_hear(&mut python, "pub", &["t", "3"], &subscriber).await;
    python.kill().await;
    let mut python = Python::start(&pyzmq);
    python.open("pub", "PUB", json!({})).await;
    python.bind("pub", &endpoint).await;
    while subscriber.try_recv().unwrap().is_some() {}
    until_we_hear(&mut python, "pub", &["t", "4"], &subscriber).await;

    // Who connects is there first.
    let (probe, endpoint) = bound(Kind::Pull).await;
    probe.close().await;
    python.connected("early", "PUSH", &endpoint).await;
    python.send("early", &["kept"]).await;
    let late = open(Kind::Pull).bind(&endpoint).await.unwrap();
    assert_eq!(text(&late.recv().await.unwrap()), ["kept"]);
}
