//! pysig clients come, go and come again.

use serde_json::{Value, json};
use sig_tests::pysig::{Peer, Pysig};

use crate::support::{Events as _, Serving, begin_trigger, disconnect, free_port, next, next_call, next_heard};

/// What an application of pysig's does at every connection, since the client router forgot it.
fn script() -> Value {
    json!([
        { "cmd": "add_remote_sender", "name": "c", "events": ["e"], "requests": ["echo"] },
        { "cmd": "add_remote_listener", "id": "l", "sender": "s", "event": "e" },
    ])
}

async fn connected(client: &Peer) -> Value {
    client
        .next_event("a connection", |line| line["connected"] == true)
        .await
}

async fn link_lost(client: &Peer) {
    client
        .next_event("the loss of the connection", |line| line["disconnected"] == true)
        .await;
}

#[tokio::test]
async fn p69_p73_a_pysig_client_reconnects_to_a_restarted_server_and_registers_again() {
    for pysig in Pysig::all() {
        let mut server = Serving::at(free_port());
        let client = pysig.spawn().await;
        let connect = json!({ "port": server.port, "one_reconnect": true, "on_connected": script() });
        assert_eq!(client.ok("connect", connect).await, true);
        for round in 0..2 {
            let answers = connected(&client).await["answers"].take();
            assert_eq!(
                (&answers[0]["ok"], &answers[1]["ok"]),
                (&json!("c"), &json!(true)),
                "{answers}"
            );
            let mut heard = server.router.listen("c/e").unwrap();
            let sender = server.router.add_sender("s").event("e").connect().unwrap();
            sender.signal("e").unwrap().trigger(&round).await.unwrap();
            assert_eq!(next_heard(&client).await.3, round);
            begin_trigger(&client, "c", "e", json!(round)).await;
            assert_eq!(next(&mut heard).await.1, round);
            let answer = server.router.request("c", "echo", &round).await.unwrap();
            assert_eq!(answer.parse::<i32>().unwrap(), round);

            let port = server.port;
            client
                .ok(
                    "add_listener",
                    json!({ "id": "local", "sender": "c", "event": "#disconnect" }),
                )
                .await;
            server.close().await;
            link_lost(&client).await;
            // pysig's client router removes its remote senders locally.
            assert_eq!(next_call(&client).await, "local: c/#disconnect");
            // At once, and on the same port (W7).
            server = Serving::at(port);
        }
    }
}

#[tokio::test]
async fn p72_a_pysig_client_that_starts_first_connects_when_the_server_comes() {
    for pysig in Pysig::all() {
        let port = free_port();
        let client = pysig.spawn().await;
        let connect = json!({ "port": port, "one_reconnect": true, "on_connected": script() });
        assert_eq!(client.ok("connect", connect).await, false);
        let server = Serving::at(port);
        let answers = connected(&client).await["answers"].take();
        assert_eq!(
            (&answers[0]["ok"], &answers[1]["ok"]),
            (&json!("c"), &json!(true)),
            "{answers}"
        );
        assert_eq!(client.ok("is_connected", json!({})).await, true);
        assert_eq!(
            client.ok("connect", json!({ "port": port })).await,
            false,
            "it is connected already"
        );
        assert_eq!(
            (server.router.clients()[0].senders, server.router.clients()[0].listeners),
            (1, 1)
        );
    }
}

#[tokio::test]
async fn p70_p74_a_pysig_client_that_disconnects_stays_away_and_nothing_raises() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let client = server.pysig(&pysig).await;
        client
            .ok(
                "add_remote_sender",
                json!({ "name": "c", "events": ["e"], "requests": ["echo"] }),
            )
            .await;
        let mut presence = server.router.listen("c").unwrap();
        disconnect(&client).await;
        let gone = next(&mut presence).await;
        assert_eq!(
            (gone.0.as_str(), &gone.1["reason"]),
            ("c/#disconnect", &json!("closed"))
        );
        link_lost(&client).await;
        let topic = json!({ "id": "l", "sender": "s", "event": "e" });
        assert_eq!(client.ok("add_remote_listener", topic).await, false);
        let request = json!({ "sender": "c", "method": "echo", "params": 1 });
        assert_eq!(client.ok("remote_request", request).await, Value::Null);
        let error = server.router.request("c", "echo", &1).await.unwrap_err();
        assert_eq!(error.to_string(), "Sender c is not connected");
        assert_eq!(server.router.clients().len(), 0);
    }
}

#[tokio::test]
async fn p43_connected_and_disconnected_pair_for_clients_that_die() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let mut presence = server.router.listen("*").unwrap();
        let mut generations = Vec::new();
        for _ in 0..3 {
            let client = server.pysig(&pysig).await;
            client
                .ok("add_remote_sender", json!({ "name": "c", "events": ["e"] }))
                .await;
            client.kill().await;
            for event in ["#connect", "#disconnect"] {
                let heard = presence.next_event().await;
                assert_eq!(heard.name().as_str(), event);
                let presence: sig_router::Presence = heard.decode().unwrap();
                generations.push(presence.generation);
            }
        }
        assert!(generations.chunks(2).all(|pair| pair[0] == pair[1]), "{generations:?}");
        generations.dedup();
        assert_eq!(generations.len(), 3);
    }
}
