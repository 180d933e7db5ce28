//! A name that somebody else took meanwhile: a state to be watched, and asked for again.

use sig_router::{SenderState, TriggerError};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, becomes, client_of, connected, disconnected, holds, soon};

#[tokio::test]
async fn promise_5_a_name_taken_meanwhile_is_refused_and_had_again_when_it_is_free() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let unharmed = client.add_remote_sender("t").event("e").connect().await.unwrap();
    let mut stream = server.router.listen("s/e").unwrap();

    proxy.set(Cable::Cut);
    soon("the cut is noticed", disconnected(&client)).await;
    holds("the server notices", || server.router.clients().is_empty()).await;
    let thief = server.client();
    let taken = thief.add_remote_sender("s").event("e").connect().await.unwrap();
    proxy.set(Cable::Whole);
    let refused = becomes(sender.states(), |state| matches!(state, SenderState::Refused { .. })).await;
    assert!(
        matches!(&refused, SenderState::Refused { text } if text.contains("s is already connected")),
        "{refused:?}"
    );
    // The rest of the client is fine.
    soon("the link", connected(&client)).await;
    becomes(unharmed.states(), |state| *state == SenderState::Live).await;
    let tried = sender.signal("e").unwrap().try_trigger(&1);
    assert!(matches!(tried, Err(TriggerError::Offline { .. })), "{tried:?}");

    taken.signal("e").unwrap().trigger(&2).await.unwrap();
    assert_eq!(
        soon("an event", stream.recv())
            .await
            .unwrap()
            .unwrap()
            .decode::<i32>()
            .unwrap(),
        2
    );
    taken.remove().await;
    becomes(sender.states(), |state| *state == SenderState::Live).await;
    sender.signal("e").unwrap().trigger(&3).await.unwrap();
    assert_eq!(
        soon("an event", stream.recv())
            .await
            .unwrap()
            .unwrap()
            .decode::<i32>()
            .unwrap(),
        3
    );
}

#[tokio::test]
async fn a_client_that_comes_back_before_its_old_link_is_noticed_gets_its_name_in_the_end() {
    // The server still holds the old link for alive: its cable was pulled.
    let server = sig_tests::rig::beating_server(std::time::Duration::from_secs(1));
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    proxy.set(Cable::Silent);
    soon("the client notices", disconnected(&client)).await;
    proxy.set(Cable::Whole);
    soon("the link", connected(&client)).await;
    becomes(sender.states(), |state| *state == SenderState::Live).await;
    assert_eq!(server.router.senders().iter().filter(|info| info.connected).count(), 1);
}

#[tokio::test]
async fn a_sender_that_was_removed_by_name_does_not_take_the_next_of_its_name_along() {
    let server = TcpServer::start();
    let client = server.client();
    let first = client.add_remote_sender("s").event("e").connect().await.unwrap();
    assert!(client.remove_remote_sender("s").await.unwrap());
    assert_eq!(first.state(), SenderState::Gone);
    let second = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let local = client.local().listen("s/e").unwrap();
    first.remove().await;
    assert_eq!(second.state(), SenderState::Live);
    second.signal("e").unwrap().trigger(&1).await.unwrap();
    assert_eq!(local.len(), 1);
    assert_eq!(server.router.senders().iter().filter(|info| info.connected).count(), 1);
}
