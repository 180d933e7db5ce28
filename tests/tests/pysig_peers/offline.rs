//! What was triggered while pysig's server could not be reached.

use serde_json::json;
use sig_router::{Offline, SenderState};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::pysig::Pysig;
use sig_tests::rig::becomes;

use crate::our_client::{connected, serving};
use crate::support::{next_heard, soon};

#[tokio::test]
async fn promise_5_what_was_kept_reaches_a_pysig_server_in_order_and_at_its_pace() {
    // More than may wait for a pysig peer.
    const KEPT: u64 = 400;
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        server
            .ok("add_listener", json!({ "id": "l", "sender": "c", "event": "e" }))
            .await;
        let proxy = Proxy::to(&format!("127.0.0.1:{port}")).await;
        let client = connected(proxy.address.port()).await;
        let sender = client.add_remote_sender("c").event("e");
        let sender = sender.offline(Offline::Buffer(KEPT as usize)).connect().await.unwrap();
        let signal = sender.signal("e").unwrap();
        signal.trigger(&0).await.unwrap();
        assert_eq!(next_heard(&server).await.3, 0);

        proxy.set(Cable::Cut);
        becomes(sender.states(), |state| *state == SenderState::Pending).await;
        for n in 1..=KEPT {
            signal.try_trigger(&n).unwrap();
        }
        proxy.set(Cable::Whole);
        becomes(sender.states(), |state| *state == SenderState::Live).await;
        soon("a newer one", signal.trigger(&(KEPT + 1))).await.unwrap();
        for n in 1..=KEPT + 1 {
            assert_eq!(next_heard(&server).await.3, n);
        }
        assert_eq!((sender.kept(), sender.lost()), (0, 0));
    }
}
