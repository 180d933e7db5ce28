//! How sockets end, and what they do with what is left.

use std::time::Duration;

use sig_carrier_zmq::{Error, Kind, LinkEvent, Message, Options, Socket};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::world::{LIBRARIES, SOON, World, bind, open, options};

#[tokio::test]
async fn closing_sends_what_is_left() {
    for world in World::all(&["tcp", "ipc"]) {
        let (pull, push) = world.pair(Kind::Pull, Kind::Push).await;
        push.send("first").await.unwrap();
        assert_eq!(pull.recv().await.unwrap(), "first".into());
        for number in 0..300_u32 {
            push.send(number.to_string()).await.unwrap();
        }
        push.close().await;
        for number in 0..300_u32 {
            assert_eq!(
                pull.recv().await.unwrap(),
                number.to_string().into(),
                "{:?}",
                world.connected
            );
        }
    }
}

#[tokio::test]
async fn closing_with_nobody_there_ends_within_the_linger() {
    for &library in LIBRARIES {
        let socket = Socket::open(
            Kind::Push,
            Options::default().linger(Duration::from_millis(50)).library(library),
        )
        .unwrap();
        socket.connect("tcp://127.0.0.1:9").await.unwrap();
        socket.send("for nobody").await.unwrap();
        tokio::time::timeout(SOON, socket.close()).await.unwrap();
    }
}

#[tokio::test]
async fn closing_wakes_who_waits() {
    for &library in LIBRARIES {
        let socket = open(Kind::Pull, library);
        bind(&socket, "tcp://127.0.0.1:0").await;
        let mut waiting = JoinSet::new();
        let handle = socket.clone();
        waiting.spawn(async move { handle.recv().await });
        tokio::task::yield_now().await;
        socket.close().await;
        let ended = waiting.join_next().await.unwrap().unwrap().unwrap_err();
        assert!(ended.is_closed(), "{ended}");
    }
}

#[tokio::test]
async fn b16_closing_a_socket_under_a_proxy_ends_it_with_an_error() {
    for &library in LIBRARIES {
        let (front, back) = (open(Kind::Router, library), open(Kind::Dealer, library));
        bind(&front, "tcp://127.0.0.1:0").await;
        bind(&back, "tcp://127.0.0.1:0").await;
        let mut running = JoinSet::new();
        let (a, b) = (front.clone(), back.clone());
        running.spawn(async move { Socket::proxy(&a, &b).await });
        tokio::task::yield_now().await;
        front.close().await;
        let ended = running.join_next().await.unwrap().unwrap();
        assert!(matches!(ended, Err(Error::Closed { .. })), "{ended:?}");
        // B14: and before it has begun.
        let ended = Socket::proxy(&front, &back).await;
        assert!(matches!(ended, Err(Error::Closed { .. })), "{ended:?}");
    }
}

#[tokio::test]
async fn a_peer_that_restarts_is_found_again_and_links_are_told() {
    for world in World::all(&["tcp", "ipc"]) {
        let router = world.here(Kind::Router);
        let endpoint = bind(&router, &world.endpoint()).await;
        let dealer = Socket::open(Kind::Dealer, options().identity("lab").library(world.connected)).unwrap();
        let mut events = dealer.monitor().unwrap();
        dealer.connect(&endpoint).await.unwrap();
        let LinkEvent::Connected(link) = next(&mut events).await else {
            panic!("not connected")
        };
        dealer.send("one").await.unwrap();
        assert_eq!(router.recv().await.unwrap(), ["lab", "one"].into());
        router.close().await;
        let LinkEvent::Disconnected { link: gone, .. } = next(&mut events).await else {
            panic!("not disconnected")
        };
        assert_eq!(gone.number, link.number);

        let again = world.here(Kind::Router);
        bind(&again, &endpoint).await;
        let back = match next(&mut events).await {
            LinkEvent::Connected(back) => back,
            other => panic!("not connected again, but {other:?} after {gone:?}"),
        };
        assert_ne!(back.number, link.number);
        dealer.send("two").await.unwrap();
        assert_eq!(again.recv().await.unwrap(), ["lab", "two"].into());
        again.send(["lab", "three"]).await.unwrap();
        assert_eq!(dealer.recv().await.unwrap(), "three".into());
    }
}

async fn next(events: &mut sig_carrier_zmq::Monitor) -> LinkEvent {
    loop {
        let event = tokio::time::timeout(SOON, events.next())
            .await
            .expect("an event")
            .expect("it is open");
        // A try that met nobody is no link.
        if !matches!(event, LinkEvent::Refused { .. } | LinkEvent::Delayed { .. }) {
            return event;
        }
    }
}

#[tokio::test]
async fn what_is_sent_first_outlives_links_that_fail_before_their_handshake() {
    for world in World::all(&["tcp"]) {
        for (connects, binds) in [
            (Kind::Push, Kind::Pull),
            (Kind::Dealer, Kind::Router),
            (Kind::Req, Kind::Rep),
            (Kind::Client, Kind::Server),
            (Kind::Scatter, Kind::Gather),
        ] {
            let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = format!("tcp://{}", door.local_addr().unwrap());
            let impatient = options().reconnect(Duration::from_millis(5), Duration::from_millis(5));
            let socket = Socket::open(connects, impatient.library(world.connected)).unwrap();
            socket.connect(&endpoint).await.unwrap();
            let mut sent = vec!["first"];
            socket.send("first").await.unwrap();
            if connects == Kind::Req {
                let early = socket.send("second").await.unwrap_err();
                assert!(matches!(early, Error::State { .. }), "{early}");
                assert_eq!(socket.try_recv().unwrap(), None);
            } else {
                socket.send("second").await.unwrap();
                sent.push("second");
            }
            // It is turned away twice, and then let in.
            for _ in 0..2 {
                drop(tokio::time::timeout(SOON, door.accept()).await.unwrap().unwrap());
            }
            drop(door);
            let peer = world.here(binds).bind(&endpoint).await.unwrap();
            for text in sent {
                let message = peer
                    .recv()
                    .await
                    .unwrap_or_else(|error| panic!("{connects}: {text}: {error}"));
                assert_eq!(message.frame(message.len() - 1).unwrap(), text.as_bytes(), "{connects}");
            }
            if connects == Kind::Req {
                peer.send("answer").await.unwrap();
                assert_eq!(socket.recv().await.unwrap(), "answer".into());
            }
        }
    }
}

#[tokio::test]
async fn receiving_that_is_cancelled_loses_nothing() {
    for world in World::all(&["tcp"]) {
        let (pull, push) = world.pair(Kind::Pull, Kind::Push).await;
        let mut sending = JoinSet::new();
        sending.spawn(async move {
            for number in 0..2000_u32 {
                push.send([number.to_string(), "x".repeat(number as usize % 64)])
                    .await
                    .unwrap();
            }
            push.close().await;
        });
        let mut number = 0_u32;
        while number < 2000 {
            let message: Message = tokio::select! {
                biased;
                message = pull.recv() => message.unwrap(),
                () = tokio::task::yield_now() => continue,
            };
            assert_eq!(message.frame(0), Some(number.to_string().as_bytes()));
            number += 1;
        }
    }
}
