//! The carrier that goes wrong on purpose.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod base;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use base::{Base, Bug, Net, Pipes};
use sig_conformance::{Fault, FaultyCarrier, Fixture, Probe, Raw, Seen, Traits, carrier_suite};
use sig_core::{Carrier, CarrierError, ClientId, PeerInfo, Reason};
use tokio::time::Instant;

/// Pipes whose ends are wrapped, with faults that no contract forbids, or none.
struct Wrapped {
    disturbed: bool,
}

impl Wrapped {
    fn wrap(&self, carrier: Arc<dyn Carrier>) -> Arc<dyn Carrier> {
        let faulty = FaultyCarrier::new(carrier, 3);
        Arc::new(match self.disturbed {
            true => faulty.split(0.5).delay(Duration::ZERO..Duration::from_micros(200)),
            false => faulty,
        })
    }
}

impl Fixture for Wrapped {
    type Address = Arc<Net>;

    fn listener(&self) -> (Arc<dyn Carrier>, Arc<Net>) {
        let (carrier, net) = Pipes(Bug::None).listener();
        (self.wrap(carrier), net)
    }

    fn dialler(&self, net: &Arc<Net>) -> Arc<dyn Carrier> {
        self.wrap(Pipes(Bug::None).dialler(net))
    }

    fn traits(&self) -> Traits {
        Pipes(Bug::None).traits().with_volume(500, 1 << 18)
    }

    async fn raw(&self, net: &Arc<Net>) -> Option<Raw> {
        Pipes(Bug::None).raw(net).await
    }
}

mod without_a_fault {
    use super::*;

    carrier_suite!(Wrapped { disturbed: false });
}

mod split_and_delayed {
    use super::*;

    carrier_suite!(Wrapped { disturbed: true });
}

/// A server, and a client whose carrier is wrapped.
struct Line {
    server: Probe,
    client: Probe,
    faulty: Arc<FaultyCarrier>,
    at_server: (ClientId, PeerInfo),
    at_client: (ClientId, PeerInfo),
}

impl Line {
    async fn new(faults: impl FnOnce(FaultyCarrier) -> FaultyCarrier) -> Self {
        let net = Arc::new(Net::default());
        let dialler = Arc::new(Base::dialler(Arc::clone(&net), Bug::None));
        let faulty = Arc::new(faults(FaultyCarrier::new(dialler, 42)));
        let mut server = Probe::start(Arc::new(Base::listener(net, Bug::None)));
        tokio::task::yield_now().await;
        let mut client = Probe::start(faulty.clone()).with_patience(Duration::from_secs(30));
        let at_client = client.connected().await.unwrap();
        let at_server = server.connected().await.unwrap();
        Self {
            server,
            client,
            faulty,
            at_server,
            at_client,
        }
    }

    async fn send_up(&self, number: u64) -> Result<(), CarrierError> {
        let event = [event(number)];
        self.client
            .try_send(self.at_client.0, &self.at_client.1, event)
            .await
            .unwrap()
    }

    async fn send_down(&self, number: u64) {
        self.server
            .send(self.at_server.0, &self.at_server.1, [number])
            .await
            .unwrap();
    }
}

fn event(number: u64) -> sig_core::EventMessage {
    sig_core::EventMessage {
        alias: 1,
        number,
        ext: Default::default(),
        payload: sig_core::Payload::null(),
    }
}

#[tokio::test(start_paused = true)]
async fn delays_take_virtual_time_and_keep_order() {
    let range = Duration::from_millis(100)..Duration::from_millis(200);
    let line = Line::new(|faulty| faulty.delay(range)).await;
    let start = Instant::now();
    line.send_up(0).await.unwrap();
    line.server.receive(0..1).await.unwrap();
    assert!(
        (100..200).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );

    let start = Instant::now();
    for number in 0..50 {
        line.send_down(number).await;
    }
    line.client.receive(0..50).await.unwrap();
    let all = start.elapsed().as_millis();
    assert!(
        (100..400).contains(&all),
        "side by side, not one after the other: {all} ms"
    );
    assert_eq!(line.faulty.faults().of(Fault::Delay), 51);
    line.faulty.assert_injected();
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_kept_in_both_directions() {
    let line = Line::new(|faulty| faulty.rate_limit(1_000)).await;
    // A small event has a frame of 18 bytes.
    let start = Instant::now();
    for number in 0..1_000 {
        line.send_up(number).await.unwrap();
    }
    line.server.receive(0..1_000).await.unwrap();
    assert!(
        (17_900..18_200).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );

    let start = Instant::now();
    for number in 0..500 {
        line.send_down(number).await;
    }
    line.client.receive(0..500).await.unwrap();
    assert!(
        (8_900..9_100).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
    line.faulty.assert_injected();
}

#[tokio::test]
async fn messages_are_lost_and_doubled_as_the_seed_says() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let line = Line::new(|faulty| faulty.lose(0.1).duplicate(0.1)).await;
        for number in 0..1_000 {
            line.send_up(number).await.unwrap();
        }
        line.faulty.heal();
        line.send_up(1_000).await.unwrap();
        let mut got = Vec::new();
        while got.last() != Some(&1_000) {
            got.push(line.server.event("an event").await.unwrap().1.number);
        }
        let faults = line.faulty.faults();
        let (lost, doubled) = (faults.of(Fault::Loss), faults.of(Fault::Duplicate));
        assert!((50..200).contains(&lost) && (50..200).contains(&doubled), "{faults}");
        assert_eq!(got.len() as u64, 1_001 + doubled - lost);
        assert!(got.is_sorted());
        line.faulty.assert_injected();
        runs.push(got);
    }
    assert_eq!(runs[0], runs[1], "the same seed gives the same faults");
}

#[tokio::test]
async fn a_cut_loses_what_is_under_way_and_the_dialler_comes_back() {
    let mut line = Line::new(|faulty| faulty.cut(0.05)).await;
    let mut links = 1;
    while line.faulty.faults().of(Fault::Cut) < 10 {
        let mut number = 0;
        let error = loop {
            match line.send_up(number).await {
                Ok(()) => number += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, CarrierError::Io(_)), "{error}");
        let (_, why) = line.client.disconnected("after a cut").await.unwrap();
        assert_eq!(why.reason, Reason::LinkLost);
        let mut expected = 0;
        loop {
            match line.server.next("the rest").await.unwrap() {
                Seen::Disconnected(..) => break,
                _message => expected += 1,
            }
        }
        assert!(expected <= number + 1, "{expected} of {number} arrived");
        let _good_order_or_not = line.client.ended().await.unwrap();
        line.client.run();
        line.at_client = line.client.connected().await.unwrap();
        line.at_server = line.server.connected().await.unwrap();
        links += 1;
    }
    assert!(links >= 10);
    line.faulty.assert_injected();
}

#[tokio::test]
async fn a_cut_by_hand_ends_every_link_at_once() {
    let mut line = Line::new(|faulty| faulty).await;
    assert_eq!(line.faulty.cut_now(), 1);
    assert_eq!(line.faulty.cut_now(), 0, "it is cut already");
    assert!(matches!(line.send_up(0).await, Err(CarrierError::UnknownClient(_))));
    assert_eq!(
        line.client.disconnected("a cut").await.unwrap().1.reason,
        Reason::LinkLost
    );
    line.server.disconnected("a cut").await.unwrap();
    line.client.ended().await.unwrap().unwrap();
    assert_eq!(line.faulty.links(), 0);
    line.faulty.assert_injected();
}

#[tokio::test(start_paused = true)]
async fn a_half_open_link_swallows_everything_even_its_end() {
    let mut line = Line::new(|faulty| faulty).await;
    line.faulty.set_half_open(true);
    line.send_up(0).await.unwrap();
    line.send_down(0).await;
    line.server.kick(line.at_server.0).unwrap();
    line.server.disconnected("a kick").await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(line.client.rest().unwrap().is_empty(), "nothing was heard, and no end");
    line.send_up(1).await.unwrap();

    // The router finds out by itself: it heard nothing for too long.
    line.client.kick(line.at_client.0).unwrap();
    assert_eq!(
        line.client.disconnected("a kick").await.unwrap().1.reason,
        Reason::Kicked
    );
    let _good_order_or_not = line.client.ended().await.unwrap();
    line.client.run();
    let error = line.client.ended().await.unwrap().unwrap_err();
    assert!(matches!(error, CarrierError::Timeout { .. }), "{error}");

    line.faulty.heal();
    line.client.run();
    line.client.connected().await.unwrap();
    assert_eq!(line.faulty.faults().of(Fault::HalfOpen), 3);
    line.faulty.assert_injected();
}

#[tokio::test]
async fn links_that_swallowed_something_do_not_outlive_the_hole() {
    let line = Line::new(|faulty| faulty).await;
    line.faulty.set_half_open(true);
    line.faulty.set_half_open(false);
    line.send_up(0).await.unwrap();
    line.server.receive(0..1).await.unwrap();

    line.faulty.set_half_open(true);
    line.send_up(1).await.unwrap();
    line.faulty.heal();
    assert_eq!(
        line.client.disconnected("a hole").await.unwrap().1.reason,
        Reason::LinkLost
    );
    line.server.disconnected("a hole").await.unwrap();
}

#[tokio::test]
async fn a_test_without_faults_fails() {
    let says = |faulty: FaultyCarrier, text: &str| {
        let panic = catch_unwind(AssertUnwindSafe(|| faulty.assert_injected())).unwrap_err();
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.contains(text), "{said}");
    };
    let faulty = || FaultyCarrier::new(Arc::new(Base::listener(Arc::default(), Bug::None)), 1);
    says(faulty(), "no fault was asked for");
    says(faulty().cut(0.1).lose(0.1), "of the kind loss, cut was injected");
    let by_hand = faulty();
    by_hand.cut_now();
    says(by_hand, "was there a link");
}
