//! Every error arrives as what it is, with its text and code, over two hops.

use std::time::Duration;

use serde_json::json;
use sig_router::{RequestError, ServerRouter};
use sig_tests::raw::{Raw, control};
use sig_tests::rig::{connected, soon};

use super::world::World;

/// What the callee says, and what the asker is told.
fn errors() -> Vec<(&'static str, RequestError)> {
    let sender = || "callee".to_owned();
    let text = || "in words".to_owned();
    let failed = |code: Option<&str>| RequestError::HandlerFailed {
        code: code.map(str::to_owned),
        text: text(),
    };
    vec![
        ("no_such_sender", RequestError::NoSuchSender { sender: sender() }),
        ("not_supported", RequestError::NotSupported { sender: sender() }),
        (
            "no_such_method",
            RequestError::NoSuchMethod {
                sender: sender(),
                method: "m".to_owned(),
            },
        ),
        ("sender_gone", RequestError::SenderGone { sender: sender() }),
        (
            "timed_out",
            RequestError::TimedOut {
                after: sig_router::DEFAULT_TIMEOUT,
            },
        ),
        ("cancelled", RequestError::Cancelled),
        ("busy", RequestError::Busy),
        ("not_connected", RequestError::NotConnected),
        ("refused", RequestError::Refused(text())),
        ("invalid_params", RequestError::Refused(text())),
        ("codec", RequestError::Codec(text())),
        ("handler_failed", failed(None)),
        ("handler_failed:hot", failed(Some("hot"))),
        ("handler_failed:busy", failed(Some("busy"))),
        ("what_is_this", failed(None)),
    ]
}

#[tokio::test]
async fn promise_4_every_error_arrives_as_itself_over_two_hops() {
    let world = World::tcp();
    let asker = world.client();
    let mut owner = Raw::hello(world.address()).await;
    let params = json!({ "sender": "callee", "events": [], "requests": ["m"] });
    assert_eq!(owner.call(1, "add_sender", &params).await["status"], 0);
    connected(&asker).await;
    for (code, error) in errors() {
        for from in [true, false] {
            let asking = if from {
                asker.remote_request("callee", "m", &())
            } else {
                world.server.request("callee", "m", &())
            };
            let answering = async {
                let request = soon("the request", owner.control()).await;
                let failed = json!({ "id": request["id"], "status": -2, "exception": "in words", "code": code });
                owner.send(&control(&failed)).await;
            };
            let (answer, ()) = tokio::join!(soon("an answer", asking), answering);
            assert_eq!(answer.unwrap_err(), error, "{code}");
        }
        // And the word for it, where it is one of ours.
        if code != "invalid_params" && code != "what_is_this" {
            assert!(code.starts_with(error.code()), "{code}: {}", error.code());
        }
    }
}

#[tokio::test]
async fn promise_4_what_cannot_be_asked_for_is_refused_with_the_reason() {
    for world in World::each() {
        let asker = world.client();
        connected(&asker).await;
        let long = "m".repeat(70_000);
        for (who, method) in [("callee", long.as_str()), (" ", "m"), ("", "m")] {
            let error = soon("an answer", asker.remote_request(who, method, &()))
                .await
                .unwrap_err();
            assert!(
                matches!(error, RequestError::Refused(_) | RequestError::NoSuchSender { .. }),
                "{}: {error:?}",
                world.name
            );
        }
    }
}

#[tokio::test]
async fn promise_4_a_relay_hands_an_error_on_in_words() {
    let server = ServerRouter::new().unwrap();
    let router = server.router().clone();
    let relay = server.add_sender("relay").request_async("ask", move |_| {
        let router = router.clone();
        async move {
            let asking = router.request("nobody", "m", &()).timeout(Duration::from_secs(1));
            Ok(asking.await?)
        }
    });
    let _relay = relay.connect().unwrap();
    let error = server.request("relay", "ask", &()).await.unwrap_err();
    let text = "Sender nobody is not connected".to_owned();
    assert_eq!(error, RequestError::HandlerFailed { code: None, text });
}
