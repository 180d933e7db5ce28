//! What is lost during a cut is reported, however many events there are.

use std::collections::BTreeMap;

use sig_router::{LinkState, Policy, ServerRouter};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{WAIT, becomes, client_of, soon};

/// As many as a listener keeps in mind before it looks, for the second time, which of them are still there.
const EVENTS: usize = 2_048;

#[tokio::test]
async fn promise_1_an_event_that_comes_first_after_a_cut_hides_no_loss_of_the_others() {
    let server = ServerRouter::new().unwrap();
    let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = listener.medium().local_addr().to_string();
    server.attach(std::sync::Arc::new(listener));
    let router = server.router();
    // Known to the router before the others, so that it is told first, and triggered only during the cut.
    let first = router.add_sender("first").event("x").connect().unwrap();
    let names: Vec<_> = (0..EVENTS).map(|n| format!("e{n}")).collect();
    let many = router.add_sender("many").events(&names).connect().unwrap();
    let signals: Vec<_> = names.iter().map(|name| many.signal(name).unwrap()).collect();
    let trigger_all = || signals.iter().for_each(|signal| signal.try_trigger(&1).unwrap());

    let proxy = Proxy::to(&address).await;
    let client = client_of(&proxy.address.to_string());
    client.ready(WAIT).await.unwrap();
    let wanted = sig_router::Listen::to("*")
        .unwrap()
        .policy(Policy::DropOldest(10 * EVENTS));
    let mut stream = client.listen_remote(wanted).await.unwrap();
    // What was received and reported of each, until all are accounted for up to this number.
    let mut accounts: BTreeMap<String, u64> = names.iter().map(|name| (name.clone(), 0)).collect();
    let mut until = async |number: u64| {
        while accounts.values().any(|account| *account < number) {
            match soon("all of them", stream.recv()).await.unwrap() {
                Ok(event) if event.sender().as_str() == "many" && !event.name().is_presence() => {
                    *accounts.get_mut(event.name().as_str()).unwrap() += 1;
                }
                Ok(_) => {}
                Err(lagged) if lagged.sender().as_str() == "many" => {
                    *accounts.get_mut(lagged.name().as_str()).unwrap() += lagged.count();
                }
                Err(_) => {}
            }
        }
        assert!(accounts.values().all(|account| *account == number), "{accounts:?}");
    };
    trigger_all();
    until(1).await;

    proxy.set(Cable::Cut);
    becomes(client.states(), |state| !matches!(state, LinkState::Connected)).await;
    first.signal("x").unwrap().try_trigger(&1).unwrap();
    trigger_all();
    proxy.set(Cable::Whole);
    becomes(client.states(), |state| matches!(state, LinkState::Connected)).await;
    until(2).await;
    trigger_all();
    until(3).await;
}
