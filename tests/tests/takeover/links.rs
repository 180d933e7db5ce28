//! Former links that are half-open, alive, or about to end by themselves.

use std::time::{Duration, Instant};

use serde_json::json;
use sig_router::SenderState;
use sig_tests::proxy::Proxy;
use sig_tests::raw::{Incoming, call, control};
use sig_tests::rig::{TcpServer, becomes, client_of, connected, holds, soon};

use tokio::io::AsyncWriteExt as _;

use super::support::{add_sender, link_of, presence};

/// Far less than TCP's heartbeat, and than the second after which a name that was taken is asked for again.
const AT_ONCE: Duration = Duration::from_millis(700);

#[tokio::test]
async fn promise_3_a_client_that_comes_back_has_its_name_at_once() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let mut seen = server.router.listen("s").unwrap();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let (name, first) = presence(&mut seen).await;
    assert_eq!((&*name, first.reason), ("#connect", None));
    connected(&client).await;

    for round in 1..=5 {
        let began = Instant::now();
        // The server sees nothing of it: to it the former link is as it was.
        proxy.tear();
        let (name, left) = presence(&mut seen).await;
        assert_eq!(
            (&*name, left.reason.as_deref()),
            ("#disconnect", Some("replaced")),
            "round {round}"
        );
        let (name, back) = presence(&mut seen).await;
        assert_eq!(&*name, "#connect");
        assert!(
            back.generation > left.generation,
            "{} after {}",
            back.generation,
            left.generation
        );
        assert!(began.elapsed() < AT_ONCE, "round {round}: {:?}", began.elapsed());
    }
    becomes(sender.states(), |state| *state == SenderState::Live).await;
    // The new one is not harmed by what becomes of the former ones.
    holds("the former links go", || server.router.clients().len() == 1).await;
    sender.signal("e").unwrap().trigger(&7).await.unwrap();
    let event = soon("an event", seen.recv()).await.unwrap().unwrap();
    assert_eq!((event.name().as_str(), event.decode::<i32>().unwrap()), ("e", 7));
}

#[tokio::test]
async fn promise_3_the_late_end_of_a_former_link_leaves_the_new_one_alone() {
    let server = TcpServer::start();
    let mut seen = server.router.listen("s").unwrap();
    let mut former = link_of(&server.address, "one").await;
    let first = add_sender(&mut former, 1).await["response"]["generation"]
        .as_u64()
        .unwrap();
    let mut newest = link_of(&server.address, "one").await;
    let mut steps = vec![presence(&mut seen).await, presence(&mut seen).await];
    let second = add_sender(&mut newest, 1).await["response"]["generation"]
        .as_u64()
        .unwrap();
    assert!(second > first);

    // The former one is alive after all: it is told why, and whatever it still says is for nothing.
    for message in [
        call(2, "remove_sender", &json!({ "sender": "s" })),
        control(&json!({ "method": "goodbye", "params": {} })),
    ] {
        // It may be closed by now.
        let _ = former.stream.write_all(&message).await;
    }
    let said = former.ended().await.unwrap();
    assert_eq!(
        (&said["method"], &said["params"]["code"]),
        (&json!("refuse"), &json!("replaced")),
        "{said}"
    );
    assert_eq!(
        said["params"]["retry"], "never",
        "two programs with one secret must not throw each other out for ever"
    );

    assert_eq!(newest.call(2, "get_version", &json!({})).await["status"], 0);
    steps.push(presence(&mut seen).await);
    let steps: Vec<_> = steps
        .into_iter()
        .map(|(name, presence)| (name, presence.generation, presence.reason))
        .collect();
    let replaced = Some("replaced".to_owned());
    let expected = [
        ("#connect", first, None),
        ("#disconnect", first, replaced),
        ("#connect", second, None),
    ];
    assert_eq!(
        steps,
        expected.map(|(name, generation, reason)| (name.to_owned(), generation, reason))
    );
    assert!(
        server
            .router
            .senders()
            .iter()
            .any(|sender| sender.connected && sender.generation == second)
    );
}

#[tokio::test]
async fn promise_3_another_instance_does_not_get_a_name_that_is_taken() {
    let server = TcpServer::start();
    let mut owner = link_of(&server.address, "one").await;
    assert_eq!(add_sender(&mut owner, 1).await["status"], 0);
    // Neither a longer secret nor a shorter one is the same.
    for instance in ["two", "on", "one more"] {
        let mut stranger = link_of(&server.address, instance).await;
        let refused = add_sender(&mut stranger, 1).await;
        assert_eq!(refused["code"], "name_taken", "{instance}: {refused}");
    }
    assert_eq!(
        owner.call(2, "remove_sender", &json!({ "sender": "s" })).await["response"],
        true
    );
}

#[tokio::test]
async fn promise_3_the_listeners_of_the_former_link_go_with_it() {
    let server = TcpServer::start();
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let topic = json!({ "listener_id": 1, "sender": "s", "event": "e" });
    let mut former = link_of(&server.address, "one").await;
    assert_eq!(former.call(1, "add_listener", &topic).await["status"], 0);
    let mut newest = link_of(&server.address, "one").await;
    assert_eq!(newest.call(1, "add_listener", &topic).await["status"], 0);
    signal.trigger(&5).await.unwrap();
    let payload = loop {
        if let Incoming::Event { payload, .. } = newest.next().await.unwrap() {
            break payload;
        }
    };
    assert_eq!(payload, b"5");
    while let Some(incoming) = former.next().await {
        assert!(!matches!(incoming, Incoming::Event { .. }), "{incoming:?}");
    }
}

#[tokio::test]
async fn promise_3_a_full_router_lets_back_in_whom_it_has() {
    let router = sig_router::ServerRouter::builder().max_clients(1).build().unwrap();
    let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = listener.medium().local_addr().to_string();
    router.attach(std::sync::Arc::new(listener));
    let _former = link_of(&address, "one").await;
    let mut newest = link_of(&address, "one").await;
    assert_eq!(newest.call(1, "get_version", &json!({})).await["status"], 0);
}
