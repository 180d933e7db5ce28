//! Who is there, for those who come late, and over links that break.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt as _;
use sig_router::LinkState;
use sig_router::{Event, Listen, Presence, RemoteEventStream, Router};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, becomes, client_of, soon};

use super::next;

fn told(event: &Event<'_>) -> (String, String, u64) {
    let presence: Presence = event.decode().expect("it is presence");
    let name = event.sender().to_string();
    (name, presence.reason.unwrap_or_default(), presence.generation)
}

#[test]
fn promise_3_a_listener_that_names_connect_is_told_who_is_there() {
    let router = Router::new();
    let _a = router.add_sender("a").event("e").connect().unwrap();
    let _b = router.add_sender("b").event("e").connect().unwrap();
    drop(router.add_sender("gone").event("e").connect().unwrap());
    let mut named = router.listen("#connect").unwrap();
    let mut one = router.listen("b/#connect").unwrap();
    let mut without = router
        .listen(Listen::to("#connect").unwrap().without_snapshot())
        .unwrap();
    let mut broad = router.listen("*").unwrap();
    let mut names: Vec<_> = std::iter::from_fn(|| named.recv().now_or_never().flatten())
        .map(|event| event.unwrap())
        .inspect(|event| assert!(event.retained().is_some()))
        .map(|event| event.sender().to_string())
        .collect();
    names.sort();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        one.recv().now_or_never().flatten().unwrap().unwrap().sender().as_str(),
        "b"
    );
    assert!(without.recv().now_or_never().is_none() && broad.recv().now_or_never().is_none());
    let _c = router.add_sender("c").event("e").connect().unwrap();
    for stream in [&mut named, &mut without, &mut broad] {
        let event = stream.recv().now_or_never().flatten().unwrap().unwrap();
        assert_eq!((event.sender().as_str(), event.retained()), ("c", None));
    }
}

#[tokio::test]
async fn promise_3_many_are_told_as_there_is_room_and_changes_meanwhile_are_in_order() {
    const SENDERS: usize = 3000;
    let server = TcpServer::start();
    let client = server.client();
    let mut senders: BTreeMap<usize, _> = (0..SENDERS)
        .map(|n| {
            (
                n,
                server.router.add_sender(format!("s{n}")).event("e").connect().unwrap(),
            )
        })
        .collect();
    let mut connects = client.listen_remote("#connect").await.unwrap();
    let mut disconnects = client.listen_remote("#disconnect").await.unwrap();
    // Every third leaves, and every sixth returns, while the others are still being told.
    for n in (0..SENDERS).step_by(3) {
        senders.remove(&n);
        if n % 6 == 0 {
            senders.insert(
                n,
                server.router.add_sender(format!("s{n}")).event("e").connect().unwrap(),
            );
        }
    }
    let _last = server.router.add_sender("last").event("e").connect().unwrap();
    let mut there: BTreeMap<String, u64> = BTreeMap::new();
    let mut there_is = |event: &Event<'_>| {
        let (name, _, generation) = told(event);
        let former = there.insert(name.clone(), generation);
        assert!(
            former.is_none_or(|former| former < generation),
            "{name}: {former:?}, {generation}"
        );
        name
    };
    // Of those that left some are told, and some are not.
    let mut untold: BTreeSet<_> = senders.keys().map(|n| format!("s{n}")).collect();
    untold.insert("last".to_owned());
    while !untold.is_empty() {
        untold.remove(&there_is(&next(&mut connects).await));
    }
    // Of those that left, whatever was told of them was told in order.
    while let Some(Some(event)) = disconnects.recv().now_or_never() {
        assert_eq!(told(&event.unwrap()).1, "removed");
    }
}

async fn expect(stream: &mut RemoteEventStream, expected: &[(&str, &str)]) {
    let mut seen = Vec::new();
    for _ in expected {
        let (name, reason, _) = told(&next(stream).await);
        seen.push((name, reason));
    }
    seen.sort();
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, reason)| ((*name).to_owned(), (*reason).to_owned()))
        .collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn promise_3_a_lost_link_is_told_by_this_side_and_every_sender_is_there_again_once() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let _a = server.router.add_sender("a").event("e").connect().unwrap();
    let b = server.router.add_sender("b").event("e").connect().unwrap();
    let mut connects = client.listen_remote("#connect").await.unwrap();
    let mut disconnects = client.listen_remote("#disconnect").await.unwrap();
    let mut everything = client.listen_remote("*").await.unwrap();
    expect(&mut connects, &[("a", ""), ("b", "")]).await;

    proxy.set(Cable::Cut);
    becomes(client.states(), |state| !matches!(state, LinkState::Connected)).await;
    expect(&mut disconnects, &[("a", "link_lost"), ("b", "link_lost")]).await;
    // One leaves for good meanwhile.
    drop(b);
    proxy.set(Cable::Whole);
    becomes(client.states(), |state| matches!(state, LinkState::Connected)).await;
    expect(&mut connects, &[("a", "")]).await;
    let _c = server.router.add_sender("c").event("e").connect().unwrap();
    expect(&mut connects, &[("c", "")]).await;
    assert!(connects.is_empty() && disconnects.is_empty());

    // Who listens to everything was not told of them first, but sees the same from then on.
    let mut seen = Vec::new();
    while seen.last() != Some(&("c".to_owned(), true)) {
        let event = next(&mut everything).await;
        seen.push((event.sender().to_string(), event.name().as_str() == "#connect"));
    }
    seen.sort();
    let expected = [("a", false), ("a", true), ("b", false), ("c", true)];
    assert_eq!(seen, expected.map(|(name, connects)| (name.to_owned(), connects)));
}

#[tokio::test]
async fn promise_3_who_listens_to_disconnect_alone_learns_of_a_lost_link_too() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let _a = server.router.add_sender("a").event("e").connect().unwrap();
    let _b = server.router.add_sender("b").event("e").connect().unwrap();
    let mut disconnects = client.listen_remote("a/#disconnect").await.unwrap();
    proxy.set(Cable::Cut);
    let event = next(&mut disconnects).await;
    let (name, reason, _) = told(&event);
    assert_eq!((name.as_str(), reason.as_str()), ("a", "link_lost"));
    proxy.set(Cable::Whole);
    soon("a link", client.ready(std::time::Duration::from_secs(20)))
        .await
        .unwrap();
    assert!(disconnects.is_empty());
}

#[tokio::test]
async fn promise_3_who_names_a_sender_and_leaves_changes_nothing_for_others() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let _a = server.router.add_sender("a").event("e").connect().unwrap();
    let mut everything = client.listen_remote("*").await.unwrap();
    let mut named = client.listen_remote("a/#connect").await.unwrap();
    expect(&mut named, &[("a", "")]).await;
    expect(&mut everything, &[("a", "")]).await;
    named.unlisten().await;
    // Others are told of it again, but not who was told already.
    let mut connects = client.listen_remote("#connect").await.unwrap();
    expect(&mut connects, &[("a", "")]).await;
    proxy.set(Cable::Cut);
    expect(&mut everything, &[("a", "link_lost")]).await;
}

#[tokio::test]
async fn promise_3_what_was_known_while_somebody_listened_is_not_told_later() {
    let server = TcpServer::start();
    let client = server.client();
    let a = server.router.add_sender("a").event("e").connect().unwrap();
    let mut named = client.listen_remote("#connect").await.unwrap();
    expect(&mut named, &[("a", "")]).await;
    named.unlisten().await;
    drop(a);
    let b = server.router.add_sender("b").event("e").connect().unwrap();
    let mut later = client.listen_remote("#connect").await.unwrap();
    expect(&mut later, &[("b", "")]).await;
    // Nor because somebody listens who hears of no leaving.
    drop(b);
    let _c = server.router.add_sender("c").event("e").connect().unwrap();
    expect(&mut later, &[("c", "")]).await;
    let mut last = client.listen_remote("#connect").await.unwrap();
    expect(&mut last, &[("c", "")]).await;
}
