//! What is kept, sent and lost, by examples and against a model with random schedules.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::backlog::{Backlog, MAX_BYTES};
use super::flow::{Flow, Sent};
use crate::client::Offline;
use crate::session::Credit;

fn kept<T: Copy>(backlog: &Backlog<T>) -> Vec<T> {
    backlog.iter().copied().collect()
}

#[test]
fn promise_5_wait_keeps_nothing() {
    let mut backlog = Backlog::new(Offline::Wait);
    assert!(!backlog.keeps());
    assert_eq!(backlog.push(1, 10, 'a'), 1);
    assert!(backlog.is_empty());
}

#[test]
fn promise_5_latest_keeps_the_newest_of_each_event_in_the_order_of_the_triggers() {
    let mut backlog = Backlog::new(Offline::Latest);
    let lost: Vec<_> = [(1, 'a'), (2, 'b'), (1, 'c'), (3, 'd'), (1, 'e'), (2, 'f')]
        .map(|(event, item)| backlog.push(event, 10, item))
        .into();
    assert_eq!(lost, [0, 0, 1, 0, 1, 1]);
    assert_eq!(kept(&backlog), ['d', 'e', 'f']);
    backlog.pop();
    assert_eq!(backlog.front(), Some(&'e'));
    // What has gone is replaced by nothing.
    assert_eq!(backlog.push(3, 10, 'g'), 0);
    assert_eq!(kept(&backlog), ['e', 'f', 'g']);
}

#[test]
fn promise_5_buffer_keeps_the_last_ones_and_drops_the_oldest() {
    let mut backlog = Backlog::new(Offline::Buffer(3));
    let lost: Vec<_> = ('a'..='e').map(|item| backlog.push(1, 10, item)).collect();
    assert_eq!(lost, [0, 0, 0, 1, 1]);
    assert_eq!(kept(&backlog), ['c', 'd', 'e']);
    let mut none = Backlog::new(Offline::Buffer(0));
    assert_eq!((none.push(1, 10, 'a'), none.len()), (1, 0));
}

#[test]
fn promise_5_what_is_kept_is_bounded_in_bytes_and_one_event_fits_always() {
    for policy in [Offline::Latest, Offline::Buffer(usize::MAX)] {
        let mut backlog = Backlog::new(policy);
        assert_eq!(backlog.push(1, MAX_BYTES / 3, 'a'), 0);
        assert_eq!(backlog.push(2, MAX_BYTES / 3, 'b'), 0);
        assert_eq!(
            backlog.push(3, MAX_BYTES / 3, 'c'),
            1,
            "the rest of an event counts, too"
        );
        assert_eq!(kept(&backlog), ['b', 'c']);
        assert_eq!(backlog.push(4, usize::MAX, 'd'), 2);
        assert_eq!(kept(&backlog), ['d']);
        assert_eq!(backlog.push(5, 1, 'e'), 1);
        assert_eq!(kept(&backlog), ['e']);
        // Many small ones.
        let lost: u64 = (6..300_000).map(|event| backlog.push(event, 0, 'x')).sum();
        assert!(backlog.len() < 200_000, "{}", backlog.len());
        assert_eq!(lost + backlog.len() as u64, 300_000 - 6 + 1);
    }
}

#[test]
fn promise_1_what_a_link_does_not_take_is_counted() {
    let mut flow = Flow::new(Offline::Wait);
    assert!(flow.shuts_gate() && flow.waits_for_link());
    flow.offer(1, |()| unreachable!("there is no link"), || (1, 'a'));
    assert_eq!(flow.lost(), 1);
    flow.online((), Credit::new(10));
    assert!(!flow.shuts_gate());
    flow.offer(1, |()| Sent::Lost, || unreachable!("it was not for want of a link"));
    assert_eq!((flow.lost(), flow.shuts_gate()), (2, false));
    flow.offer(1, |()| Sent::Closed, || unreachable!("nothing is kept"));
    assert_eq!((flow.lost(), flow.waits_for_link()), (3, true), "as good as no link");
}

#[test]
fn promise_5_a_link_that_takes_nothing_any_more_costs_no_event_that_may_be_kept() {
    let mut flow = Flow::new(Offline::Buffer(10));
    flow.online((), Credit::new(10));
    flow.offer(1, |()| Sent::Closed, || (1, 'a'));
    assert_eq!((flow.lost(), flow.kept().len()), (0, 1));
    flow.online((), Credit::new(10));
    assert!(!flow.send_kept(|(), _| Sent::Closed));
    assert_eq!((flow.lost(), flow.kept().len()), (0, 1));
    assert!(!flow.shuts_gate() && flow.link().is_none());
    flow.online((), Credit::new(10));
    assert!(flow.send_kept(|(), item| {
        assert_eq!(*item, 'a');
        Sent::Cost(1)
    }));
    assert!(!flow.shuts_gate());
}

#[test]
fn promise_5_what_was_kept_goes_as_credit_comes_and_holds_up_newer_events() {
    let mut flow = Flow::new(Offline::Buffer(10));
    for item in 'a'..='d' {
        flow.offer(1, |()| unreachable!("there is no link"), || (1, item));
    }
    flow.online((), Credit::new(2));
    let mut sent = Vec::new();
    let mut send = |(): &mut (), item: &char| {
        sent.push(*item);
        Sent::Cost(1)
    };
    assert!(flow.shuts_gate());
    assert!(flow.send_kept(&mut send) && flow.send_kept(&mut send) && !flow.send_kept(&mut send));
    // One that was past the gate already.
    flow.offer(1, |()| unreachable!("others are first"), || (1, 'e'));
    flow.granted(4);
    assert!(flow.shuts_gate());
    assert!(flow.send_kept(&mut send) && flow.send_kept(&mut send) && !flow.send_kept(&mut send));
    flow.granted(6);
    assert!(flow.shuts_gate(), "there is credit, but one is left");
    assert!(flow.send_kept(&mut send) && !flow.send_kept(&mut send));
    assert!(!flow.shuts_gate());
    assert_eq!(sent, ['a', 'b', 'c', 'd', 'e']);
}

/// What happens to a sender.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// This event is triggered, with so much data.
    Trigger(u32, u8),
    /// The next event or two pass the gate whether it is shut or not: they had looked already.
    Late(u32),
    Online(u8),
    Offline,
    Grant(u8),
    /// So many of what was kept may go.
    Drain(u8),
    /// What the link says to the next one.
    Refuse,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_u32, any::<u8>()).prop_map(|(event, size)| Step::Trigger(event, size)),
        1 => (0..4_u32).prop_map(Step::Late),
        2 => any::<u8>().prop_map(Step::Online),
        1 => Just(Step::Offline),
        3 => any::<u8>().prop_map(Step::Grant),
        4 => any::<u8>().prop_map(Step::Drain),
        1 => Just(Step::Refuse),
        1 => Just(Step::Close),
    ]
}

fn policy() -> impl Strategy<Value = Offline> {
    prop_oneof![
        Just(Offline::Wait),
        Just(Offline::Latest),
        (0..6_usize).prop_map(Offline::Buffer)
    ]
}

/// A sender with its gate, and what the router got.
struct World {
    policy: Offline,
    flow: Flow<(), (u32, u64, u64)>,
    /// Grants of this link.
    granted: u64,
    spent: u64,
    /// Of each event.
    numbers: BTreeMap<u32, u64>,
    triggered: u64,
    /// In the order of their arrival: (event, number, which trigger it was).
    arrived: Vec<(u32, u64, u64)>,
    answers: VecDeque<Sent>,
}

impl World {
    fn new(policy: Offline) -> Self {
        Self {
            policy,
            flow: Flow::new(policy),
            granted: 0,
            spent: 0,
            numbers: BTreeMap::new(),
            triggered: 0,
            arrived: Vec::new(),
            answers: VecDeque::new(),
        }
    }

    fn trigger(&mut self, event: u32, size: u8) {
        self.triggered += 1;
        let number = self.numbers.entry(event).or_default();
        *number += 1;
        let item = (event, *number, self.triggered);
        let (arrived, answers, spent) = (&mut self.arrived, &mut self.answers, &mut self.spent);
        let send = |(): &mut ()| take(arrived, answers, spent, self.granted, item, size);
        self.flow.offer(event, send, || (usize::from(size), item));
    }

    fn drain(&mut self, most: u8) {
        for _ in 0..most {
            let (arrived, answers, spent) = (&mut self.arrived, &mut self.answers, &mut self.spent);
            let granted = self.granted;
            if !self
                .flow
                .send_kept(|(), item| take(arrived, answers, spent, granted, *item, 7))
            {
                break;
            }
        }
    }

    fn online(&mut self, credit: u8) {
        (self.granted, self.spent) = (credit.into(), 0);
        self.flow.online((), Credit::new(credit.into()));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Trigger(event, size) if !self.flow.shuts_gate() => self.trigger(event, size),
            Step::Trigger(..) => {}
            Step::Late(event) => self.trigger(event, 1),
            Step::Online(credit) => self.online(credit),
            Step::Offline => drop(self.flow.offline()),
            Step::Grant(more) => {
                self.granted += u64::from(more);
                self.flow.granted(self.granted);
            }
            Step::Drain(most) => self.drain(most),
            Step::Refuse => self.answers.push_back(Sent::Lost),
            Step::Close => self.answers.push_back(Sent::Closed),
        }
    }
}

/// The link takes an event, or says that it does not.
fn take(
    arrived: &mut Vec<(u32, u64, u64)>,
    answers: &mut VecDeque<Sent>,
    spent: &mut u64,
    granted: u64,
    item: (u32, u64, u64),
    size: u8,
) -> Sent {
    assert!(*spent < granted, "sent without credit");
    if let Some(answer) = answers.pop_front() {
        return answer;
    }
    *spent += u64::from(size);
    arrived.push(item);
    Sent::Cost(size.into())
}

proptest! {
    /// Whatever happens: nothing arrives twice, out of order or without credit; everything is sent, kept or counted;
    /// and with a link that grants enough nothing is kept and the gate is open.
    #[test]
    fn promise_1_and_5_nothing_is_reordered_repeated_or_lost_uncounted(
        policy in policy(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut world = World::new(policy);
        for step in steps {
            world.step(step);
            let kept = world.flow.kept();
            prop_assert_eq!(
                world.arrived.len() as u64 + world.flow.lost() + kept.len() as u64,
                world.triggered
            );
            match world.policy {
                Offline::Wait => prop_assert!(kept.is_empty()),
                Offline::Buffer(most) => prop_assert!(kept.len() <= most),
                Offline::Latest => {
                    for &(event, number, _) in kept.iter() {
                        prop_assert_eq!(number, world.numbers[&event], "the newest of each");
                    }
                }
            }
            let offline = world.flow.link().is_none();
            prop_assert_eq!(world.flow.waits_for_link(), offline && world.policy == Offline::Wait);
        }
        world.answers.clear();
        world.online(255);
        while !world.flow.kept().is_empty() {
            world.step(Step::Drain(255));
            world.step(Step::Grant(255));
        }
        prop_assert!(!world.flow.shuts_gate());
        let order: Vec<_> = world.arrived.iter().map(|(_, _, trigger)| *trigger).collect();
        prop_assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", order);
        prop_assert_eq!(order.len() as u64 + world.flow.lost(), world.triggered);
    }

    /// Exactly the last ones, or the newest of each, survive the time without a link.
    #[test]
    fn promise_5_exactly_what_the_policy_says_comes_after_the_reconnect(
        policy in policy(),
        events in prop::collection::vec(0..4_u32, 0..40),
    ) {
        let mut world = World::new(policy);
        for event in &events {
            world.step(Step::Late(*event));
        }
        world.online(255);
        world.drain(255);
        let wanted: Vec<u64> = match policy {
            Offline::Wait => Vec::new(),
            Offline::Buffer(most) => {
                let count = events.len();
                (count.saturating_sub(most)..count).map(|place| place as u64 + 1).collect()
            }
            Offline::Latest => {
                let is_last = |&place: &usize| !events[place + 1..].contains(&events[place]);
                (0..events.len()).filter(is_last).map(|place| place as u64 + 1).collect()
            }
        };
        let got: Vec<_> = world.arrived.iter().map(|(_, _, trigger)| *trigger).collect();
        prop_assert_eq!(got, wanted);
    }
}
