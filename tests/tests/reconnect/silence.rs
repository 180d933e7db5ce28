//! W6: peers that vanish without a sign.

use std::time::{Duration, Instant};

use sig_router::{LinkState, Presence};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{beating_client, beating_server, connected, disconnected, soon};

/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(400);

async fn a_pulled_plug_is_noticed(period: Duration) {
    let server = beating_server(period);
    let proxy = Proxy::to(&server.address).await;
    let client = beating_client(&proxy.address.to_string(), period);
    let _sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let mut presence = server.router.listen("s").unwrap();
    connected(&client).await;
    let mut states = client.states();
    states.mark_unchanged();

    // Silence alone is no reason: heartbeats keep an idle link.
    tokio::select! {
        () = tokio::time::sleep(5 * period) => {}
        changed = states.changed() => panic!("{changed:?}: {:?}", *states.borrow()),
        event = presence.recv() => panic!("{event:?}"),
    }

    let began = Instant::now();
    proxy.set(Cable::Silent);
    let here = async {
        disconnected(&client).await;
        began.elapsed()
    };
    let there = async {
        let event = soon("#disconnect", presence.recv()).await.unwrap().unwrap();
        assert_eq!(event.decode::<Presence>().unwrap().reason.as_deref(), Some("timeout"));
        began.elapsed()
    };
    let (here, there) = tokio::join!(here, there);
    // The last sign of life came before the plug was pulled, by up to one period.
    let bounds = period..=period * 5 / 2 + SLACK;
    assert!(bounds.contains(&here), "the client noticed after {here:?}");
    assert!(bounds.contains(&there), "the server noticed after {there:?}");

    proxy.set(Cable::Whole);
    soon("it heals", connected(&client)).await;
    let event = soon("#connect", presence.recv()).await.unwrap().unwrap();
    assert_eq!(event.name().as_str(), "#connect");
}

#[tokio::test]
async fn w6_a_dead_peer_is_noticed_within_two_and_a_half_periods() {
    a_pulled_plug_is_noticed(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn w6_also_where_the_period_is_short() {
    a_pulled_plug_is_noticed(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn one_direction_alone_is_not_enough_of_a_link() {
    let period = Duration::from_secs(1);
    let server = beating_server(period);
    let proxy = Proxy::to(&server.address).await;
    let client = beating_client(&proxy.address.to_string(), period);
    connected(&client).await;
    // The client is heard and hears nothing.
    proxy.set(Cable::Deaf);
    let state = soon("the client notices", disconnected(&client)).await;
    assert_ne!(state, LinkState::Connected);
    proxy.set(Cable::Whole);
    soon("it heals", connected(&client)).await;
}
