//! `Latest` over a link: a slow listener always gets the newest, and is told how many it did not.

use std::time::Duration;

use sig_router::{Listen, Policy};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, client_of, connected};
use tokio::time::sleep;

use crate::account::{Account, Stream};
use crate::virtually::{World, trigger_now};

fn listen(topic: &str) -> Listen {
    Listen::to(topic).unwrap().policy(Policy::Latest)
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_slow_listener_gets_the_newest_of_each_event() {
    let world = World::new();
    let (publisher, client) = (world.client(), world.client());
    let sender = publisher
        .add_remote_sender("s")
        .events(["a", "b"])
        .connect()
        .await
        .unwrap();
    let [a, b] = ["a", "b"].map(|event| sender.signal(event).unwrap());
    let mut stream = client.listen_remote(listen("s")).await.unwrap();
    let mut accounts = [Account::default(), Account::default()];
    let mut sent = 0;
    for _ in 0..50 {
        for _ in 0..30 {
            sent += 1;
            trigger_now(&a, sent);
            if sent % 2 == 0 {
                trigger_now(&b, sent);
            }
            // Long enough for both hops, which take no time.
            sleep(Duration::from_millis(1)).await;
        }
        for _ in 0..2 {
            let delivery = stream.next().await;
            let event = delivery.as_ref().unwrap();
            let kind = usize::from(event.name().as_str() == "b");
            assert_eq!(event.decode::<u64>().unwrap(), sent, "the newest");
            accounts[kind].take(&delivery);
        }
        assert!(stream.is_empty());
    }
    for (account, sent) in accounts.iter().zip([sent, sent / 2]) {
        assert_eq!(
            (account.total(), account.lost, account.received),
            (sent, 0, 50),
            "{account:?}"
        );
    }
}

/// The router itself leaves out what a client does not take, and its count travels.
#[tokio::test]
async fn promise_6_a_client_that_takes_nothing_gets_the_newest_when_it_does() {
    const COUNT: u64 = 6000;
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = client.listen_remote(listen("s/e")).await.unwrap();
    connected(&client).await;
    let (mut account, mut sent) = (Account::default(), 0);
    let data = "x".repeat(4096);
    for _ in 0..3 {
        proxy.set(Cable::Deaf);
        for n in 1..=COUNT {
            signal.try_trigger(&data).unwrap();
            if n % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        sent += COUNT;
        assert!(
            server.router.clients()[0].waiting <= 2,
            "one waits, and one may be under way"
        );
        proxy.set(Cable::Whole);
        account.hear(&mut stream, sent).await;
        assert_eq!((account.last, account.lost), (sent, 0));
    }
    assert!(server.router.clients()[0].skipped > 0, "the router left some out");
    assert_eq!(
        (stream.stats().received, stream.stats().skipped),
        (account.received, account.skipped)
    );
}
