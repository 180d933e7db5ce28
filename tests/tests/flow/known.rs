//! A listener that hears thousands of events loses count of none of them.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use sig_router::{EventStream, Listen, Policy, Router, Sender};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, client_of, connected, disconnected, soon};

use crate::account::{Account, Delivery};

/// More than a listener keeps count of before it looks which of them are no more.
const OTHERS: usize = 1500;

/// What it got of each event.
#[derive(Default)]
struct Accounts(BTreeMap<(String, String), Account>);

impl Accounts {
    fn take(&mut self, delivery: &Delivery) {
        let (sender, event) = match delivery {
            Ok(event) if event.name().is_presence() => return,
            Ok(event) => (event.sender(), event.name()),
            Err(lagged) => (lagged.sender(), lagged.name()),
        };
        let kind = (sender.to_string(), event.to_string());
        self.0.entry(kind).or_default().take(delivery);
    }

    /// Takes what there is.
    fn take_all(&mut self, stream: &mut EventStream) {
        while let Some(delivery) = stream.recv().now_or_never() {
            self.take(&delivery.unwrap());
        }
    }

    fn of(&self, sender: &str, event: &str) -> Account {
        let kind = (sender.to_owned(), event.to_owned());
        self.0.get(&kind).cloned().unwrap_or_default()
    }
}

/// A sender with one event, triggered so often.
fn visit(router: &Router, name: &str, times: u64) -> Sender {
    let sender = router.add_sender(name).event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    (0..times).for_each(|n| signal.try_trigger(&n).unwrap());
    sender
}

#[test]
fn promise_1_losses_of_senders_that_left_are_told_however_many_came_since() {
    let router = Router::new();
    let listen = Listen::to("*").unwrap().policy(Policy::DropNewest(1));
    let mut stream = router.listen(listen).unwrap();
    let names: Vec<_> = (0..OTHERS).map(|n| format!("s{n}")).collect();
    // Nothing but the very first event has room.
    names.iter().for_each(|name| drop(visit(&router, name, 3)));
    let mut accounts = Accounts::default();
    accounts.take_all(&mut stream);
    for name in &names {
        let account = accounts.of(name, "e");
        assert_eq!(account.total(), 3, "{name}: {account:?}");
    }
}

#[test]
fn promise_1_a_sender_that_comes_again_is_not_taken_for_one_that_lost_events() {
    let router = Router::new();
    let mut stream = router.listen("*").unwrap();
    // What it triggered before it left still waits when it is known anew.
    for _ in 0..3 {
        drop(visit(&router, "s", 2));
    }
    let mut numbers = Vec::new();
    while let Some(Some(delivery)) = stream.recv().now_or_never() {
        let event = delivery.expect("nothing was lost");
        if !event.name().is_presence() {
            numbers.push(event.number());
        }
    }
    assert_eq!(numbers, [1, 2, 1, 2, 1, 2]);
}

#[tokio::test]
async fn promise_1_what_a_cut_takes_is_told_though_thousands_of_other_events_came() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let mut stream = client.listen_remote("*").await.unwrap();
    connected(&client).await;
    let events: Vec<_> = (0..OTHERS).map(|n| format!("e{n}")).collect();
    let sender = server.router.add_sender("s").event("first");
    let sender = sender.events(events.iter().map(String::as_str)).connect().unwrap();
    let first = sender.signal("first").unwrap();
    let mut accounts = Accounts::default();
    first.trigger(&()).await.unwrap();
    for event in &events {
        sender.signal(event).unwrap().trigger(&()).await.unwrap();
    }
    let last = events.last().unwrap();
    while accounts.of("s", last).total() < 1 {
        accounts.take(&soon("an event", stream.recv()).await.unwrap());
    }
    proxy.set(Cable::Cut);
    disconnected(&client).await;
    for _ in 0..3 {
        first.trigger(&()).await.unwrap();
    }
    proxy.set(Cable::Whole);
    connected(&client).await;
    first.trigger(&()).await.unwrap();
    while accounts.of("s", "first").total() < 5 {
        accounts.take(&soon("an event", stream.recv()).await.unwrap());
    }
    let account = accounts.of("s", "first");
    assert_eq!((account.received, account.lost), (2, 3), "{account:?}");
}
