//! What each type does with its counterpart; the names are those of the bundle's own tests.

use bytes::Bytes;
use sig_carrier_zmq::{Kind, Message, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::world::{World, bind, drained, until_heard};

const ALL: &[&str] = &["tcp", "ipc", "inproc"];

#[tokio::test]
async fn pub_sub() {
    for world in World::all(ALL) {
        let (publisher, subscriber) = world.pair(Kind::Pub, Kind::Sub).await;
        subscriber.subscribe("a").await.unwrap().subscribe("c").await.unwrap();
        assert_eq!(
            until_heard(&publisher, ["a", "warm"], &subscriber).await,
            ["a", "warm"].into()
        );
        // Byte prefixes: "ab" is an "a", "b" is not, and what two topics match comes once.
        for topic in ["b", "ab", "", "cc", "b", "end"] {
            publisher.send([topic, "x"]).await.unwrap();
        }
        let end = until_heard(&publisher, "a-end", &subscriber).await;
        let heard = match end == "a-end".into() {
            true => vec![],
            false => [vec![end], drained(&subscriber, &"a-end".into()).await].concat(),
        };
        let warm = Message::from(["a", "warm"]);
        let heard: Vec<_> = heard.into_iter().filter(|message| *message != warm).collect();
        assert_eq!(
            heard,
            [Message::from(["ab", "x"]), ["cc", "x"].into()],
            "{subscriber:?}"
        );
    }
}

#[tokio::test]
async fn push_pull() {
    for world in World::all(ALL) {
        let (pull, push) = world.pair(Kind::Pull, Kind::Push).await;
        for number in 0..500_u32 {
            push.send(Bytes::copy_from_slice(&number.to_be_bytes())).await.unwrap();
        }
        for number in 0..500_u32 {
            let message = pull.recv().await.unwrap();
            assert_eq!(message.frame(0), Some(&number.to_be_bytes()[..]));
        }
    }
}

#[tokio::test]
async fn req_rep() {
    for world in World::all(ALL) {
        let (rep, req) = world.pair(Kind::Rep, Kind::Req).await;
        for question in ["one", "two"] {
            req.send([question, ""]).await.unwrap();
            assert_eq!(rep.recv().await.unwrap(), [question, ""].into());
            rep.send(["answer to", question]).await.unwrap();
            assert_eq!(req.recv().await.unwrap(), ["answer to", question].into());
        }
    }
}

#[tokio::test]
async fn dealer_router() {
    for world in World::all(ALL) {
        let (router, dealer) = world.pair(Kind::Router, Kind::Dealer).await;
        dealer.send(["content", "", "more"]).await.unwrap();
        let mut message = router.recv().await.unwrap();
        let identity = message.pop_front().unwrap();
        assert_eq!(message, ["content", "", "more"].into());
        router.send(Message::from("reply").with_front(identity)).await.unwrap();
        assert_eq!(dealer.recv().await.unwrap(), "reply".into());
    }
}

#[tokio::test]
async fn pair() {
    for world in World::all(ALL) {
        let (one, other) = world.pair(Kind::Pair, Kind::Pair).await;
        one.send(["there", "1"]).await.unwrap();
        other.send(["back", "2"]).await.unwrap();
        assert_eq!(other.recv().await.unwrap(), ["there", "1"].into());
        assert_eq!(one.recv().await.unwrap(), ["back", "2"].into());
    }
}

#[tokio::test]
async fn xpub_xsub() {
    for world in World::all(ALL) {
        let (xpub, xsub) = world.pair(Kind::Xpub, Kind::Xsub).await;
        xsub.subscribe("a").await.unwrap();
        assert_eq!(xpub.recv().await.unwrap(), b"\x01a".into());
        // The other way to say it.
        xsub.send(b"\x01b").await.unwrap();
        assert_eq!(xpub.recv().await.unwrap(), b"\x01b".into());
        xpub.send(["x", "no"]).await.unwrap();
        xpub.send(["b", "yes"]).await.unwrap();
        assert_eq!(xsub.recv().await.unwrap(), ["b", "yes"].into());
        xsub.unsubscribe("a").await.unwrap();
        assert_eq!(xpub.recv().await.unwrap(), b"\x00a".into());
    }
}

#[tokio::test]
async fn an_xpub_tells_the_first_and_the_last_of_each_topic_also_of_peers_that_are_lost() {
    for world in World::all(ALL) {
        let (xpub, one) = world.pair(Kind::Xpub, Kind::Sub).await;
        let other = world.there(Kind::Sub);
        other.connect(xpub.bound().unwrap()).await.unwrap();
        for (topic, end) in [("t", "1-there"), ("u", "1-more")] {
            one.subscribe(topic).await.unwrap().subscribe(end).await.unwrap();
        }
        let mut told = Vec::new();
        for _ in 0..4 {
            told.extend(xpub.recv().await.unwrap().into_frames());
        }
        told.sort_unstable();
        assert_eq!(told, ["\x011-more", "\x011-there", "\x01t", "\x01u"], "{world:?}");
        other.subscribe("t").await.unwrap().subscribe("2-there").await.unwrap();
        assert_eq!(
            xpub.recv().await.unwrap(),
            "\x012-there".into(),
            "t was told before: {world:?}"
        );
        one.unsubscribe("t")
            .await
            .unwrap()
            .unsubscribe("1-there")
            .await
            .unwrap();
        assert_eq!(
            xpub.recv().await.unwrap(),
            "\x001-there".into(),
            "t is still wanted: {world:?}"
        );
        other.close().await;
        let gone = [xpub.recv().await.unwrap(), xpub.recv().await.unwrap()];
        assert!(
            gone.contains(&"\x00t".into()) && gone.contains(&"\x002-there".into()),
            "{world:?}: {gone:?}"
        );
        one.close().await;
        let gone = [xpub.recv().await.unwrap(), xpub.recv().await.unwrap()];
        assert!(
            gone.contains(&"\x00u".into()) && gone.contains(&"\x001-more".into()),
            "{world:?}: {gone:?}"
        );
    }
}

#[tokio::test]
async fn proxy() {
    // Sub and pub in the middle, then with the subscriptions flowing back, then requests.
    for world in World::all(&["tcp", "inproc"]) {
        let (front, back) = (world.here(Kind::Sub), world.here(Kind::Pub));
        front.subscribe("").await.unwrap();
        let (publisher, subscriber, running) = around(&world, front, back, Kind::Pub, Kind::Sub).await;
        subscriber.subscribe("t").await.unwrap();
        assert_eq!(
            until_heard(&publisher, ["t", "1"], &subscriber).await,
            ["t", "1"].into()
        );
        drop(running);

        let (front, back) = (world.here(Kind::Xsub), world.here(Kind::Xpub));
        let (publisher, subscriber, running) = around(&world, front, back, Kind::Xpub, Kind::Sub).await;
        subscriber.subscribe("t").await.unwrap();
        assert_eq!(publisher.recv().await.unwrap(), b"\x01t".into());
        publisher.send(["t", "", "2"]).await.unwrap();
        assert_eq!(subscriber.recv().await.unwrap(), ["t", "", "2"].into());
        subscriber.unsubscribe("t").await.unwrap();
        assert_eq!(publisher.recv().await.unwrap(), b"\x00t".into());
        drop(running);

        let (front, back) = (world.here(Kind::Router), world.here(Kind::Dealer));
        let (req, rep, running) = around(&world, front, back, Kind::Req, Kind::Rep).await;
        req.send("question").await.unwrap();
        assert_eq!(rep.recv().await.unwrap(), "question".into());
        rep.send(["an", "answer"]).await.unwrap();
        assert_eq!(req.recv().await.unwrap(), ["an", "answer"].into());
        drop(running);
    }
}

/// A proxy between two sockets, and one that connects to each.
async fn around(world: &World, front: Socket, back: Socket, left: Kind, right: Kind) -> (Socket, Socket, JoinSet<()>) {
    let (left, right) = (world.there(left), world.there(right));
    left.connect(bind(&front, &world.endpoint()).await).await.unwrap();
    right.connect(bind(&back, &world.endpoint()).await).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move {
        let ended = Socket::proxy(&front, &back).await;
        panic!("the proxy ended: {ended:?}");
    });
    (left, right, running)
}

#[tokio::test]
async fn stream() {
    for world in World::all(&["tcp"]) {
        if world.bound != world.connected {
            continue; // the client is plain TCP
        }
        let server = world.here(Kind::Stream);
        let endpoint = bind(&server, &world.endpoint()).await;
        let mut client = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap())
            .await
            .unwrap();
        let hello = server.recv().await.unwrap();
        assert_eq!((hello.len(), hello.frame(1)), (2, Some(&b""[..])));
        let identity = hello.frame_bytes(0).unwrap();
        client.write_all(b"hello").await.unwrap();
        let mut received = Vec::new();
        while received.len() < 5 {
            let message = server.recv().await.unwrap();
            assert_eq!(message.frame_bytes(0).unwrap(), identity);
            received.extend_from_slice(message.frame(1).unwrap());
        }
        assert_eq!(received, b"hello");
        server
            .send([identity.clone(), Bytes::from_static(b"welcome")])
            .await
            .unwrap();
        let mut answer = [0; 7];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"welcome");
        drop(client);
        let bye = server.recv().await.unwrap();
        assert_eq!(bye.into_frames(), [identity, Bytes::new()]);
    }
}

#[tokio::test]
async fn server_client() {
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
async fn radio_dish() {
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
async fn gather_scatter() {
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
async fn peer() {
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
async fn channel() {
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
