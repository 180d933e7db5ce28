//! What each type does with its counterpart. What begins with `test_` has the name of one of the bundle's own tests, in
//! `tests/core/test_socket.py`, and so it is in `drafts`.

use bytes::Bytes;
use sig_carrier_zmq::{Error, Kind, Message, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};

use crate::world::{World, bind, drained, options, until_heard};

pub(crate) const ALL: &[&str] = &["tcp", "ipc", "inproc"];

#[tokio::test]
async fn test_pub_sub() {
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
async fn test_push_pull() {
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
async fn test_req_rep() {
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
async fn test_dealer_router() {
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
async fn test_pair() {
    for world in World::all(ALL) {
        let (one, other) = world.pair(Kind::Pair, Kind::Pair).await;
        one.send(["there", "1"]).await.unwrap();
        other.send(["back", "2"]).await.unwrap();
        assert_eq!(other.recv().await.unwrap(), ["there", "1"].into());
        assert_eq!(one.recv().await.unwrap(), ["back", "2"].into());
    }
}

#[tokio::test]
async fn test_xpub_xsub() {
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
async fn test_proxy() {
    // Sub and pub in the middle, then with the subscriptions flowing back, then requests.
    for world in World::all(ALL) {
        let (front, back) = (world.here(Kind::Sub), world.here(Kind::Pub));
        front.subscribe("").await.unwrap();
        let (publisher, subscriber, running) = around(&world, front, back, Kind::Pub, Kind::Sub).await;
        subscriber.subscribe("t").await.unwrap();
        assert_eq!(
            until_heard(&publisher, ["t", "1"], &subscriber).await,
            ["t", "1"].into()
        );
        cancelled(running).await;

        let (front, back) = (world.here(Kind::Xsub), world.here(Kind::Xpub));
        let (publisher, subscriber, running) = around(&world, front, back, Kind::Xpub, Kind::Sub).await;
        subscriber.subscribe("t").await.unwrap();
        assert_eq!(publisher.recv().await.unwrap(), b"\x01t".into());
        publisher.send(["t", "", "2"]).await.unwrap();
        assert_eq!(subscriber.recv().await.unwrap(), ["t", "", "2"].into());
        subscriber.unsubscribe("t").await.unwrap();
        assert_eq!(publisher.recv().await.unwrap(), b"\x00t".into());
        cancelled(running).await;

        let (front, back) = (world.here(Kind::Router), world.here(Kind::Dealer));
        let (req, rep, running) = around(&world, front, back, Kind::Req, Kind::Rep).await;
        req.send("question").await.unwrap();
        assert_eq!(rep.recv().await.unwrap(), "question".into());
        rep.send(["an", "answer"]).await.unwrap();
        assert_eq!(req.recv().await.unwrap(), ["an", "answer"].into());
        cancelled(running).await;
    }
}

/// A proxy between two sockets, and one that connects to each.
async fn around(
    world: &World,
    front: Socket,
    back: Socket,
    left: Kind,
    right: Kind,
) -> (Socket, Socket, JoinSet<Result<(), Error>>) {
    let (left, right) = (world.there(left), world.there(right));
    left.connect(bind(&front, &world.endpoint()).await).await.unwrap();
    right.connect(bind(&back, &world.endpoint()).await).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move { Socket::proxy(&front, &back).await });
    (left, right, running)
}

/// A proxy runs until it is cancelled.
async fn cancelled(mut running: JoinSet<Result<(), Error>>) {
    running.abort_all();
    let ended = running.join_next().await.unwrap();
    assert!(ended.as_ref().is_err_and(JoinError::is_cancelled), "{ended:?}");
}

#[tokio::test]
async fn test_stream() {
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

/// More than there is room for on the way, so that those who send wait too.
#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_low_latency_lose_and_reorder_nothing() {
    const COUNT: u32 = 1_000;
    let kinds = [
        (Kind::Router, Kind::Dealer),
        (Kind::Pair, Kind::Pair),
        (Kind::Server, Kind::Client),
        (Kind::Channel, Kind::Channel),
    ];
    for transport in ALL {
        for (here, there) in kinds {
            let world = World::all(&[*transport]).remove(0);
            let prompt = options()
                .library(world.bound)
                .low_latency(true)
                .send_high_water(20)
                .receive_high_water(20);
            let open = |kind| Socket::open(kind, prompt.clone()).unwrap();
            let (here, there) = (open(here), open(there));
            let endpoint = bind(&here, &world.endpoint()).await;
            there.connect(endpoint).await.unwrap();
            let sending = async {
                for number in 0..COUNT {
                    there.send(Bytes::copy_from_slice(&number.to_be_bytes())).await.unwrap();
                }
            };
            // Each goes straight back to where it came from.
            let echoing = async {
                for _ in 0..COUNT {
                    let message = here.recv().await.unwrap();
                    here.send(message).await.unwrap();
                }
            };
            let hearing = async {
                for number in 0..COUNT {
                    let message = there.recv().await.unwrap();
                    assert_eq!(message.frame(0), Some(&number.to_be_bytes()[..]), "{there:?}");
                }
            };
            tokio::join!(sending, echoing, hearing);
        }
    }
}
