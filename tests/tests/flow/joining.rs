//! Listeners come and go while events flow: the link's policy changes with them, and nobody's account does.

use std::time::Duration;

use sig_router::{ClientRouter, Listen, Policy, RemoteEventStream, Signal};
use sig_tests::rig::TcpServer;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::account::{Account, Stream};
use crate::virtually::{World, trigger_now};

const POLICIES: [Policy; 6] = [
    Policy::Rate(200.0),
    Policy::Latest,
    Policy::DropNewest(4),
    Policy::DropOldest(4),
    Policy::Block(Duration::from_secs(5)),
    Policy::Rate(20.0),
];

async fn listen(client: &ClientRouter, policy: Policy) -> RemoteEventStream {
    let wanted = Listen::to("s/e").unwrap().policy(policy);
    client.listen_remote(wanted).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn promise_6_the_policy_of_the_link_follows_its_listeners() {
    let world = World::new();
    let client = world.client();
    let sender = world.server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut rated = listen(&client, Policy::Rate(20.0)).await;
    let (mut account, mut sent) = (Account::default(), 0);
    for round in 0..5 {
        let skipped = || world.server.clients()[0].skipped;
        let second = async |sent: &mut u64| {
            for _ in 0..1000 {
                *sent += 1;
                trigger_now(&signal, *sent);
                sleep(Duration::from_millis(1)).await;
            }
        };
        // Alone it is spared on the link too.
        let before = skipped();
        second(&mut sent).await;
        let spared = skipped() - before;
        assert!(spared >= 975, "round {round}: {spared} of 1000 were left out");
        // Another one wants all, and gets all from then on; what was held back comes first.
        let mut all = listen(&client, Policy::default()).await;
        let before = skipped();
        let held = all.next().await.unwrap();
        assert_eq!(held.number(), sent);
        let mut everything = Account::after(sent);
        second(&mut sent).await;
        everything.hear(&mut all, 1000).await;
        assert_eq!((everything.received, everything.lost, skipped() - before), (1000, 0, 0));
        all.unlisten().await;
        sleep(Duration::from_millis(50)).await;
        account.hear(&mut rated, sent).await;
        assert_eq!((account.lost, account.last), (0, sent), "round {round}");
        let most = 20 * 2 * (round + 1) + 2;
        assert!(account.received <= most, "round {round}: {account:?}");
    }
}

/// Listens from beginning to end, and reads slowly now and then.
fn keep_hearing(mut stream: RemoteEventStream, mut sent: watch::Receiver<Option<u64>>) -> JoinHandle<Account> {
    tokio::spawn(async move {
        let mut account = Account::default();
        loop {
            let all = *sent.borrow();
            if all.is_some_and(|all| account.total() >= all) {
                assert_eq!(Some(account.total()), all, "{account:?}");
                return account;
            }
            tokio::select! {
                biased;
                delivery = stream.next() => drop(account.take(&delivery)),
                _ = sent.changed() => {}
            }
            if account.received % 64 == 0 {
                sleep(Duration::from_millis(2)).await;
            }
        }
    })
}

async fn churn(signal: &Signal, client: &ClientRouter, seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut others = Vec::new();
    let mut sent = 0;
    for _ in 0..400 {
        for _ in 0..random.u64(0..40) {
            signal.trigger(&sent).await.unwrap();
            sent += 1;
        }
        if random.bool() {
            tokio::task::yield_now().await;
        } else {
            sleep(Duration::from_millis(random.u64(0..4))).await;
        }
        if others.len() > 3 || (random.bool() && !others.is_empty()) {
            drop(others.swap_remove(random.usize(0..others.len())));
        } else {
            others.push(listen(client, POLICIES[random.usize(0..POLICIES.len())]).await);
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_whoever_joins_or_leaves_nothing_comes_twice_late_or_uncounted() {
    for (seed, policy) in (1..).zip(POLICIES) {
        let server = TcpServer::start();
        let (publisher, client) = (server.client(), server.client());
        let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
        let signal = sender.signal("e").unwrap();
        let (done, sent) = watch::channel(None);
        let hearing = keep_hearing(listen(&client, policy).await, sent);
        let all = churn(&signal, &client, seed).await;
        done.send_replace(Some(all));
        let account = hearing.await.unwrap();
        let blocks = matches!(policy, Policy::Block(_));
        assert!(!blocks || account.lost == 0, "{policy:?}, seed {seed}: {account:?}");
        // All but those that keep the first ones have the last one in any case.
        let has_last = account.last == all || matches!(policy, Policy::DropNewest(_));
        assert!(has_last, "{policy:?}, seed {seed}: {account:?}");
    }
}
