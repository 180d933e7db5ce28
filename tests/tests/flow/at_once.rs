//! What is triggered at once after `listen` has returned is heard: ten thousand times, over one hop and over two.

use sig_router::{ClientRouter, Signal};
use sig_tests::rig::TcpServer;

use crate::account::Stream;

const TIMES: u64 = 10_000;

/// Listens and triggers at once, again and again.
async fn listen_and_trigger(client: &ClientRouter, signal: &Signal, topics: &[&str]) {
    for n in 1..=TIMES {
        let topic = topics[usize::try_from(n).unwrap() % topics.len()];
        let mut stream = client.listen_remote(topic).await.unwrap();
        signal.trigger(&n).await.unwrap();
        let event = loop {
            let event = stream.next().await.unwrap();
            if !event.name().is_presence() {
                break event;
            }
        };
        assert_eq!((event.number(), event.decode::<u64>().unwrap()), (n, n));
    }
}

const TOPICS: [&str; 4] = ["s/#e", "s", "#e", "*"];

#[tokio::test]
async fn promise_2_listen_then_trigger_over_one_hop_loses_nothing() {
    let server = TcpServer::start();
    let client = server.client();
    let sender = server.router.add_sender("s").event("#e").connect().unwrap();
    listen_and_trigger(&client, &sender.signal("#e").unwrap(), &TOPICS).await;
}

#[tokio::test]
async fn promise_2_listen_then_trigger_over_two_hops_loses_nothing() {
    let server = TcpServer::start();
    let (publisher, client) = (server.client(), server.client());
    let sender = publisher.add_remote_sender("s").event("#e").connect().await.unwrap();
    listen_and_trigger(&client, &sender.signal("#e").unwrap(), &TOPICS).await;
}
