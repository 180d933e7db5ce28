//! What is lost during a cut is reported, however many events there are.

use std::collections::BTreeMap;

use sig_router::{Event, Lagged, LinkState, Listen, Policy, ServerRouter};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{WAIT, becomes, client_of, holds, soon};

/// As many as a listener keeps in mind before it looks, for the second time, which of them are still there.
const EVENTS: usize = 2_048;

fn server() -> (ServerRouter, String) {
    let server = ServerRouter::new().unwrap();
    let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = listener.medium().local_addr().to_string();
    server.attach(std::sync::Arc::new(listener));
    (server, address)
}

fn names() -> Vec<String> {
    (0..EVENTS).map(|n| format!("e{n}")).collect()
}

/// Everything, and nothing is dropped for want of room.
fn all() -> Listen {
    Listen::to("*").unwrap().policy(Policy::DropOldest(10 * EVENTS))
}

/// What a listener received of each event of `many`, and was told to have lost.
struct Accounts(BTreeMap<String, u64>);

impl Accounts {
    fn new() -> Self {
        Self(names().into_iter().map(|name| (name, 0)).collect())
    }

    /// Takes from a listener until all events are accounted for up to this number.
    async fn until(&mut self, number: u64, mut next: impl AsyncFnMut() -> Option<Result<Event<'static>, Lagged>>) {
        while self.0.values().any(|account| *account < number) {
            match soon("all of them", next()).await.unwrap() {
                Ok(event) if event.sender().as_str() == "many" && !event.name().is_presence() => {
                    *self.0.get_mut(event.name().as_str()).unwrap() += 1;
                }
                Err(lagged) if lagged.sender().as_str() == "many" => {
                    *self.0.get_mut(lagged.name().as_str()).unwrap() += lagged.count();
                }
                _ => {}
            }
        }
        assert!(self.0.values().all(|account| *account == number), "{:?}", self.0);
    }
}

#[tokio::test]
async fn promise_1_an_event_that_comes_first_after_a_cut_hides_no_loss_of_the_others() {
    let (server, address) = server();
    let router = server.router();
    // Known to the router before the others, so that it is told first, and triggered only during the cut.
    let first = router.add_sender("first").event("x").connect().unwrap();
    let many = router.add_sender("many").events(names()).connect().unwrap();
    let signals: Vec<_> = names().iter().map(|name| many.signal(name).unwrap()).collect();
    let trigger_all = || signals.iter().for_each(|signal| signal.try_trigger(&1).unwrap());

    let proxy = Proxy::to(&address).await;
    let client = client_of(&proxy.address.to_string());
    client.ready(WAIT).await.unwrap();
    let mut stream = client.listen_remote(all()).await.unwrap();
    let mut accounts = Accounts::new();
    trigger_all();
    accounts.until(1, async || stream.recv().await).await;

    proxy.set(Cable::Cut);
    becomes(client.states(), |state| !matches!(state, LinkState::Connected)).await;
    first.signal("x").unwrap().try_trigger(&1).unwrap();
    trigger_all();
    proxy.set(Cable::Whole);
    becomes(client.states(), |state| matches!(state, LinkState::Connected)).await;
    accounts.until(2, async || stream.recv().await).await;
    trigger_all();
    accounts.until(3, async || stream.recv().await).await;
}

#[tokio::test]
async fn promise_1_what_a_sender_loses_during_a_cut_is_reported_whoever_came_meanwhile() {
    let (server, address) = server();
    let router = server.router();
    let proxy = Proxy::to(&address).await;
    let client = client_of(&proxy.address.to_string());
    client.ready(WAIT).await.unwrap();
    let many = client
        .add_remote_sender("many")
        .events(names())
        .connect()
        .await
        .unwrap();
    let signals: Vec<_> = names().iter().map(|name| many.signal(name).unwrap()).collect();
    let trigger_all = || signals.iter().for_each(|signal| signal.try_trigger(&1).unwrap());

    let listener = client_of(&address);
    let mut near = router.listen(all()).unwrap();
    let mut far = listener.listen_remote(all()).await.unwrap();
    let (mut near_accounts, mut far_accounts) = (Accounts::new(), Accounts::new());
    trigger_all();
    near_accounts.until(1, async || near.recv().await).await;
    far_accounts.until(1, async || far.recv().await).await;

    // What is under way is lost with the link.
    proxy.set(Cable::Silent);
    trigger_all();
    proxy.set(Cable::Cut);
    let is_there = || router.senders().iter().any(|sender| sender.name.as_str() == "many");
    holds("it is gone", || !is_there()).await;
    // So many others that a listener throws away what it knows of those that are no more.
    let crowd: Vec<_> = (0..2 * EVENTS).map(|n| format!("c{n}")).collect();
    let others = router.add_sender("others").events(&crowd).connect().unwrap();
    for name in &crowd {
        others.signal(name).unwrap().try_trigger(&1).unwrap();
    }
    let is_last = |event: &Event<'_>| event.name().as_str() == crowd.last().unwrap();
    while !soon("the others", near.recv())
        .await
        .unwrap()
        .is_ok_and(|event| is_last(&event))
    {}
    while !soon("the others", far.recv())
        .await
        .unwrap()
        .is_ok_and(|event| is_last(&event))
    {}

    proxy.set(Cable::Whole);
    becomes(client.states(), |state| matches!(state, LinkState::Connected)).await;
    holds("it is back", is_there).await;
    near_accounts.until(2, async || near.recv().await).await;
    far_accounts.until(2, async || far.recv().await).await;
    trigger_all();
    near_accounts.until(3, async || near.recv().await).await;
    far_accounts.until(3, async || far.recv().await).await;
}
