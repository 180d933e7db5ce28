//! Callees that do not keep to the protocol.

use futures::FutureExt as _;
use serde_json::{Value, json};
use sig_router::RequestError;
use sig_tests::raw::{Raw, control, frame};
use sig_tests::rig::{connected, holds};
use sig_wire::{Flags, Kind};

use super::super::world::World;
use super::{Ended, Fault, ask, gone, late};

pub(super) fn faults() -> Vec<Fault> {
    vec![
        never_answers().boxed(),
        answers_too_late().boxed(),
        answers_another().boxed(),
        answers_nonsense().boxed(),
        answers_in_an_odd_way().boxed(),
        forgot_the_method().boxed(),
        ends_in_the_middle().boxed(),
    ]
}

/// A callee that speaks by hand.
async fn raw_callee(world: &World) -> Raw {
    let mut raw = Raw::hello(world.address()).await;
    let params = json!({ "sender": "callee", "events": [], "requests": [null] });
    assert_eq!(raw.call(1, "add_sender", &params).await["status"], 0);
    raw
}

/// The next request that it is asked.
async fn asked(raw: &mut Raw) -> Value {
    loop {
        let message = raw.control().await;
        if message["method"] == "request" {
            return message;
        }
    }
}

/// What the asker gets when the callee sends this.
async fn when_it_answers(answer: impl FnOnce(&Value) -> Vec<u8>) -> (World, Ended) {
    let world = World::tcp();
    let asker = world.client();
    let mut raw = raw_callee(&world).await;
    connected(&asker).await;
    let answering = async {
        let request = asked(&mut raw).await;
        raw.send(&answer(&request)).await;
        // The connection stays.
        raw
    };
    let (ended, _raw) = tokio::join!(ask(asker.remote_request("callee", "m", &())), answering);
    (world, ended)
}

async fn never_answers() {
    let (_, ended) = when_it_answers(|_| Vec::new()).await;
    ended.check("the callee never answers", late);
}

async fn answers_too_late() {
    let world = World::tcp();
    let asker = world.client();
    let mut raw = raw_callee(&world).await;
    connected(&asker).await;
    let ended = ask(asker.remote_request("callee", "m", &())).await;
    ended.check("the callee answers too late", late);
    let request = asked(&mut raw).await;
    let answer = control(&json!({ "id": request["id"], "status": 0, "response": 1 }));
    raw.send(&answer).await;
    // What no call ever asked for is not late.
    raw.send(&control(&json!({ "id": 99, "status": 0, "response": 1 })))
        .await;
    let late_answers = || {
        world
            .server
            .clients()
            .iter()
            .map(|client| client.late_answers)
            .sum::<u64>()
    };
    holds("it is counted", || late_answers() == 1).await;
    // Its link is none the worse for it.
    let answering = async {
        let request = asked(&mut raw).await;
        raw.send(&control(&json!({ "id": request["id"], "status": 0, "response": 2 })))
            .await;
    };
    let (ended, ()) = tokio::join!(ask(asker.remote_request("callee", "m", &())), answering);
    ended.check("the callee answers in time", |answer| {
        answer.as_ref().is_ok_and(|answer| answer.text() == "2")
    });
    assert_eq!(late_answers(), 1);
}

async fn answers_another() {
    let (_, ended) = when_it_answers(|request| {
        let id = request["id"].as_u64().unwrap() + 1;
        control(&json!({ "id": id, "status": 0, "response": 1 }))
    })
    .await;
    ended.check("the callee answers another call", late);
}

async fn answers_nonsense() {
    let (_, ended) = when_it_answers(|_| frame(Kind::Control, Flags::NONE, b"{\"id\": 1, \"status\"")).await;
    ended.check("the callee answers nonsense", gone);
}

async fn answers_in_an_odd_way() {
    let odd = [
        json!({ "status": 0 }),
        json!({ "status": 7 }),
        json!({ "status": -2 }),
        json!({ "status": "0", "response": [] }),
    ];
    for mut answer in odd {
        let shown = answer.to_string();
        let (_, ended) = when_it_answers(|request| {
            answer["id"] = request["id"].clone();
            control(&answer)
        })
        .await;
        ended.check(&shown, |_| true);
    }
}

async fn forgot_the_method() {
    for status in [-1, -3] {
        let (_, ended) = when_it_answers(|request| control(&json!({ "id": request["id"], "status": status }))).await;
        ended.check(
            "the callee knows no requests",
            |answer| matches!(answer, Err(RequestError::NoSuchMethod { method, .. }) if method == "m"),
        );
    }
}

async fn ends_in_the_middle() {
    let world = World::tcp();
    let asker = world.client();
    let mut raw = raw_callee(&world).await;
    connected(&asker).await;
    let answering = async {
        let request = asked(&mut raw).await;
        let answer = control(&json!({ "id": request["id"], "status": 0, "response": 1 }));
        raw.send(&answer[..answer.len() / 2]).await;
        drop(raw);
    };
    let (ended, ()) = tokio::join!(ask(asker.remote_request("callee", "m", &())), answering);
    ended.check("the callee's link ends within its answer", gone);
}
