//! Promise 2: once listening has returned, an event triggered afterwards is not missed.

use sig_tests::rig::{TcpServer, soon};

const ROUNDS: u64 = 2000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_an_event_right_after_listening_is_heard() {
    let server = TcpServer::start();
    let (publisher, listener) = (server.client(), server.client());
    let near = server.router.add_sender("near").event("e").connect().unwrap();
    let far = publisher.add_remote_sender("far").event("e").connect().await.unwrap();
    let (near, far) = (near.signal("e").unwrap(), far.signal("e").unwrap());
    for round in 0..ROUNDS {
        let (sender, topic) = match round % 4 {
            0 => ("near", "near/e"),
            1 => ("far", "far/e"),
            2 => ("far", "far"),
            _ => ("near", "*"),
        };
        let mut stream = soon("listening", listener.listen_remote(topic)).await.unwrap();
        let signal = if sender == "near" { &near } else { &far };
        signal.trigger(&round).await.unwrap();
        let event = soon("the event", stream.recv()).await.unwrap().unwrap();
        assert_eq!(
            (event.sender().as_str(), event.decode::<u64>().unwrap()),
            (sender, round)
        );
    }
}

#[tokio::test]
async fn promise_2_a_listener_may_come_before_its_sender_and_survive_it() {
    let server = TcpServer::start();
    let (publisher, listener) = (server.client(), server.client());
    let mut stream = listener.listen_remote("s/e").await.unwrap();
    for round in 0..50_u64 {
        let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
        sender.signal("e").unwrap().trigger(&round).await.unwrap();
        let event = soon("the event", stream.recv()).await.unwrap().unwrap();
        assert_eq!((event.number(), event.decode::<u64>().unwrap()), (1, round));
        sender.remove().await;
    }
}
