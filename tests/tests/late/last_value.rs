//! An event that keeps its last value.

use std::time::Duration;

use futures::FutureExt as _;
use sig_router::{Event, Listen, Policy, Router};
use sig_tests::rig::{TcpServer, holds, soon};

use super::next;

#[test]
fn who_comes_after_a_hundred_values_gets_the_last_one_and_then_those_that_follow() {
    let router = Router::new();
    let door = router
        .add_sender("door")
        .event("state")
        .keep_last()
        .event("knock")
        .connect()
        .unwrap();
    let (state, knock) = (door.signal("state").unwrap(), door.signal("knock").unwrap());
    assert!(router.last("door", "state").is_none());
    for n in 1..=100 {
        state.try_trigger(&n).unwrap();
        knock.try_trigger(&n).unwrap();
    }
    let mut late = router.listen("door").unwrap();
    state.try_trigger(&101).unwrap();
    let first = late.recv().now_or_never().flatten().unwrap().unwrap();
    assert_eq!((first.name().as_str(), first.number()), ("state", 100));
    assert!(first.retained().is_some());
    let second = late.recv().now_or_never().flatten().unwrap().unwrap();
    assert_eq!((second.number(), second.retained()), (101, None));
    assert!(late.recv().now_or_never().is_none());

    let last = router.last("door", "state").unwrap();
    assert_eq!(last.decode::<i32>().unwrap(), 101);
    assert!(router.last("door", "knock").is_none() && router.last("nobody", "state").is_none());
    drop(door);
    assert!(router.last("door", "state").is_none(), "it ends with its sender");
    let mut later = router.listen("door/state").unwrap();
    assert!(later.recv().now_or_never().is_none());
}

#[test]
fn a_function_is_called_with_it_before_it_is_called_with_others() {
    let router = Router::new();
    let door = router.add_sender("door").event("state").keep_last().connect().unwrap();
    door.signal("state").unwrap().try_trigger(&"open").unwrap();
    let (heard, hear) = std::sync::mpsc::sync_channel(8);
    let _listener = router.add_listener("*", move |event: &Event<'_>| {
        heard
            .send((event.decode::<String>().unwrap(), event.retained().is_some()))
            .unwrap();
    });
    door.signal("state").unwrap().try_trigger(&"shut").unwrap();
    let heard: Vec<_> = hear.try_iter().collect();
    assert_eq!(heard, [("open".to_owned(), true), ("shut".to_owned(), false)]);
}

#[tokio::test]
async fn over_two_hops_it_comes_once_flagged_and_in_its_place() {
    let server = TcpServer::start();
    let (publisher, client) = (server.client(), server.client());
    let sender = publisher
        .add_remote_sender("door")
        .event("state")
        .keep_last()
        .connect()
        .await
        .unwrap();
    let signal = sender.signal("state").unwrap();
    for n in 1..=100 {
        signal.trigger(&n).await.unwrap();
    }
    holds("the router has the last one", || {
        server
            .router
            .last("door", "state")
            .is_some_and(|last| last.number() == 100)
    })
    .await;
    let mut first = client.listen_remote("door/state").await.unwrap();
    let event = next(&mut first).await;
    assert_eq!((event.number(), event.decode::<i32>().unwrap()), (100, 100));
    let age = event.retained().expect("it is not live");
    assert!(age < Duration::from_secs(20), "{age:?}");

    let last = client.last_remote("door", "state").await.unwrap().unwrap();
    assert_eq!((last.number(), last.decode::<i32>().unwrap()), (100, 100));
    assert!(last.retained().is_some() && client.last_remote("door", "knock").await.unwrap().is_none());

    // A second listener of the topic, and one of a wider one: each gets it once, and the first not again.
    let mut second = client
        .listen_remote(Listen::to("door/state").unwrap().policy(Policy::Latest))
        .await
        .unwrap();
    let mut wide = client.listen_remote("door").await.unwrap();
    signal.trigger(&101).await.unwrap();
    let live = next(&mut first).await;
    assert_eq!((live.number(), live.retained()), (101, None));
    for stream in [&mut second, &mut wide] {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&101) {
            let event = next(stream).await;
            assert_eq!(event.retained().is_some(), event.number() == 100);
            numbers.push(event.number());
        }
        assert!(numbers == [100, 101] || numbers == [101], "{numbers:?}");
    }
}

#[tokio::test]
async fn it_is_over_for_everybody_when_its_sender_leaves() {
    let server = TcpServer::start();
    let client = server.client();
    let door = server
        .router
        .add_sender("door")
        .event("state")
        .keep_last()
        .connect()
        .unwrap();
    door.signal("state").unwrap().trigger(&1).await.unwrap();
    let mut stream = client.listen_remote("door/state").await.unwrap();
    assert!(next(&mut stream).await.retained().is_some());
    drop(door);
    // Behind the news that it is over.
    let other = server.router.add_sender("other").event("e").connect().unwrap();
    let mut others = client.listen_remote("other/e").await.unwrap();
    other.signal("e").unwrap().trigger(&1).await.unwrap();
    next(&mut others).await;
    let mut late = client.listen_remote("door/state").await.unwrap();
    other.signal("e").unwrap().trigger(&2).await.unwrap();
    next(&mut others).await;
    assert!(late.is_empty(), "{:?}", soon("it", late.recv()).await);
}
