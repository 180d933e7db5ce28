//! One frozen listener among ten, at 10 kHz, with `DropOldest`: nobody else notices.

use std::time::Duration;

use sig_router::{Listen, Policy, Router, Signal};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, client_of, connected, holds};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::account::{Account, Stream};

/// How many a listener may have waiting.
const KEPT: usize = 1000;

/// By how much the deepest queue of the others may differ from what it is without a frozen one among them.
const DEEPER: usize = 64;

fn listen() -> Listen {
    Listen::to("s/e").unwrap().policy(Policy::DropOldest(KEPT))
}

/// Ten a millisecond. A pause of the machine is not made up for: a burst would be the test's own doing.
async fn at_ten_kilohertz(signal: &Signal, count: u64, data: &str, mut each_tick: impl FnMut()) {
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 0..count {
        if n % 10 == 0 {
            each_tick();
            ticks.tick().await;
        }
        signal.trigger(&data.to_owned()).await.unwrap();
    }
}

/// Reads all of them; gives how many waited at most.
fn read(mut stream: impl Stream + Send + 'static, count: u64) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let (mut account, mut deepest) = (Account::default(), 0);
        while account.total() < count {
            deepest = deepest.max(stream.depth());
            let delivery = stream.next().await;
            account.take(&delivery);
        }
        assert_eq!((account.received, account.lost, account.skipped), (count, 0, 0));
        deepest
    })
}

async fn deepest_of(readers: Vec<JoinHandle<usize>>) -> usize {
    let mut deepest = 0;
    for reader in readers {
        deepest = deepest.max(reader.await.unwrap());
    }
    deepest
}

/// Ten streams of one program; gives the deepest queue of nine.
async fn in_one_program(frozen: bool) -> usize {
    const COUNT: u64 = 20_000;
    let router = Router::new();
    let sender = router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut tenth = router.listen(listen()).unwrap();
    let readers = (0..9).map(|_| read(router.listen(listen()).unwrap(), COUNT)).collect();
    let mut tenth_reader = None;
    if !frozen {
        tenth_reader = Some(read(tenth, COUNT));
        tenth = router.listen("nobody/e").unwrap();
    }
    let most = || assert!(tenth.len() <= KEPT, "{} wait", tenth.len());
    at_ten_kilohertz(&signal, COUNT, "x", most).await;
    let deepest = deepest_of(readers).await;
    match tenth_reader {
        Some(reader) => drop(reader.await.unwrap()),
        None => {
            let mut account = Account::default();
            account.hear(&mut tenth, COUNT).await;
            assert_eq!((account.received, account.last), (KEPT as u64, COUNT));
            let stats = tenth.stats();
            assert_eq!(
                (stats.received, stats.lost, stats.waiting),
                (KEPT as u64, account.lost, 0)
            );
        }
    }
    deepest
}

#[tokio::test]
async fn promise_6_a_frozen_stream_among_ten_costs_the_others_nothing() {
    let without = in_one_program(false).await;
    let with = in_one_program(true).await;
    assert!(with <= without + DEEPER, "{with} waited at most, {without} without it");
}

/// Ten clients over TCP; gives the deepest queue of nine, at the router and at the client.
async fn over_tcp(frozen: bool) -> (usize, usize) {
    const COUNT: u64 = 12_000;
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let publisher = server.client();
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let tenth_client = client_of(&proxy.address.to_string());
    let mut tenth = Some(tenth_client.listen_remote(listen()).await.unwrap());
    connected(&tenth_client).await;
    let (mut clients, mut readers) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let client = server.client();
        readers.push(read(client.listen_remote(listen()).await.unwrap(), COUNT));
        clients.push(client);
    }
    let mut tenth_reader = None;
    if frozen {
        proxy.set(Cable::Deaf);
    } else {
        tenth_reader = tenth.take().map(|tenth| read(tenth, COUNT));
    }
    let (mut waited, mut tick) = (0, 0);
    // What 4 KiB of events need in all the buffers of both ends of the proxy fits many times.
    let data = "x".repeat(4096);
    let most = || {
        tick += 1;
        if tick % 16 == 0 {
            let mut waiting: Vec<_> = server.router.clients().iter().map(|client| client.waiting).collect();
            waiting.sort_unstable();
            let worst = waiting.pop().unwrap();
            assert!(worst <= KEPT + 16, "{worst} wait at the router");
            waited = waited.max(*waiting.last().unwrap());
        }
    };
    at_ten_kilohertz(&signal, COUNT, &data, most).await;
    let deepest = deepest_of(readers).await;
    match tenth_reader {
        Some(reader) => drop(reader.await.unwrap()),
        None => {
            holds("the frozen one lags", || {
                server.router.clients().iter().any(|client| client.lost > 0)
            })
            .await;
            proxy.set(Cable::Whole);
            let mut account = Account::default();
            account.hear(&mut tenth.unwrap(), COUNT).await;
            assert!(account.lost > 0 && account.last == COUNT, "{account:?}");
        }
    }
    (waited, deepest)
}

#[tokio::test]
async fn promise_6_a_frozen_client_among_ten_costs_the_others_nothing() {
    let without = over_tcp(false).await;
    let with = over_tcp(true).await;
    assert!(
        with.0 <= without.0 + DEEPER,
        "at the router {with:?}, {without:?} without it"
    );
    assert!(
        with.1 <= without.1 + DEEPER,
        "at the clients {with:?}, {without:?} without it"
    );
}
