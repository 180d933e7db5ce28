//! How old a last value is, by a clock that stands still while anything can be done.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use sig_carrier_local::Local;
use sig_core::Carrier;
use sig_router::{ClientRouter, Event, RemoteEventStream, ServerRouter};
use sig_tests::counted::counted;
use sig_tests::rig::{connected, holds, impatient};
use tokio::time::{advance, sleep};

/// What travelling takes of virtual time, and what is rounded off on the way.
const ROUNDING: Duration = Duration::from_millis(50);

fn is_about(age: Duration, seconds: u64) -> bool {
    let expected = Duration::from_secs(seconds);
    age + Duration::from_millis(2) >= expected && age <= expected + ROUNDING
}

/// The one last value that waits, and its age; nothing else does.
async fn kept(stream: &mut RemoteEventStream) -> (u64, Duration) {
    let event = stream.recv().await.unwrap().unwrap();
    assert!(stream.recv().now_or_never().is_none());
    (event.number(), event.retained().expect("it is not live"))
}

/// Over two hops, and for those who come to a client that knows it already.
async fn ages(server: ServerRouter, publisher: ClientRouter, client: ClientRouter) {
    let sender = publisher.add_remote_sender("door").event("state").keep_last();
    let sender = sender.connect().await.unwrap();
    let signal = sender.signal("state").unwrap();
    for n in 1..=3 {
        signal.trigger(&n).await.unwrap();
    }
    sleep(Duration::from_millis(1)).await;

    advance(Duration::from_secs(30)).await;
    let mut first = client.listen_remote("door/state").await.unwrap();
    let (number, age) = kept(&mut first).await;
    assert!(number == 3 && is_about(age, 30), "{number}, {age:?}");

    advance(Duration::from_secs(20)).await;
    let mut second = client.listen_remote("door/state").await.unwrap();
    let (number, age) = kept(&mut second).await;
    assert!(number == 3 && is_about(age, 50), "{number}, {age:?}");

    advance(Duration::from_secs(10)).await;
    let told: Arc<Mutex<Vec<_>>> = Arc::default();
    let tell = Arc::clone(&told);
    let hear = move |event: &Event<'_>| tell.lock().unwrap().push((event.number(), event.retained()));
    let _function = client.add_remote_listener("door/state", hear).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    let heard = std::mem::take(&mut *told.lock().unwrap());
    assert!(
        matches!(heard[..], [(3, Some(age))] if is_about(age, 60)),
        "the function heard {heard:?}"
    );
    let last = client.last_remote("door", "state").await.unwrap().unwrap();
    assert!(is_about(last.retained().unwrap(), 60), "{last:?}");
    let mut here = server.listen("door/state").unwrap();
    let event = here.recv().await.unwrap().unwrap();
    assert!(is_about(event.retained().unwrap(), 60), "{event:?}");

    // Whoever had it is not given it again over the next link, however often that is cut. Who comes then is.
    for _ in 0..3 {
        let link = || {
            server
                .clients()
                .iter()
                .find(|info| info.senders == 0)
                .map(|info| info.id)
        };
        let former = link().unwrap();
        assert!(server.kick(former, "a test"));
        holds("a new link", || link().is_some_and(|link| link != former)).await;
        connected(&client).await;
        sleep(Duration::from_secs(1)).await;
    }
    assert!(first.recv().now_or_never().is_none() && second.recv().now_or_never().is_none());
    assert!(told.lock().unwrap().is_empty());
    let mut third = client.listen_remote("door").await.unwrap();
    let (number, age) = kept(&mut third).await;
    assert!(number == 3 && age >= Duration::from_secs(63), "{number}, {age:?}");
    assert!(first.recv().now_or_never().is_none(), "another topic brought it again");

    // What follows is live, for all of them.
    signal.trigger(&4).await.unwrap();
    for stream in [&mut first, &mut second, &mut third] {
        let event = stream.recv().await.unwrap().unwrap();
        assert_eq!((event.number(), event.retained(), event.lost()), (4, None, 0));
    }
}

fn client_over(carrier: Arc<dyn Carrier>) -> ClientRouter {
    ClientRouter::builder().reconnect(impatient()).connect(carrier).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_last_value_has_its_age_over_every_hop_and_comes_once() {
    let (server, hub) = (ServerRouter::new().unwrap(), Arc::new(Local::new()));
    server.attach(Arc::clone(&hub) as _);
    let [publisher, client] = [(); 2].map(|()| client_over(Arc::new(hub.dialer())));
    ages(server, publisher, client).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_where_it_travels_as_bytes() {
    let server = ServerRouter::new().unwrap();
    let clients = [(); 2].map(|()| {
        let (accepting, dialling, _) = counted();
        server.attach(Arc::new(accepting));
        client_over(Arc::new(dialling))
    });
    let [publisher, client] = clients;
    ages(server, publisher, client).await;
}
