//! The same for the drafts of ZeroMQ: the bundle's own tests of them are skipped where libzmq was built without them, as it mostly is.

#[cfg(all(unix, feature = "libzmq"))]
use sig_carrier_zmq::Socket;
use sig_carrier_zmq::{Kind, Message};

use crate::patterns::ALL;
use crate::world::{World, bind, drained, until_heard};

#[tokio::test]
async fn test_server_client() {
    for world in World::all(ALL) {
        let (server, client) = world.pair(Kind::Server, Kind::Client).await;
        client.send("question").await.unwrap();
        let question = server.recv().await.unwrap();
        assert_eq!(
            question,
            Message::from("question").with_routing_id(question.routing_id().unwrap())
        );
        let answer = Message::from("answer").with_routing_id(question.routing_id().unwrap());
        server.send(answer).await.unwrap();
        assert_eq!(client.recv().await.unwrap().into_frames(), ["answer"]);
    }
}

#[tokio::test]
async fn test_radio_dish() {
    for world in World::all(ALL) {
        let (radio, dish) = world.pair(Kind::Radio, Kind::Dish).await;
        // Subscribing to a DISH is joining.
        dish.join("tv").await.unwrap().subscribe("fm").await.unwrap();
        let (first, last) = (Message::from(["tv", "news"]), Message::from(["fm", "end"]));
        assert_eq!(until_heard(&radio, first.clone(), &dish).await, first);
        // A group is its whole name, no prefix.
        for group in ["t", "tv2", "TV"] {
            radio.send([group, "x"]).await.unwrap();
        }
        assert_eq!(until_heard(&radio, ["fm", "warm"], &dish).await.len(), 2);
        radio.send(last.clone()).await.unwrap();
        for message in drained(&dish, &last).await {
            assert!(message == first || message == ["fm", "warm"].into(), "{message:?}");
        }
    }
}

#[tokio::test]
async fn test_gather_scatter() {
    for world in World::all(ALL) {
        let (gather, scatter) = world.pair(Kind::Gather, Kind::Scatter).await;
        for number in 0..100_u32 {
            scatter.send(number.to_string()).await.unwrap();
        }
        for number in 0..100_u32 {
            assert_eq!(gather.recv().await.unwrap(), number.to_string().into());
        }
    }
}

#[tokio::test]
async fn test_peer() {
    for world in World::all(ALL) {
        let (here, there) = (world.here(Kind::Peer), world.there(Kind::Peer));
        let endpoint = bind(&here, &world.endpoint()).await;
        let identity = there.connect_peer(endpoint).await.unwrap();
        there.send(Message::from("there").with_front(identity)).await.unwrap();
        let mut message = here.recv().await.unwrap();
        let identity = message.pop_front().unwrap();
        assert_eq!(message, "there".into());
        here.send(Message::from("back").with_front(identity)).await.unwrap();
        let message = there.recv().await.unwrap();
        assert_eq!(message.frame(1), Some(&b"back"[..]));
    }
}

#[tokio::test]
async fn test_channel() {
    for world in World::all(ALL) {
        let (here, there) = world.pair(Kind::Channel, Kind::Channel).await;
        here.send("there").await.unwrap();
        there.send("back").await.unwrap();
        assert_eq!(there.recv().await.unwrap(), "there".into());
        assert_eq!(here.recv().await.unwrap(), "back".into());
    }
}

#[cfg(all(unix, feature = "libzmq"))]
#[tokio::test]
async fn dgram() {
    use std::time::Duration;

    use crate::world::options;

    assert_eq!(Socket::dgram().unwrap().kind(), Kind::Dgram);
    let socket = Socket::open(Kind::Dgram, options()).unwrap();
    // A port that was free a moment ago: libzmq does not tell the one that it finds.
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    socket.bind(format!("udp://{free}")).await.unwrap();
    let plain = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let from = plain.local_addr().unwrap().to_string();
    let mut room = [0; 64];
    // It is bound in the background, and what came before is lost.
    let warm = Message::from([from.as_str(), "warm"]);
    loop {
        plain.send_to(b"warm", free).await.unwrap();
        match socket.recv_within(Duration::from_millis(50)).await {
            Ok(datagram) => break assert_eq!(datagram, warm),
            Err(error) => assert!(error.is_timeout(), "{error}"),
        }
    }
    let last = Message::from([from.as_str(), "last"]);
    plain.send_to(b"last", free).await.unwrap();
    assert!(drained(&socket, &last).await.iter().all(|one| *one == warm));
    socket.send([from.as_str(), "answer"]).await.unwrap();
    let (length, sender) = plain.recv_from(&mut room).await.unwrap();
    assert_eq!((&room[..length], sender), (&b"answer"[..], free));

    // Between two of them.
    let other = Socket::open(Kind::Dgram, options()).unwrap();
    let there = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    other.bind(format!("udp://{there}")).await.unwrap();
    let to = free.to_string();
    let heard = until_heard(&other, [to.as_str(), "hello"], &socket).await;
    assert_eq!(heard, [there.to_string().as_str(), "hello"].into());
    let error = socket.send("to whom?").await.unwrap_err().to_string();
    assert!(error.contains("two frames"), "{error}");
}
