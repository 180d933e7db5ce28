//! The link of our ClientRouter to a pysig server: lost, and made again.

use std::time::Duration;

use serde_json::json;
use sig_core::Dialect;
use sig_router::{LinkState, Request, RequestError};
use sig_tests::pysig::Pysig;

use crate::our_client::{connected, serving, start, trigger};
use crate::support::{Events as _, WAIT, dial, free_port, next, next_heard, soon};

#[tokio::test]
async fn p67_p70_without_a_link_requests_fail_with_a_reason() {
    let Some(pysig) = Pysig::available() else { return };
    let (server, port) = serving(&pysig).await;
    let client = connected(port).await;
    server
        .ok("add_sender", json!({ "name": "s", "events": [], "requests": ["slow"] }))
        .await;
    let params = json!({ "seconds": 30 });
    let asking = client.remote_request("s", "slow", &params);
    let dying = async {
        server
            .next_event("the request", |line| line["request"]["method"] == "slow")
            .await;
        server.kill().await;
    };
    let (answer, ()) = tokio::join!(asking, dying);
    assert_eq!(answer.unwrap_err(), RequestError::NotConnected);
    let limit = Duration::from_millis(100);
    let error = client.remote_request("s", "slow", &1).timeout(limit).await.unwrap_err();
    assert_eq!(error, RequestError::NotConnected);
}

#[tokio::test]
async fn p69_everything_is_registered_again_after_a_pysig_server_restarts() {
    for pysig in Pysig::all() {
        for dialect in [Dialect::Pysig, Dialect::Auto] {
            let port = free_port();
            let server = pysig.spawn().await;
            start(&server, port).await;
            let client = dial(port, dialect);
            let mut heard = client.listen_remote("s/e").await.unwrap();
            let echo = |request: Request| Ok(request.raw_params().clone());
            let sender = client
                .add_remote_sender("c")
                .event("e")
                .request("echo", echo)
                .connect()
                .await
                .unwrap();
            let signal = sender.signal("e").unwrap();
            let mut states = client.states();

            // First in good order, then as after a crash: another process at the same port.
            let other = pysig.spawn().await;
            for (dying, reborn) in [(&server, &server), (&server, &other)] {
                if std::ptr::eq(dying, reborn) {
                    assert_eq!(server.ok("stop_server", json!({})).await, true);
                } else {
                    server.kill().await;
                }
                soon("the loss", states.wait_for(|state| *state != LinkState::Connected))
                    .await
                    .unwrap();
                start(reborn, port).await;
                reborn
                    .ok("add_listener", json!({ "id": "c", "sender": "c", "event": "e" }))
                    .await;
                client.ready(WAIT).await.unwrap();

                reborn.ok("add_sender", json!({ "name": "s", "events": ["e"] })).await;
                trigger(reborn, "s", "e", json!("there")).await;
                assert_eq!(next(&mut heard).await.1, "there");
                signal.trigger(&"here").await.unwrap();
                assert_eq!(next_heard(reborn).await.3, "here");
                let request = json!({ "sender": "c", "method": "echo", "params": 7 });
                assert_eq!(reborn.ok("request", request).await, 7);
                reborn.ok("remove_sender", json!({ "name": "s" })).await;
            }
        }
    }
}

#[tokio::test]
async fn p72_a_client_of_ours_may_start_before_the_pysig_server() {
    for pysig in Pysig::all() {
        let port = free_port();
        let client = dial(port, Dialect::Auto);
        let listening = client.listen_remote("s/e");
        let serving = async {
            let server = pysig.spawn().await;
            start(&server, port).await;
            server.ok("add_sender", json!({ "name": "s", "events": ["e"] })).await;
            server
        };
        let (heard, server) = tokio::join!(listening, serving);
        trigger(&server, "s", "e", json!(1)).await;
        assert_eq!(next(&mut heard.unwrap()).await.1, 1);
    }
}

#[tokio::test]
async fn p59_presence_of_our_clients_on_a_pysig_server_follows_their_links() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let watcher = connected(port).await;
        let mut presence = watcher.listen_remote("c").await.unwrap();
        let client = connected(port).await;
        let _sender = client.add_remote_sender("c").event("e").connect().await.unwrap();
        assert_eq!(presence.next_event().await.name().as_str(), "#connect");
        client.close(WAIT).await;
        assert_eq!(presence.next_event().await.name().as_str(), "#disconnect");
        server
            .next_event("the end of the link", |line| line.get("client_disconnected").is_some())
            .await;
    }
}
