//! Prefaces and hellos that are missing or wrong.

use serde_json::{Value, json};
use sig_tests::raw::{Raw, control, hello};
use sig_tests::rig::soon;
use sig_wire::{Encoding, Preface};
use tokio::io::AsyncReadExt as _;

use crate::neighbour::Neighbour;

fn hello_with(field: &str, value: Value) -> Value {
    let mut hello = hello();
    hello["params"][field] = value;
    hello
}

#[tokio::test]
async fn a_wrong_hello_is_refused_with_a_code_and_the_field() {
    let mut neighbour = Neighbour::move_in().await;
    for (hello, code, words) in [
        (hello_with("versions", json!([7, 9])), "version", "7 to 9"),
        (hello_with("versions", json!([2, 1])), "malformed", "versions"),
        (hello_with("versions", json!("all")), "malformed", "versions"),
        (hello_with("codec", json!("msgpack")), "codec", "msgpack"),
        (hello_with("codec", json!("x".repeat(1000))), "malformed", "codec"),
        (hello_with("instance", json!("")), "malformed", "instance"),
        (hello_with("max_message", json!(0)), "malformed", "max_message"),
        (
            hello_with("capabilities", json!(vec!["c"; 1000])),
            "malformed",
            "capabilities",
        ),
        (json!({ "method": "hello" }), "malformed", "versions"),
        (json!({ "method": "hello", "params": [1, 2] }), "malformed", "object"),
    ] {
        let mut raw = Raw::preface(neighbour.address()).await;
        raw.send(&control(&hello)).await;
        let reason = raw.ended().await.expect("a reason");
        assert_eq!(reason["method"], "refuse", "{reason}");
        assert_eq!(reason["params"]["code"], code, "{reason}");
        assert_eq!(reason["params"]["retry"], "never", "{reason}");
        assert!(reason["params"]["text"].as_str().unwrap().contains(words), "{reason}");
        neighbour.is_well().await;
    }
}

#[tokio::test]
async fn a_preface_of_other_versions_is_answered_with_ours_and_closed() {
    let mut neighbour = Neighbour::move_in().await;
    let mut offer = Preface::new(Encoding::Sig1).encode();
    (offer[8], offer[9]) = (7, 9);
    let mut raw = Raw::connect(neighbour.address()).await;
    raw.send(&offer).await;
    let mut answer = Vec::new();
    soon("the end", raw.stream.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, Preface::new(Encoding::Sig1).encode());
    neighbour.is_well().await;
}

#[tokio::test]
async fn a_hello_that_asks_for_a_frantic_heartbeat_does_not_get_it() {
    let mut neighbour = Neighbour::move_in().await;
    let mut raw = Raw::preface(neighbour.address()).await;
    raw.send(&control(&hello_with("heartbeat_ms", json!(1)))).await;
    let welcome = raw.control().await;
    assert!(welcome["params"]["heartbeat_ms"].as_u64().unwrap() >= 100, "{welcome}");
    let mut raw = Raw::preface(neighbour.address()).await;
    raw.send(&control(&hello_with("heartbeat_ms", json!(u64::MAX)))).await;
    let welcome = raw.control().await;
    assert!(
        welcome["params"]["heartbeat_ms"].as_u64().unwrap() <= 60_000,
        "{welcome}"
    );
    neighbour.is_well().await;
}
