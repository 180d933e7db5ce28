//! Policies that nobody can keep, asked for over the wire.

use serde_json::json;
use sig_tests::raw::{Incoming, Raw};

use crate::neighbour::Neighbour;

#[tokio::test]
async fn promise_10_a_policy_that_cannot_be_kept_is_refused_and_costs_nothing() {
    let mut neighbour = Neighbour::move_in().await;
    let sender = neighbour.server.router.add_sender("s").event("e").connect().unwrap();
    let mut raw = Raw::hello(neighbour.address()).await;
    let policies = [
        json!({ "rate": 0.0 }),
        json!({ "rate": -20.0 }),
        json!({ "rate": 1e300 }),
        json!({ "rate": 1e-300 }),
        json!({ "drop_oldest": 0 }),
        json!({ "drop_newest": 0 }),
        json!({ "drop_oldest": u64::MAX }),
        json!({ "drop_newest": 1_u64 << 40 }),
        json!({ "block_ms": -1 }),
        json!({ "rate": "fast" }),
        json!("earliest"),
        json!(7),
    ];
    for (id, policy) in (1..).zip(&policies) {
        let params = json!({ "listener_id": id, "sender": "s", "event": "e", "policy": policy });
        let reply = raw.call(id, "add_listener", &params).await;
        assert_eq!(reply["code"], "invalid_params", "{policy}: {reply}");
    }
    // The longest patience is one.
    for (id, policy) in [
        (100, json!({ "block_ms": u64::MAX })),
        (101, json!({ "drop_oldest": 1 << 24 })),
    ] {
        let params = json!({ "listener_id": id, "sender": "s", "event": "e", "policy": policy });
        let reply = raw.call(id, "add_listener", &params).await;
        assert_eq!(reply["status"], 0, "{policy}: {reply}");
    }
    sender.signal("e").unwrap().trigger(&1).await.unwrap();
    while !matches!(raw.next().await.expect("the link stays"), Incoming::Event { .. }) {}
    neighbour.is_well().await;
}
