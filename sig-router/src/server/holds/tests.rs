use sig_core::{Payload, Topic};

use super::*;
use crate::Router;
use crate::policy::Policy;

const SECOND: Duration = Duration::from_secs(1);

/// A router with a sender `s`, and a client that listens to this topic.
struct Bench {
    router: Router,
    sender: crate::Sender,
    heard: Heard,
    holds: Holds,
    start: Instant,
}

fn bench(topic: &str) -> Bench {
    let router = Router::new();
    let sender = router.add_sender("s").event("e").event("#alarm").connect().unwrap();
    let mut heard = Heard::default();
    heard.add(&topic.parse().unwrap(), Policy::default());
    Bench {
        router,
        sender,
        heard,
        holds: Holds::default(),
        start: Instant::now(),
    }
}

impl Bench {
    fn at(&self, seconds: u32) -> Instant {
        self.start + SECOND * seconds
    }

    fn stall(&mut self, seconds: u32) {
        let now = self.at(seconds);
        let name = SenderName::new("s").unwrap();
        self.holds
            .hold(self.router.hub(), ClientId::next(), &self.heard, &name, now);
    }

    fn resume(&self, seconds: u32) {
        self.holds.let_go(&SenderName::new("s").unwrap(), self.at(seconds));
    }

    /// Whether the sender is held up at this time.
    fn is_held(&self, seconds: u32) -> bool {
        self.router.hub().stalls().relieve(self.at(seconds));
        !self.router.hub().sender("s").unwrap().gate.is_open()
    }

    fn pass_on(&self, events: usize, bytes: usize) {
        let signal = self.sender.signal("e").unwrap();
        let _stream = self.router.listen(("s", "e")).unwrap();
        for _ in 0..events {
            signal.try_trigger(&Payload::from_bytes(vec![0; bytes])).unwrap();
        }
    }
}

#[test]
fn promise_6_a_client_that_hears_nothing_holds_nobody_up() {
    for topic in ["t", "t/e", "#other", "#connect", "s/#connect"] {
        let mut bench = bench(topic);
        bench.stall(0);
        assert!(!bench.is_held(1), "{topic}");
    }
    for topic in ["*", "s", "s/e", "#alarm"] {
        let mut bench = bench(topic);
        bench.stall(0);
        assert!(bench.is_held(1), "{topic}");
    }
}

#[test]
fn promise_6_a_listener_that_drops_events_holds_nobody_up() {
    let mut bench = bench("t");
    bench.heard.add(&"s/e".parse().unwrap(), Policy::Latest);
    bench.stall(0);
    assert!(!bench.is_held(1));
}

#[test]
fn promise_6_with_its_last_listener_the_hold_goes() {
    let mut bench = bench("s/e");
    let topic: Topic = "s/e".parse().unwrap();
    bench.heard.add(&topic, Policy::Block(30 * SECOND));
    bench.stall(0);
    bench.heard.remove(&topic, Policy::default());
    bench.holds.check(&bench.heard, bench.at(1));
    assert!(bench.is_held(31), "the other listener has more patience");
    bench.heard.remove(&topic, Policy::Block(30 * SECOND));
    bench.holds.check(&bench.heard, bench.at(31));
    assert!(!bench.is_held(31));
}

#[test]
fn promise_6_a_client_that_only_says_so_has_its_time_once() {
    let mut bench = bench("s/e");
    bench.stall(0);
    assert!(bench.is_held(6));
    bench.stall(6);
    assert!(!bench.is_held(7), "saying so again gives no more time");
    for seconds in 8..20 {
        bench.resume(seconds);
        bench.stall(seconds);
        assert!(!bench.is_held(seconds), "in second {seconds}");
    }
}

#[test]
fn promise_6_short_stalls_add_up() {
    let mut bench = bench("s/e");
    for seconds in [0, 10, 20] {
        bench.stall(seconds);
        assert!(bench.is_held(seconds + 1));
        bench.resume(seconds + 2);
        assert!(!bench.is_held(seconds + 2));
    }
    bench.stall(30);
    assert!(bench.is_held(30));
    assert!(!bench.is_held(31), "one second was left");
}

#[test]
fn promise_6_a_slow_client_is_forgiven_when_the_sender_makes_progress() {
    for (events, bytes, forgiven) in [(256, 1, true), (250, 1, false), (8, 140_000, true), (4, 100_000, false)] {
        let mut bench = bench("s/e");
        bench.stall(0);
        assert!(!bench.is_held(7));
        bench.resume(8);
        bench.pass_on(events, bytes);
        bench.stall(9);
        assert_eq!(bench.is_held(15), forgiven, "{events} events of {bytes} bytes");
        assert!(!bench.is_held(16));
    }
}
