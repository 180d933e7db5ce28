//! What the tests of this program share.

use serde_json::{Value, json};
use sig_router::{EventStream, Presence};
use sig_tests::raw::{Raw, hello_of};
use sig_tests::rig::soon;

/// A link of this instance.
pub(crate) async fn link_of(address: &str, instance: &str) -> Raw {
    let mut raw = Raw::connect(address).await;
    raw.open(&hello_of(instance)).await;
    raw
}

/// Adds the sender `s`. Gives the reply.
pub(crate) async fn add_sender(raw: &mut Raw, id: u64) -> Value {
    raw.call(id, "add_sender", &json!({ "sender": "s", "events": ["e"] }))
        .await
}

/// The next of `#connect` and `#disconnect`, as its name and data.
pub(crate) async fn presence(stream: &mut EventStream) -> (String, Presence) {
    let event = soon("presence", stream.recv()).await.unwrap().unwrap();
    (event.name().to_string(), event.decode().unwrap())
}
