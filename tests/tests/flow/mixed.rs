//! Listeners of one client under different policies: one copy of each event is sent, under the least restrictive one,
//! and each listener has its own.

use std::time::Duration;

use sig_router::{ClientRouter, Listen, Policy, RemoteEventStream, Signal};
use tokio::time::interval;

use crate::account::Account;
use crate::virtually::{World, trigger_now};

const COUNT: u64 = 2000;

async fn listen(client: &ClientRouter, topic: &str, policy: Policy) -> RemoteEventStream {
    let wanted = Listen::to(topic).unwrap().policy(policy);
    client.listen_remote(wanted).await.unwrap()
}

async fn at_a_kilohertz(signal: &Signal) {
    let mut ticks = interval(Duration::from_millis(1));
    for n in 1..=COUNT {
        ticks.tick().await;
        trigger_now(signal, n);
    }
}

/// Hears all of them.
async fn hear(stream: &mut RemoteEventStream) -> Account {
    let mut account = Account::default();
    account.hear(stream, COUNT).await;
    account
}

#[tokio::test(start_paused = true)]
async fn promise_6_each_listener_of_a_client_has_its_own_policy() {
    let world = World::new();
    let client = world.client();
    let sender = world.server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    // Those that block and those that do not name the same event in different ways, too.
    let mut rated = listen(&client, "s/e", Policy::Rate(20.0)).await;
    let mut newest = listen(&client, "s/e", Policy::Latest).await;
    let mut last_ones = listen(&client, "s", Policy::DropOldest(5)).await;
    let mut first_ones = listen(&client, "s/e", Policy::DropNewest(5)).await;
    let mut all = listen(&client, "s", Policy::default()).await;
    let ((), all, rated) = tokio::join!(at_a_kilohertz(&signal), hear(&mut all), hear(&mut rated));
    let info = &world.server.clients()[0];
    assert_eq!((info.skipped, info.lost), (0, 0), "all of them are sent");
    assert_eq!((all.received, all.lost, all.skipped), (COUNT, 0, 0));
    assert!((40..=42).contains(&rated.received), "{rated:?}");
    assert_eq!(rated.lost, 0);

    let newest = hear(&mut newest).await;
    assert_eq!((newest.received, newest.skipped), (1, COUNT - 1));
    let last_ones = hear(&mut last_ones).await;
    assert_eq!(
        (last_ones.received, last_ones.lost, last_ones.last),
        (5, COUNT - 5, COUNT)
    );
    let first_ones = hear(&mut first_ones).await;
    assert_eq!(
        (first_ones.received, first_ones.lost, first_ones.last),
        (5, COUNT - 5, 5)
    );
}

#[tokio::test(start_paused = true)]
async fn promise_6_the_least_restrictive_one_is_that_of_the_link() {
    let world = World::new();
    let sender = world.server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let (slow, quick, blocking) = (world.client(), world.client(), world.client());
    let mut of_slow = [
        listen(&slow, "s/e", Policy::Rate(5.0)).await,
        listen(&slow, "s", Policy::Rate(50.0)).await,
    ];
    let mut of_quick = [
        listen(&quick, "s/e", Policy::Rate(5.0)).await,
        listen(&quick, "*", Policy::Latest).await,
    ];
    let mut of_blocking = [
        listen(&blocking, "s/e", Policy::Rate(5.0)).await,
        listen(&blocking, "s/e", Policy::default()).await,
    ];
    let triggering = at_a_kilohertz(&signal);
    let [a, b] = &mut of_slow;
    let [c, d] = &mut of_quick;
    let [e, f] = &mut of_blocking;
    let (_, a, b, c, d, e, f) = tokio::join!(triggering, hear(a), hear(b), hear(c), hear(d), hear(e), hear(f));
    for rated in [&a, &c, &e] {
        assert!((10..=12).contains(&rated.received), "{rated:?}");
    }
    assert!((100..=102).contains(&b.received), "{b:?}");
    // One that takes what comes gets all of it.
    assert_eq!((d.received, f.received), (COUNT, COUNT));
    for account in [a, b, c, d, e, f] {
        assert_eq!((account.lost, account.last), (0, COUNT));
    }
    let mut skipped: Vec<_> = world.server.clients().iter().map(|client| client.skipped).collect();
    skipped.sort_unstable();
    assert_eq!(skipped[..2], [0, 0]);
    assert!(skipped[2] >= COUNT - 102, "{skipped:?}");
}
