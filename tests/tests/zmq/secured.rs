//! PLAIN and CURVE with pyzmq, right and wrong, in both roles.

use std::time::Duration;

use serde_json::{Value, json};
use sig_carrier_zmq::{Admission, Credentials, Keypair, Kind, LinkEvent, Options, PublicKey, Security, Socket};
use sig_tests::pyzmq::Pyzmq;

use crate::peer::Python;

const SOON: Duration = Duration::from_secs(20);

async fn guarded(security: Security) -> (Socket, String) {
    let options = Options::default().receive_timeout(SOON).security(security);
    let pull = Socket::open(Kind::Pull, options)
        .unwrap()
        .bind("tcp://127.0.0.1:*")
        .await
        .unwrap();
    let endpoint = pull.bound().unwrap();
    (pull, endpoint)
}

/// Those who may not come in are refused, and one who may has its message through.
async fn only(pull: &Socket, endpoint: &str, python: &mut Python, wrong: &[Value], right: Value) {
    let mut events = pull.monitor().unwrap();
    for (number, options) in wrong.iter().enumerate() {
        let name = format!("wrong-{number}");
        python.open(&name, "PUSH", options.clone()).await;
        python.connect(&name, endpoint).await;
        let event = tokio::time::timeout(SOON, events.next()).await.unwrap().unwrap();
        assert!(matches!(event, LinkEvent::Refused { .. }), "{options}: {event:?}");
    }
    // One that offers nothing at all is turned away without a word.
    python.connected("open", "PUSH", endpoint).await;
    python.send("open", &["not let in"]).await;
    python.open("right", "PUSH", right).await;
    python.connect("right", endpoint).await;
    python.send("right", &["let in"]).await;
    assert_eq!(pull.recv().await.unwrap().into_frames(), ["let in"]);
    assert_eq!(pull.try_recv().unwrap(), None);
}

#[tokio::test]
async fn plain_lets_in_who_knows_the_password() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let mut python = Python::start(&pyzmq);
    let admission = Admission::only([Credentials::new("lab", "secret")]);
    let (pull, endpoint) = guarded(Security::PlainServer(admission)).await;
    let plain = |name: &str, password: &str| json!({"PLAIN_USERNAME": name, "PLAIN_PASSWORD": password});
    let wrong = [plain("lab", "wrong"), plain("other", "secret")];
    only(&pull, &endpoint, &mut python, &wrong, plain("lab", "secret")).await;

    // We come to theirs.
    python.admit("lab", "secret").await;
    python.open("guarded", "PULL", json!({"PLAIN_SERVER": 1})).await;
    let endpoint = python.bind("guarded", "tcp://127.0.0.1:*").await;
    for (password, works) in [("wrong", false), ("secret", true)] {
        let security = Security::PlainClient(Credentials::new("lab", password));
        let push = Socket::open(Kind::Push, Options::default().linger(Duration::ZERO).security(security)).unwrap();
        let mut events = push.monitor().unwrap();
        push.connect(&endpoint).await.unwrap();
        push.send(password).await.unwrap();
        let event = tokio::time::timeout(SOON, events.next()).await.unwrap().unwrap();
        assert_eq!(matches!(event, LinkEvent::Connected(_)), works, "{password}: {event:?}");
        if works {
            assert_eq!(python.recv("guarded").await, ["secret"]);
        }
        push.close().await;
    }
}

#[tokio::test]
async fn curve_lets_in_who_has_the_right_keys() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let mut python = Python::start(&pyzmq);
    let (ours, stranger) = (Keypair::generate(), Keypair::generate());
    let (public, secret) = python.keys().await;
    let admission = Admission::only([PublicKey::from_z85(&public).unwrap()]);
    let (pull, endpoint) = guarded(Security::CurveServer {
        keys: ours.clone(),
        admission,
    })
    .await;
    let curve = |server: &Keypair, public: &str, secret: &str| {
        json!({
            "CURVE_SERVERKEY": server.public().to_z85(), "CURVE_PUBLICKEY": public, "CURVE_SECRETKEY": secret,
        })
    };
    let (unknown, its_secret) = (stranger.public().to_z85(), stranger.secret_z85());
    let wrong = [
        curve(&stranger, &public, &secret),
        curve(&ours, &unknown, &its_secret),
        json!({}),
    ];
    only(&pull, &endpoint, &mut python, &wrong, curve(&ours, &public, &secret)).await;

    // We come to theirs.
    python
        .open(
            "guarded",
            "PULL",
            json!({"CURVE_SERVER": 1, "CURVE_SECRETKEY": secret, "CURVE_PUBLICKEY": public}),
        )
        .await;
    let endpoint = python.bind("guarded", "tcp://127.0.0.1:*").await;
    let server = PublicKey::from_z85(&public).unwrap();
    let keys = ours.clone();
    let push = Options::default().security(Security::CurveClient { keys, server });
    let push = Socket::open(Kind::Push, push)
        .unwrap()
        .connect(&endpoint)
        .await
        .unwrap();
    push.send("sealed").await.unwrap();
    assert_eq!(python.recv("guarded").await, ["sealed"]);

    let wrong = Security::CurveClient {
        keys: ours,
        server: stranger.public(),
    };
    let push = Socket::open(Kind::Push, Options::default().linger(Duration::ZERO).security(wrong)).unwrap();
    push.connect(&endpoint).await.unwrap();
    push.send("for another").await.unwrap();
    assert_eq!(python.recv_within("guarded", 150).await, None);
}
