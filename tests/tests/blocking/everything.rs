//! All that a program without async code can do, over every medium.

use std::sync::mpsc;
use std::time::Duration;

use sig_router::blocking::{EventStream, GetError};
use sig_router::{
    AddSenderError, CarrierState, Confirm, Event, HandlerError, LinkState, ListenError, Presence, Request,
    RequestError, Router, SenderState, SignalError,
};
use sig_tests::rig::WAIT;

use crate::support::{Place, soon};

/// A whole life: programs that come, talk in both directions, and go.
fn life(place: &Place) {
    let server = &place.server;
    let mut arrivals = server.listen("#connect").unwrap();
    let client = place.client();
    client.ready(WAIT).unwrap();
    assert_eq!(client.state(), LinkState::Connected);
    assert_eq!(server.clients().len(), 1);
    assert!(format!("{client:?}").contains("Connected"));

    // From the server to the client: stream, function, request.
    let timer = server
        .add_sender("timer")
        .events(["tic", "#alarm"])
        .request("double", |request: Request| Ok(request.params::<i64>()? * 2))
        .default_request(|request: Request| Ok(format!("no {}", request.method())))
        .connect()
        .unwrap();
    let mut tics = client.listen_remote("timer/tic").unwrap();
    let (tell, told) = mpsc::sync_channel(10);
    let alarms = client
        .add_remote_listener("#alarm", move |event: &Event<'_>| {
            tell.send(event.decode::<String>().unwrap()).unwrap();
        })
        .unwrap();
    assert!(matches!(tics.try_get(), Ok(None)));
    let tic = timer.signal("tic").unwrap();
    assert_eq!((tic.sender().as_str(), tic.name().as_str()), ("timer", "tic"));
    for n in 1..=3 {
        tic.trigger(&n).unwrap();
    }
    timer.signal("#alarm").unwrap().try_trigger(&"fire").unwrap();
    let event = tics.get(WAIT).unwrap().expect("it was triggered");
    assert_eq!((event.number(), event.decode::<u64>().unwrap()), (1, 1));
    let rest: Vec<u64> = (&mut tics)
        .take(2)
        .map(|event| event.unwrap().decode().unwrap())
        .collect();
    assert_eq!(rest, [2, 3]);
    assert!(tics.is_empty());
    assert_eq!(told.recv_timeout(WAIT).unwrap(), "fire");
    let answer = client.remote_request("timer", "double", &21).wait().unwrap();
    assert_eq!(answer.parse::<i64>().unwrap(), 42);
    let answer = client.remote_request("timer", "sing", &()).wait().unwrap();
    assert_eq!(answer.parse::<String>().unwrap(), "no sing");
    let alarm = timer.signal("#alarm").unwrap();
    let confirmed = alarm.trigger_confirmed(&"again", Confirm::Delivered).wait().unwrap();
    assert_eq!((confirmed.delivered, confirmed.is_complete()), (1, true));
    assert_eq!(told.try_recv().unwrap(), "again", "it has returned");
    alarms.unlisten();
    tics.unlisten();

    // From the client to the server.
    let sender = client
        .add_remote_sender("boiler")
        .event("hot")
        .request("name", |_| Ok("boiler"))
        .request("fail", |_| Err::<(), _>(HandlerError::new("no").with_code("e1")))
        .connect()
        .unwrap();
    assert_eq!((sender.name().as_str(), sender.state()), ("boiler", SenderState::Live));
    let taken = client.add_remote_sender("boiler").event("hot").connect();
    assert!(matches!(taken, Err(AddSenderError::NameTaken { .. })), "{taken:?}");
    let arrived = |event: Event<'_>| event.sender().to_string();
    assert_eq!(arrived(arrivals.recv().unwrap().unwrap()), "timer");
    assert_eq!(arrived(arrivals.recv().unwrap().unwrap()), "boiler");
    let mut heard = server.listen("boiler").unwrap();
    sender.signal("hot").unwrap().trigger(&99.5).unwrap();
    assert_eq!(heard.get(WAIT).unwrap().unwrap().decode::<f64>().unwrap(), 99.5);
    let name = server.request("boiler", "name", &()).wait().unwrap();
    assert_eq!(name.parse::<String>().unwrap(), "boiler");
    let failed = server.request("boiler", "fail", &()).wait().unwrap_err();
    assert!(matches!(failed, RequestError::HandlerFailed { code: Some(code), .. } if code == "e1"));
    assert!(matches!(
        sender.signal("cold").unwrap_err(),
        SignalError::NoSuchEvent { .. }
    ));
    let known = client.list_remote_senders().unwrap();
    let is_known = |name: &str| {
        known
            .iter()
            .any(|info| info.name.as_ref().is_some_and(|known| known.as_str() == name))
    };
    assert!(is_known("boiler") && is_known("timer"), "{known:?}");
    assert!(!client.remote_version().unwrap().is_empty());
    let bad = client.listen_remote("no\nname/e").unwrap_err();
    assert!(matches!(bad, ListenError::Name(_)), "{bad:?}");

    // And away again.
    sender.remove();
    let left = heard.get(WAIT).unwrap().unwrap();
    assert_eq!(left.decode::<Presence>().unwrap().reason.as_deref(), Some("removed"));
    assert!(!client.remove_remote_sender("boiler").unwrap());
    let gone = client.remote_request("boiler", "name", &()).wait().unwrap_err();
    assert!(matches!(gone, RequestError::NoSuchSender { .. }), "{gone:?}");
    client.close(WAIT);
    assert_eq!(client.state(), LinkState::Closed);
    server.close(WAIT);
    assert!(heard.recv().is_none());
    assert!(matches!(heard.get(WAIT), Err(GetError::Closed)));
    assert!(matches!(heard.try_get(), Err(GetError::Closed)));
}

#[test]
fn everything_works_over_every_medium() {
    for place in Place::all() {
        println!("over {}", place.medium);
        soon("a whole life", move || life(&place));
    }
}

#[test]
fn a_client_starts_before_its_server_and_outlives_it() {
    let place = Place::local();
    let hub = std::sync::Arc::new(sig_carrier_local::Local::new());
    let client = sig_router::blocking::ClientRouter::connect(std::sync::Arc::new(hub.dialer())).unwrap();
    let listening = {
        let client = client.clone();
        crate::support::Doing::start("listening", move || client.listen_remote("s/e").unwrap())
    };
    assert!(listening.goes_on(Duration::from_millis(50)));
    let carrier = place.server.attach(hub.clone());
    assert_eq!(carrier.name(), "local");
    let mut stream = listening.end();
    let sender = place.server.add_sender("s").event("e").connect().unwrap();
    sender.signal("e").unwrap().trigger(&1).unwrap();
    assert!(stream.get(WAIT).unwrap().is_some());

    let mut states = client.states();
    assert_eq!(states.now(), LinkState::Connected);
    let mut carrier_states = carrier.states();
    carrier.stop();
    assert_eq!(carrier.state(), CarrierState::Stopped);
    assert!(
        carrier_states
            .wait_for(WAIT, |state| *state == CarrierState::Stopped)
            .is_some()
    );
    assert!(states.wait_for(WAIT, |state| *state != LinkState::Connected).is_some());
    place.server.attach(hub);
    assert!(states.wait_for(WAIT, |state| *state == LinkState::Connected).is_some());
    sender.signal("e").unwrap().trigger(&2).unwrap();
    let event = stream.get(WAIT).unwrap().unwrap();
    assert_eq!(event.decode::<u32>().unwrap(), 2);
}

#[test]
fn a_router_alone_and_a_plain_one() {
    let router = sig_router::blocking::Router::new().unwrap();
    let mut events = router.listen("s/e").unwrap();
    let sender = router
        .add_sender("s")
        .event("e")
        .request_async("later", |_| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok("done")
        })
        .connect()
        .unwrap();
    sender.signal("e").unwrap().trigger(&1).unwrap();
    assert_eq!(events.len(), 1);
    assert!(events.try_get().unwrap().is_some());
    let answer = router.request("s", "later", &()).wait().unwrap();
    assert_eq!(answer.parse::<String>().unwrap(), "done");
    assert!(sender.is_connected() && router.remove_sender("s"));
    assert!(!sender.remove());
    assert_eq!(router.senders().iter().filter(|info| info.connected).count(), 0);

    let plain = Router::new();
    let mut events = EventStream::from(plain.listen("s/e").unwrap());
    let sender = plain.add_sender("s").event("e").connect().unwrap();
    sender.signal("e").unwrap().blocking_trigger(&1).unwrap();
    assert!(events.get(WAIT).unwrap().is_some());
    drop((plain, sender));
    assert!(matches!(events.get(WAIT), Err(GetError::Closed)));
}
