//! What happens around the ends of a link, over the in-process carrier.

use std::sync::Arc;
use std::time::Duration;

use sig_carrier_local::Local;
use sig_router::sig_core::Carrier;
use sig_router::{ClientRouter, Event, LinkState, ListenError, ServerRouter};

const WAIT: Duration = Duration::from_secs(10);

async fn state(client: &ClientRouter, wanted: impl Fn(&LinkState) -> bool) {
    let mut states = client.states();
    let reached = tokio::time::timeout(WAIT, states.wait_for(|state| wanted(state))).await;
    reached.expect("the state in time").expect("the router lives");
}

#[tokio::test]
async fn a_sender_that_left_while_there_was_no_link_can_be_added_again() {
    let hub = Arc::new(Local::new());
    let server = ServerRouter::new().unwrap();
    let carrier = server.attach(hub.clone());
    let client = ClientRouter::connect(Arc::new(hub.dialer())).unwrap();
    // It keeps what is known of the sender.
    let _listener = client.local().add_listener("timer/tic", |_: &Event<'_>| {}).unwrap();
    let add = || client.add_remote_sender("timer").event("tic").connect();

    let timer = add().await.unwrap();
    carrier.stop().await;
    state(&client, |state| !matches!(state, LinkState::Connected)).await;
    assert!(timer.signal("tic").unwrap().try_trigger(&1).is_err());
    drop(timer);

    server.attach(hub.clone());
    let timer = tokio::time::timeout(WAIT, add()).await.unwrap().unwrap();
    timer.signal("tic").unwrap().try_trigger(&2).unwrap();
}

#[tokio::test]
async fn who_waits_for_a_router_that_is_dropped_learns_it() {
    let client = ClientRouter::connect(Arc::new(Local::new().dialer())).unwrap();
    let mut states = client.states();
    let listening = client.add_remote_listener("timer/tic", |_: &Event<'_>| {});
    drop(client);
    let ended = tokio::time::timeout(WAIT, listening).await.expect("an end");
    assert!(matches!(ended, Err(ListenError::Closed)), "{ended:?}");
    // Whatever the aborted tasks leave behind, closed is closed.
    while states.changed().await.is_ok() {}
    assert_eq!(*states.borrow(), LinkState::Closed);
}

#[tokio::test]
async fn the_longest_timeout_is_a_timeout() {
    let hub = Arc::new(Local::new());
    let server = ServerRouter::new().unwrap();
    server.attach(hub.clone());
    let _adder = server.add_sender("adder").request("one", |_| Ok(1)).connect().unwrap();
    let client = ClientRouter::connect(Arc::new(hub.dialer())).unwrap();
    let answer = client
        .remote_request("adder", "one", &())
        .timeout(Duration::MAX)
        .await
        .unwrap();
    assert_eq!(answer.parse::<i32>().unwrap(), 1);
    assert!(hub.profile().heartbeat.is_none());
}
