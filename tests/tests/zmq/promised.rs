//! Scenarios that no predecessor passes, over ZeroMQ.

use std::time::Duration;

use serde_json::json;
use sig_carrier_zmq::{Kind, Options, Socket};
use sig_router::Request;
use sig_tests::rig::soon;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::world::Served;

#[tokio::test]
async fn w2_a_client_listens_to_its_own_sender_and_asks_it() {
    let served = Served::start();
    let client = served.client().await;
    let sender = client
        .add_remote_sender("s")
        .event("e")
        .request("double", |request: Request| Ok(request.params::<i64>()? * 2))
        .connect()
        .await
        .unwrap();
    let mut own = client.listen_remote("s/e").await.unwrap();
    let signal = sender.signal("e").unwrap();
    for n in 1..=200_u64 {
        signal.trigger(&n).await.unwrap();
        let answer = soon("an answer", client.remote_request("s", "double", &n)).await;
        assert_eq!(answer.unwrap().parse::<u64>().unwrap(), 2 * n);
        assert_eq!(soon("an event", own.recv()).await.unwrap().unwrap().number(), n);
    }
}

#[tokio::test]
async fn w9_names_that_begin_alike_never_leak_into_each_other() {
    const NAMES: [&str; 4] = ["a", "ab", "a.b", "abc"];
    let served = Served::start();
    let (publisher, client) = (served.client().await, served.client().await);
    let mut senders = Vec::new();
    for name in NAMES {
        let sender = publisher.add_remote_sender(name).events(NAMES).connect();
        senders.push(sender.await.unwrap());
    }
    let mut streams = Vec::new();
    for sender in NAMES {
        for event in NAMES {
            let topic = format!("{sender}/{event}");
            streams.push((topic.clone(), client.listen_remote(&*topic).await.unwrap()));
        }
    }
    for sender in &senders {
        for event in NAMES {
            let said = format!("{}/{event}", sender.name());
            sender.signal(event).unwrap().trigger(&said).await.unwrap();
        }
    }
    for (topic, stream) in &mut streams {
        let event = soon("an event", stream.recv()).await.unwrap().unwrap();
        assert_eq!(event.decode::<String>().unwrap(), *topic);
        assert!(stream.is_empty(), "{topic}");
    }
}

#[tokio::test]
async fn w10_a_hostile_frame_costs_its_own_connection_at_most() {
    let served = Served::start();
    let good = served.client().await;
    let address = served.endpoint.trim_start_matches("tcp://").to_owned();
    for noise in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        &[0xff; 64],
        b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL",
    ] {
        let mut stranger = TcpStream::connect(&address).await.unwrap();
        stranger.write_all(noise).await.unwrap();
    }
    let options = Options::default().receive_timeout(Duration::from_secs(20));
    let dealer = Socket::open(Kind::Dealer, options).unwrap();
    let dealer = dealer.connect(&served.endpoint).await.unwrap();
    for hostile in [
        "{",
        "[[[[",
        r#"{"id":1,"method":"__import__('os').system"}"#,
        r#"{"id":{},"method":7}"#,
        "\u{0}",
    ] {
        dealer.send(hostile).await.unwrap();
        let answer = dealer.recv().await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(answer.frame(0).unwrap()).unwrap();
        assert!(
            answer["status"].as_i64().is_some_and(|status| status < 0),
            "{hostile}: {answer}"
        );
    }
    let _echo = good
        .add_remote_sender("echo")
        .request("echo", |request: Request| Ok(request.raw_params().clone()))
        .connect()
        .await
        .unwrap();
    let answer = soon("an answer", good.remote_request("echo", "echo", &json!([1]))).await;
    assert_eq!(answer.unwrap().text(), "[1]");
}

#[tokio::test]
async fn w12_shutdown_with_open_subscribers_returns_and_returns_twice() {
    let served = Served::start();
    let client = served.client().await;
    let stream = client.listen_remote("*").await.unwrap();
    let dealer = Socket::dealer().unwrap().connect(&served.endpoint).await.unwrap();
    dealer.send(r#"{"id":1,"method":"get_version"}"#).await.unwrap();
    dealer.recv().await.unwrap();
    for _ in 0..2 {
        soon("the router ends", served.router.close(Duration::from_secs(5))).await;
    }
    for _ in 0..2 {
        soon("the client ends", client.close(Duration::from_secs(5))).await;
        soon("the socket ends", dealer.close()).await;
    }
    drop(stream);
}
