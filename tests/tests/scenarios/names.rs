//! W9: names that begin alike have nothing to do with each other.

use std::collections::BTreeMap;

use sig_router::Request;
use sig_router::RequestError;
use sig_tests::rig::{TcpServer, soon};

const NAMES: [&str; 8] = ["a", "ab", "a.b", "a b", "A", "ä", "a*", "*a"];

#[tokio::test]
async fn w9_no_event_leaks_to_a_listener_of_a_name_that_begins_alike() {
    let server = TcpServer::start();
    let (publisher, listener) = (server.client(), server.client());
    let channels = NAMES.map(|name| format!("#{name}"));
    let mut streams = BTreeMap::new();
    for name in NAMES {
        streams.insert(
            format!("sender {name}"),
            listener.listen_remote(("one", name)).await.unwrap(),
        );
        streams.insert(
            format!("channel {name}"),
            listener.listen_remote(format!("#{name}").as_str()).await.unwrap(),
        );
        streams.insert(
            format!("event {name}"),
            listener.listen_remote((name, "e")).await.unwrap(),
        );
    }
    let mut senders = Vec::new();
    for name in NAMES {
        let sender = publisher
            .add_remote_sender(name)
            .event("e")
            .request(name, |request: Request| Ok(request.sender().to_string()))
            .connect();
        senders.push(sender.await.unwrap());
    }
    let one = publisher
        .add_remote_sender("one")
        .events(NAMES)
        .events(&channels)
        .connect()
        .await
        .unwrap();
    for (sender, (name, channel)) in senders.iter().zip(NAMES.iter().zip(&channels)) {
        sender.signal("e").unwrap().trigger(name).await.unwrap();
        one.signal(name).unwrap().trigger(name).await.unwrap();
        one.signal(channel).unwrap().trigger(name).await.unwrap();
    }
    for (of, stream) in &mut streams {
        let event = soon("its event", stream.recv()).await.unwrap().unwrap();
        assert_eq!(event.decode::<String>().unwrap(), of.split_once(' ').unwrap().1, "{of}");
    }
    // Everything was triggered before these answers were asked for: there is nothing more.
    for name in NAMES {
        let answer = listener.remote_request(name, name, &()).await.unwrap();
        assert_eq!(answer.parse::<String>().unwrap(), name);
        let wrong = listener.remote_request(name, "", &()).await;
        assert!(matches!(wrong, Err(RequestError::NoSuchMethod { .. })), "{wrong:?}");
    }
    for (of, stream) in &streams {
        assert!(stream.is_empty(), "{of}: a second event");
    }
}

#[tokio::test]
async fn w9_removing_a_sender_leaves_those_whose_names_begin_alike() {
    let server = TcpServer::start();
    let (publisher, listener) = (server.client(), server.client());
    let a = publisher.add_remote_sender("a").event("e").connect().await.unwrap();
    let ab = publisher.add_remote_sender("ab").event("e").connect().await.unwrap();
    let mut left = listener.listen_remote("ab/#disconnect").await.unwrap();
    let mut events = listener.listen_remote("ab/e").await.unwrap();
    a.remove().await;
    ab.signal("e").unwrap().trigger(&1).await.unwrap();
    assert_eq!(soon("the event", events.recv()).await.unwrap().unwrap().number(), 1);
    assert!(left.is_empty());
    ab.remove().await;
    assert!(soon("#disconnect", left.recv()).await.unwrap().is_ok());
}
