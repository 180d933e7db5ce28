//! What cannot be, said in words that help.

use std::time::Duration;

use bytes::Bytes;
use sig_carrier_zmq::{Endpoint, Error, Kind, Library, Message, Options, Socket};

use crate::world::{LIBRARIES, bind, open};

#[tokio::test]
async fn b3_a_type_that_a_library_lacks_is_an_error_that_names_the_feature() {
    assert!(Socket::open(Kind::Dgram, Options::default().library(Library::Omq)).is_err());
    if LIBRARIES.contains(&Library::Libzmq) {
        return drop(Socket::dgram().unwrap());
    }
    let error = Socket::dgram().unwrap_err().to_string();
    assert!(error.contains("DGRAM") && error.contains("`libzmq`"), "{error}");
    let error = Socket::open(Kind::Pub, Options::default().library(Library::Libzmq)).unwrap_err();
    assert!(error.to_string().contains("`libzmq`"), "{error}");
}

#[test]
fn outside_a_runtime_it_says_so() {
    let error = Socket::sub().unwrap_err().to_string();
    assert!(error.contains("tokio runtime"), "{error}");
}

#[tokio::test]
async fn every_type_opens_closes_twice_and_then_refuses_b1_b10() {
    for &library in LIBRARIES {
        for kind in Kind::ALL {
            if kind == Kind::Dgram && library == Library::Omq {
                continue;
            }
            let socket = open(kind, library);
            assert!(!socket.is_closed());
            assert_eq!(
                format!("{socket:?}"),
                format!("Socket {{ kind: {kind}, endpoints: [], closed: false }}")
            );
            socket.close().await;
            socket.close().await;
            assert!(socket.is_closed());
            let all = [
                socket.send("x").await.map(|()| Message::new()),
                socket.recv().await,
                socket.bind("inproc://closed").await.map(|_| Message::new()),
                socket.connect("inproc://closed").await.map(|_| Message::new()),
                socket.subscribe("").await.map(|_| Message::new()),
                socket.monitor().map(|_| Message::new()),
            ];
            for result in all {
                let error = result.unwrap_err();
                assert!(
                    error.is_closed() && error.to_string().contains(kind.name()),
                    "{kind}: {error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn b12_the_wrong_direction_is_an_error_at_once() {
    for &library in LIBRARIES {
        for kind in Kind::ALL {
            if kind == Kind::Dgram && library == Library::Omq {
                continue;
            }
            let socket = open(kind, library);
            if !kind.sends() {
                let error = socket.send("x").await.unwrap_err();
                assert!(
                    matches!(error, Error::Direction { action: "send", .. }),
                    "{kind}: {error}"
                );
                assert!(socket.try_send("x").is_err());
            }
            if !kind.receives() {
                let error = socket.recv().await.unwrap_err();
                assert!(
                    matches!(error, Error::Direction { action: "receive", .. }),
                    "{kind}: {error}"
                );
                assert!(socket.try_recv().is_err());
            }
            let topics = matches!(kind, Kind::Sub | Kind::Xsub | Kind::Dish);
            assert_eq!(socket.subscribe("t").await.is_ok(), topics, "b7: {kind}");
            assert_eq!(socket.join("group").await.is_ok(), kind == Kind::Dish, "{kind}");
            if kind != Kind::Peer {
                assert!(socket.connect_peer("inproc://x").await.is_err());
            }
        }
    }
}

#[tokio::test]
async fn b12_requests_and_replies_alternate() {
    for &library in LIBRARIES {
        let (req, rep) = (open(Kind::Req, library), open(Kind::Rep, library));
        let endpoint = bind(&rep, "inproc://alternate").await;
        req.connect(endpoint).await.unwrap();
        let early = rep.send("reply").await.unwrap_err();
        assert!(matches!(early, Error::State { kind: Kind::Rep, .. }), "{early}");
        req.send("one").await.unwrap();
        let twice = req.send("two").await.unwrap_err();
        assert!(matches!(twice, Error::State { kind: Kind::Req, .. }), "{twice}");
        assert_eq!(rep.recv().await.unwrap(), "one".into());
        rep.send("reply").await.unwrap();
        assert_eq!(req.recv().await.unwrap(), "reply".into());
        rep.close().await;
    }
}

#[tokio::test]
async fn b6_endpoints_record_what_succeeded_only() {
    for &library in LIBRARIES {
        let socket = open(Kind::Pull, library);
        for wrong in [
            "nowhere",
            "tcp://",
            "tcp://127.0.0.1",
            "carrier://pigeon",
            "tcp://127.0.0.1:99999",
            "",
        ] {
            let error = socket.bind(wrong).await.unwrap_err();
            assert!(
                matches!(&error, Error::Endpoint { endpoint, .. } if endpoint == wrong),
                "{wrong}: {error}"
            );
            assert!(socket.connect(wrong).await.is_err(), "{wrong}");
        }
        let first = bind(&socket, "tcp://127.0.0.1:0").await;
        assert!(!first.ends_with(":0"), "{first}");
        let other = open(Kind::Pull, library);
        let taken = other.bind(&first).await.unwrap_err();
        let Error::Io { source, endpoint, .. } = &taken else {
            panic!("{taken}")
        };
        assert_eq!((source.kind(), endpoint), (std::io::ErrorKind::AddrInUse, &first));
        assert_eq!(other.endpoints(), []);

        // B5: several, in the order of the calls.
        socket.connect("tcp://127.0.0.1:9").await.unwrap();
        let second = bind(&socket, "tcp://127.0.0.1:*").await;
        let connected = Endpoint::Connected("tcp://127.0.0.1:9".into());
        assert_eq!(
            socket.endpoints(),
            [
                Endpoint::Bound(first.clone()),
                connected,
                Endpoint::Bound(second.clone())
            ]
        );
        socket.disconnect("tcp://127.0.0.1:9").await.unwrap();
        socket.unbind(&first).await.unwrap();
        assert!(socket.unbind(&first).await.is_err());
        assert!(socket.disconnect("tcp://127.0.0.1:9").await.is_err());
        assert_eq!(socket.endpoints(), [Endpoint::Bound(second)]);
        // It is free again.
        other.bind(&first).await.unwrap();
    }
}

#[tokio::test]
async fn b13_without_a_peer_pub_drops_and_others_wait_and_say_so() {
    for &library in LIBRARIES {
        let publisher = open(Kind::Pub, library);
        bind(&publisher, "tcp://127.0.0.1:0").await;
        publisher.send("nobody").await.unwrap();
        for kind in [Kind::Push, Kind::Dealer, Kind::Req] {
            let socket = open(kind, library);
            bind(&socket, "tcp://127.0.0.1:0").await;
            let late = socket.send_within("x", Duration::from_millis(20)).await.unwrap_err();
            assert!(late.is_timeout() && late.to_string().contains("20ms"), "{late}");
            if kind != Kind::Req {
                assert_eq!(socket.try_send("x").unwrap(), Some("x".into()));
            }
        }
        let pull = open(Kind::Pull, library);
        let late = pull.recv_within(Duration::from_millis(20)).await.unwrap_err();
        assert!(late.is_timeout() && late.to_string().contains("PULL"), "{late}");
        assert_eq!(pull.try_recv().unwrap(), None);
    }
}

#[tokio::test]
async fn messages_that_cannot_be_are_errors_and_the_socket_lives_on() {
    for &library in LIBRARIES {
        let router = open(Kind::Router, library);
        bind(&router, "tcp://127.0.0.1:0").await;
        let nobody = router.send(["nobody", "x"]).await.unwrap_err();
        assert!(matches!(nobody, Error::Unroutable { .. }), "{nobody}");
        for kind in [Kind::Client, Kind::Scatter, Kind::Channel] {
            let error = open(kind, library).send(["two", "frames"]).await.unwrap_err();
            assert!(matches!(error, Error::Message { .. }), "{kind}: {error}");
        }
        let server = open(Kind::Server, library);
        let error = server.send("to whom?").await.unwrap_err();
        assert!(
            matches!(error, Error::Message { .. } | Error::Unroutable { .. }),
            "{error}"
        );
        let radio = open(Kind::Radio, library);
        let error = radio.send("no group").await.unwrap_err();
        assert!(matches!(error, Error::Message { .. }), "{error}");
        let error = open(Kind::Pair, library).send(Message::new()).await.unwrap_err();
        assert!(matches!(error, Error::Message { .. }), "{error}");
        let long = Options::default().identity(Bytes::from(vec![1; 256])).library(library);
        assert!(matches!(Socket::open(Kind::Dealer, long), Err(Error::Option(_))));
    }
}
