//! What was lost while a link was down shows, the end of it too.

use sig_router::{Event, Lagged, LinkState, RemoteEventStream, Signal};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, becomes, client_of, soon};

/// Takes what comes until this number has come or was reported lost: how many came, and how many did not.
async fn hear_to(stream: &mut RemoteEventStream, number: u64) -> (u64, u64) {
    let (mut received, mut lost, mut last) = (0, 0, 0);
    while received + lost < number {
        let item: Result<Event<'static>, Lagged> = soon("the rest", stream.recv()).await.expect("the router lives");
        match item {
            Ok(event) => {
                assert!(event.number() > last, "{} after {last}", event.number());
                (received, last) = (received + 1, event.number());
            }
            Err(lagged) => {
                assert_eq!((lagged.sender().as_str(), lagged.name().as_str()), ("s", "e"));
                lost += lagged.count();
            }
        }
    }
    (received, lost)
}

async fn trigger(signal: &Signal, count: u64) {
    for n in 0..count {
        signal.trigger(&n).await.expect("the sender is there");
    }
}

#[tokio::test]
async fn promise_1_what_was_lost_at_the_end_is_reported_without_another_event() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut narrow = client.listen_remote("s/e").await.unwrap();
    let mut wide = client.listen_remote("*").await.unwrap();
    trigger(&signal, 10).await;
    assert_eq!(hear_to(&mut narrow, 10).await, (10, 0));
    assert_eq!(hear_to(&mut wide, 10).await, (10, 0));
    proxy.set(Cable::Cut);
    sig_tests::rig::holds("the router knows", || server.router.clients().is_empty()).await;
    trigger(&signal, 5).await;
    proxy.set(Cable::Whole);
    assert_eq!(hear_to(&mut narrow, 5).await, (0, 5));
    // It is told of presence as well, which nobody counts.
    let lost = async {
        loop {
            if let Err(lagged) = wide.recv().await.unwrap() {
                return lagged.count();
            }
        }
    };
    assert_eq!(soon("the loss", lost).await, 5);
}

#[tokio::test]
async fn promise_1_events_that_a_publisher_lost_with_its_link_are_reported_to_everyone() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let (publisher, client) = (client_of(&proxy.address.to_string()), server.client());
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let mut far = client.listen_remote("s/e").await.unwrap();
    trigger(&signal, 3).await;
    assert_eq!(hear_to(&mut far, 3).await, (3, 0));
    // They go into a link that takes nothing any more, and then breaks.
    proxy.set(Cable::Silent);
    trigger(&signal, 7).await;
    proxy.set(Cable::Cut);
    becomes(publisher.states(), |state| *state != LinkState::Connected).await;
    proxy.set(Cable::Whole);
    assert_eq!(hear_to(&mut far, 7).await, (0, 7));
    trigger(&signal, 2).await;
    assert_eq!(hear_to(&mut far, 2).await, (2, 0));
}
