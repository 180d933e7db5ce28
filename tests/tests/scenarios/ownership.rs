//! W5, promise 8: a name has one owner, and only the owner may signal for it or remove it.

use serde_json::json;
use sig_router::{AddSenderError, Event, SenderState};
use sig_tests::raw::{Raw, event};
use sig_tests::rig::{TcpServer, becomes, soon};

#[tokio::test]
async fn w5_a_duplicate_remote_sender_is_refused_and_leaves_nothing_behind() {
    let server = TcpServer::start();
    let (owner, other) = (server.client(), server.client());
    let sender = owner.add_remote_sender("s").event("e").connect().await.unwrap();
    let own = server.router.add_sender("near").event("e").connect().unwrap();
    for name in ["s", "near"] {
        for client in [&other, &owner] {
            let refused = client.add_remote_sender(name).event("e").connect().await;
            assert!(
                matches!(&refused, Err(AddSenderError::NameTaken { name: taken }) if taken == name),
                "{refused:?}"
            );
        }
        // Locally the name is free, also for events and requests of its own.
        assert!(
            !other.local().senders().iter().any(|info| info.connected),
            "{:?}",
            other.local()
        );
        let local = other.local().add_sender(name).event("e").connect().unwrap();
        assert!(local.remove());
    }
    // The owner is not disturbed.
    let mut stream = other.listen_remote("s/e").await.unwrap();
    sender.signal("e").unwrap().trigger(&1).await.unwrap();
    assert_eq!(soon("an event", stream.recv()).await.unwrap().unwrap().number(), 1);
    assert_eq!(sender.state(), SenderState::Live);
    assert!(own.is_connected());

    // Once it is free, it can be had.
    sender.remove().await;
    let sender = other.add_remote_sender("s").event("e").connect().await.unwrap();
    sender.signal("e").unwrap().trigger(&2).await.unwrap();
    assert_eq!(
        soon("an event", stream.recv())
            .await
            .unwrap()
            .unwrap()
            .decode::<i32>()
            .unwrap(),
        2
    );
}

#[tokio::test]
async fn w5_a_name_that_is_local_cannot_be_remote_as_well() {
    let server = TcpServer::start();
    let client = server.client();
    let _local = client.local().add_sender("s").event("e").connect().unwrap();
    let refused = client.add_remote_sender("s").event("e").connect().await;
    assert!(matches!(refused, Err(AddSenderError::NameTaken { .. })), "{refused:?}");
    assert!(server.router.senders().is_empty(), "{:?}", server.router.senders());
    // And the other way round.
    let _remote = client.add_remote_sender("t").event("e").connect().await.unwrap();
    let refused = client.local().add_sender("t").event("e").connect();
    assert!(matches!(refused, Err(AddSenderError::NameTaken { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_sender_that_was_dropped_can_be_added_again_at_once() {
    let server = TcpServer::start();
    let (client, listener) = (server.client(), server.client());
    let mut stream = listener.listen_remote("s").await.unwrap();
    for round in 0..100_u64 {
        let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
        // Its last events are still under way when it goes.
        for n in 0..10_u64 {
            sender.signal("e").unwrap().trigger(&(round, n)).await.unwrap();
        }
        drop(sender);
    }
    for round in 0..100_u64 {
        assert_eq!(
            soon("an event", stream.recv()).await.unwrap().unwrap().name().as_str(),
            "#connect"
        );
        for n in 0..10_u64 {
            let event = soon("an event", stream.recv()).await.unwrap().unwrap();
            assert_eq!(event.decode::<(u64, u64)>().unwrap(), (round, n));
        }
        assert_eq!(
            soon("an event", stream.recv()).await.unwrap().unwrap().name().as_str(),
            "#disconnect"
        );
    }
}

#[tokio::test]
async fn promise_8_an_alias_that_is_not_its_own_costs_a_client_its_connection() {
    let server = TcpServer::start();
    let owner = server.client();
    let sender = owner.add_remote_sender("s").event("e").connect().await.unwrap();
    let mut stream = server.router.listen("*").unwrap();
    let mut thief = Raw::hello(&server.address).await;
    let listening = thief
        .call(
            1,
            "add_listener",
            &json!({ "listener_id": 1, "sender": "s", "event": "e" }),
        )
        .await;
    assert_eq!(listening["status"], 0);
    sender.signal("e").unwrap().trigger(&1).await.unwrap();
    // It hears the alias and uses it.
    let announced = loop {
        let message = thief.control().await;
        if message["method"] == "announce" {
            break message["params"]["alias"].as_u64().unwrap() as u32;
        }
    };
    thief.send(&event(announced, 2, b"666")).await;
    let said = thief.ended().await.expect("a reason");
    assert_eq!(said["method"], "refuse", "{said}");
    assert!(said["params"]["text"].as_str().unwrap().contains("alias"), "{said}");

    sender.signal("e").unwrap().trigger(&2).await.unwrap();
    for n in 1..=2 {
        assert_eq!(
            soon("an event", stream.recv())
                .await
                .unwrap()
                .unwrap()
                .decode::<i32>()
                .unwrap(),
            n
        );
    }
}

#[tokio::test]
async fn promise_8_only_the_owner_removes_a_sender() {
    let server = TcpServer::start();
    let owner = server.client();
    let sender = owner.add_remote_sender("s").event("e").connect().await.unwrap();
    let near = server.router.add_sender("near").event("e").connect().unwrap();
    let mut thief = Raw::hello(&server.address).await;
    for (id, name) in [(1, "s"), (2, "near")] {
        let refused = thief.call(id, "remove_sender", &json!({ "sender": name })).await;
        assert_eq!(
            (&refused["status"], &refused["code"]),
            (&json!(-2), &json!("not_owner")),
            "{refused}"
        );
    }
    let refused = thief.call(3, "remove_sender", &json!({ "sender": "nobody" })).await;
    assert_eq!(refused["code"], "no_such_sender", "{refused}");
    assert!(near.is_connected());
    assert!(server.router.senders().iter().all(|info| info.connected));
    assert_eq!(sender.state(), SenderState::Live);
    // A mistake of that sort costs nothing else.
    assert_eq!(thief.call(4, "get_version", &json!({})).await["status"], 0);
}

#[tokio::test]
async fn an_alias_ends_with_its_sender() {
    let server = TcpServer::start();
    let mut raw = Raw::hello(&server.address).await;
    let heard = server.router.add_listener("s/e", |_: &Event<'_>| {}).unwrap();
    let added = raw
        .call(1, "add_sender", &json!({ "sender": "s", "events": ["e"] }))
        .await;
    let alias = added["response"]["aliases"]["e"].as_u64().unwrap() as u32;
    raw.call(2, "remove_sender", &json!({ "sender": "s" })).await;
    // Somebody else is the sender now; the listener kept the event, and with it the alias, alive.
    let near = server.router.add_sender("s").event("e").connect().unwrap();
    raw.send(&event(alias, 1, b"1")).await;
    assert_eq!(raw.ended().await.expect("a reason")["method"], "refuse");
    assert!(near.is_connected());
    drop(heard);
}

#[tokio::test]
async fn a_kicked_client_loses_its_senders_and_comes_back_with_them() {
    let server = TcpServer::start();
    let client = server.client();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let mut presence = server.router.listen("s").unwrap();
    let id = server.router.clients()[0].id;
    assert!(server.router.kick(id, "a test"));
    let event = soon("#disconnect", presence.recv()).await.unwrap().unwrap();
    let gone: sig_router::Presence = event.decode().unwrap();
    assert_eq!(
        (event.name().as_str(), gone.reason.as_deref()),
        ("#disconnect", Some("kicked"))
    );
    let event = soon("#connect", presence.recv()).await.unwrap().unwrap();
    let back: sig_router::Presence = event.decode().unwrap();
    assert!(event.name().as_str() == "#connect" && back.generation > gone.generation);
    becomes(sender.states(), |state| *state == SenderState::Live).await;
    assert!(!server.router.kick(id, "again"), "the id is not used again");
}
