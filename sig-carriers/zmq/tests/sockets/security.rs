//! Who is let in, for every pair of libraries.

use std::sync::atomic::{AtomicUsize, Ordering};

use sig_carrier_zmq::{
    Admission, Credentials, Error, Keypair, Kind, Library, LinkEvent, Message, Options, Security, Socket,
};

use crate::world::{LIBRARIES, SOON, World, bind, options};

fn secured(library: Library, security: Security) -> Options {
    options().library(library).security(security)
}

/// The reason for which nobody got in, as the side that refused tells it.
async fn refused(events: &mut sig_carrier_zmq::Monitor, who: &str) -> String {
    let refused = async {
        loop {
            match events.next().await.expect("it is open") {
                LinkEvent::Refused { reason, .. } => return reason,
                LinkEvent::Connected(link) => panic!("{link:?} came in"),
                _ => {}
            }
        }
    };
    let refused = tokio::time::timeout(SOON, refused).await;
    refused.unwrap_or_else(|_| panic!("{who} is not refused"))
}

#[tokio::test]
async fn plain_lets_in_who_knows_the_password_and_nobody_else() {
    for world in World::all(&["tcp", "ipc"]) {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let asked = ASKED.load(Ordering::Relaxed);
        let admission = Admission::asking(|who: &Credentials| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            *who == Credentials::new("ada", "s3cret")
        });
        let server = Socket::open(Kind::Rep, secured(world.bound, Security::PlainServer(admission))).unwrap();
        let mut events = server.monitor().unwrap();
        let endpoint = bind(&server, &world.endpoint()).await;
        for (name, password) in [("ada", "S3cret"), ("bob", "s3cret")] {
            let wrong = Security::PlainClient(Credentials::new(name, password));
            let wrong = Socket::open(Kind::Req, secured(world.connected, wrong)).unwrap();
            wrong.connect(&endpoint).await.unwrap();
            refused(&mut events, &format!("{name}:{password} in {world:?}")).await;
            wrong.close().await;
        }
        let silent = Socket::open(Kind::Req, secured(world.connected, Security::Null)).unwrap();
        silent.connect(&endpoint).await.unwrap();
        // Which side notices first differs. Either way nothing of it arrives.
        let _ = silent.try_send("let me in");
        let right = Security::PlainClient(Credentials::new("ada", "s3cret"));
        let right = Socket::open(Kind::Req, secured(world.connected, right)).unwrap();
        right.connect(&endpoint).await.unwrap();
        right.send("question").await.unwrap();
        assert_eq!(server.recv().await.unwrap(), Message::from("question"), "{world:?}");
        server.send("answer").await.unwrap();
        assert_eq!(right.recv().await.unwrap(), Message::from("answer"), "{world:?}");
        assert!(ASKED.load(Ordering::Relaxed) > asked, "{world:?}");
    }
}

#[tokio::test]
async fn several_that_ask_for_passwords_in_one_process_do_not_collide() {
    for &library in LIBRARIES {
        let mut pairs = Vec::new();
        for name in ["ada", "bob"] {
            let only = Admission::only([Credentials::new(name, name)]);
            let server = Socket::open(Kind::Pull, secured(library, Security::PlainServer(only))).unwrap();
            let endpoint = bind(&server, "tcp://127.0.0.1:*").await;
            let client = Security::PlainClient(Credentials::new(name, name));
            let client = Socket::open(Kind::Push, secured(library, client)).unwrap();
            client.connect(endpoint).await.unwrap();
            pairs.push((name, server, client));
        }
        for (name, server, client) in &pairs {
            client.send(*name).await.unwrap();
            assert_eq!(server.recv().await.unwrap(), Message::from(*name));
        }
    }
}

#[tokio::test]
async fn curve_is_there_or_it_is_said_who_has_it() {
    for world in World::all(&["tcp"]) {
        let (server, client) = (Keypair::generate(), Keypair::generate());
        let here = Security::CurveServer {
            admission: Admission::only([client.public()]),
            keys: server.clone(),
        };
        let there = |keys| Security::CurveClient {
            keys,
            server: server.public(),
        };
        let ends = [(world.bound, here), (world.connected, there(client))];
        let mut opened = Vec::new();
        for (library, security) in ends {
            let socket = Socket::open(Kind::Pair, secured(library, security));
            if library == Library::Libzmq {
                let error = socket.unwrap_err();
                assert!(matches!(error, Error::Unsupported { .. }), "{error}");
                let text = error.to_string();
                assert!(text.contains("libsodium") && text.contains("Library::Omq"), "{text}");
            } else {
                opened.push(socket.unwrap());
            }
        }
        let [here, right] = &opened[..] else { continue };
        let mut events = here.monitor().unwrap();
        let endpoint = bind(here, &world.endpoint()).await;
        let wrong = Socket::open(Kind::Pair, secured(world.connected, there(Keypair::generate()))).unwrap();
        wrong.connect(&endpoint).await.unwrap();
        refused(&mut events, "a stranger's key").await;
        wrong.close().await;
        right.connect(&endpoint).await.unwrap();
        right.send("secret").await.unwrap();
        assert_eq!(here.recv().await.unwrap(), Message::from("secret"));
    }
}

#[cfg(all(unix, feature = "libzmq"))]
#[tokio::test]
async fn a_password_cannot_be_gone_round_by_inproc() {
    let server = Security::PlainServer(Admission::only([Credentials::new("ada", "s3cret")]));
    let server = Socket::open(Kind::Rep, secured(Library::Libzmq, server)).unwrap();
    let error = server.bind("inproc://open").await.unwrap_err();
    assert!(error.to_string().contains("password"), "{error}");
    assert_eq!(server.endpoints(), []);
}
