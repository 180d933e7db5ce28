//! Deadlines travel along, and shrink on the way.

use std::time::{Duration, Instant};

use serde_json::json;
use sig_router::{Request, RequestError};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::raw::Raw;
use sig_tests::rig::{client_of, connected, soon};

use super::world::{World, called, callee, dropped};

const DEADLINE: Duration = Duration::from_millis(500);

#[tokio::test]
async fn promise_4_a_deadline_travels_along_and_shrinks_over_every_hop() {
    for world in World::each() {
        let (asker, middle, client) = (world.client(), world.client(), world.client());
        let (_sender, mut tells) = callee(&client).await;
        // A handler that takes its time, and hands on what is left of it.
        const PAUSE: Duration = Duration::from_millis(100);
        let asking = middle.clone();
        let relay = middle
            .add_remote_sender("relay")
            .request_async("hang", move |request: Request| {
                let client = asking.clone();
                async move {
                    tokio::time::sleep(PAUSE).await;
                    let left = request.deadline().saturating_duration_since(Instant::now());
                    let answer = client.remote_request("callee", "hang", &()).timeout(left).await;
                    Ok(answer?)
                }
            });
        let _relay = relay.connect().await.unwrap();
        connected(&asker).await;
        for (who, most) in [("callee", DEADLINE), ("relay", DEADLINE - PAUSE)] {
            let began = Instant::now();
            let answer = asker.remote_request(who, "hang", &()).timeout(DEADLINE).await;
            // What the relay asked for ends a little before.
            let error = answer.unwrap_err();
            assert!(
                who == "relay" || error == RequestError::TimedOut { after: DEADLINE },
                "{error:?}"
            );
            let took = began.elapsed();
            assert!(took > DEADLINE - PAUSE, "{}: {took:?}", world.name);
            let left = called(&mut tells).await;
            assert!(left <= most && left > most / 2, "{}: {left:?} of {most:?}", world.name);
            dropped(&mut tells).await;
        }
    }
}

#[tokio::test]
async fn promise_4_the_time_that_an_asker_waits_for_its_link_is_not_given_to_the_handler() {
    const PAUSE: Duration = Duration::from_millis(200);
    let world = World::tcp();
    let client = world.client();
    let (_sender, mut tells) = callee(&client).await;
    let address = sig_tests::rig::lasting_address();
    let asker = client_of(&address);
    let asking = asker.remote_request("callee", "hang", &()).timeout(DEADLINE);
    let server = world.server.clone();
    let opening = async {
        tokio::time::sleep(PAUSE).await;
        server.attach(std::sync::Arc::new(sig_carrier_tcp::listen(&address).unwrap()));
    };
    let (answer, ()) = tokio::join!(asking.into_future(), opening);
    assert_eq!(answer.unwrap_err(), RequestError::TimedOut { after: DEADLINE });
    let left = called(&mut tells).await;
    assert!(left <= DEADLINE - PAUSE, "{left:?}");
}

#[tokio::test]
async fn promise_4_on_the_wire_the_deadline_is_what_is_left() {
    let world = World::tcp();
    let mut owner = Raw::hello(world.address()).await;
    let params = json!({ "sender": "callee", "events": [], "requests": ["m"] });
    assert_eq!(owner.call(1, "add_sender", &params).await["status"], 0);
    let mut asker = Raw::hello(world.address()).await;
    // What is due soon has a timer of its own.
    for (asked, most) in [(Some(400), 400), (Some(1_100), 1_100), (None, 10_000)] {
        let mut params = json!({ "sender": "callee", "method": "m", "params": [1] });
        if let Some(asked) = asked {
            params["deadline_ms"] = json!(asked);
        }
        asker.send(&sig_tests::raw::call(7, "request", &params)).await;
        let request = soon("the request", owner.control()).await;
        assert_eq!(request["method"], "request", "{request}");
        assert_eq!(request["params"]["params"], json!([1]));
        let left = request["params"]["deadline_ms"].as_u64().unwrap();
        assert!(left <= most && left > most / 2, "{left} of {most}");
        if asked.is_some() {
            // The server keeps it, whatever either end does.
            assert_eq!(asker.reply(7).await["code"], "timed_out");
            let cancel = soon("a cancel", owner.control()).await;
            assert_eq!(
                (&cancel["method"], &cancel["params"]["id"]),
                (&json!("cancel"), &request["id"])
            );
        }
    }
}

/// What looks after deadlines from time to time does not take the word from the asker's own.
#[tokio::test]
async fn promise_4_a_deadline_that_passes_is_told_as_such_at_every_moment() {
    const COUNT: u64 = 2000;
    let world = World::tcp();
    let proxy = Proxy::to(world.address()).await;
    let asker = client_of(&proxy.address.to_string());
    connected(&asker).await;
    let mut owner = Raw::hello(world.address()).await;
    let params = json!({ "sender": "callee", "events": [], "requests": ["m"] });
    assert_eq!(owner.call(1, "add_sender", &params).await["status"], 0);
    proxy.set(Cable::Silent);
    let all = (0..COUNT).map(|n| {
        let after = Duration::from_micros(100_000 + n * 300);
        let (far, near) = (&asker, &world.server);
        async move {
            let answers = tokio::join!(
                far.remote_request("callee", "m", &()).timeout(after).into_future(),
                near.request("callee", "m", &()).timeout(after).into_future(),
            );
            let late = || Err(RequestError::TimedOut { after });
            assert_eq!(answers, (late(), late()));
        }
    });
    futures::future::join_all(all).await;
}
