//! Each policy by itself, and all of them at random against a simple model.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sig_core::SenderName;

use super::{Arriving, Backlog, Class, Pushed};
use crate::policy::Policy;

fn push(backlog: &mut Backlog<u64>, policy: Policy, alias: u32, number: u64) -> Pushed {
    push_at(backlog, policy, alias, number, Instant::now())
}

fn push_at(backlog: &mut Backlog<u64>, policy: Policy, alias: u32, number: u64, now: Instant) -> Pushed {
    let sender = SenderName::new("s").unwrap();
    let event = Arriving {
        alias,
        number,
        sender: &sender,
        skipped: 0,
        bytes: 10,
        class: Class::Event { policy, listener: 1 },
    };
    let Ok(pushed) = backlog.push(&event, now, |_| Ok::<_, Infallible>(number));
    pushed
}

fn presence(backlog: &mut Backlog<u64>, sender: &str, connects: bool, number: u64) {
    let event = Arriving {
        alias: 99,
        number,
        sender: &SenderName::new(sender).unwrap(),
        skipped: 0,
        bytes: 10,
        class: Class::Presence { connects },
    };
    let Ok(_) = backlog.push(&event, Instant::now(), |_| Ok::<_, Infallible>(number));
}

fn drain(backlog: &mut Backlog<u64>) -> Vec<(u32, u64, u64)> {
    std::iter::from_fn(|| backlog.pop())
        .map(|entry| (entry.alias, entry.item, entry.skipped))
        .collect()
}

#[test]
fn drop_oldest_keeps_the_newest() {
    let mut backlog = Backlog::default();
    let lost: u64 = (1..=10)
        .map(|n| push(&mut backlog, Policy::DropOldest(3), 1, n).lost())
        .sum();
    assert_eq!((lost, backlog.len()), (7, 3));
    assert_eq!(drain(&mut backlog), [(1, 8, 0), (1, 9, 0), (1, 10, 0)]);
}

#[test]
fn drop_newest_keeps_the_first() {
    let mut backlog = Backlog::default();
    let lost: u64 = (1..=10)
        .map(|n| push(&mut backlog, Policy::DropNewest(3), 1, n).lost())
        .sum();
    assert_eq!(lost, 7);
    assert_eq!(drain(&mut backlog), [(1, 1, 0), (1, 2, 0), (1, 3, 0)]);
    assert!(push(&mut backlog, Policy::DropNewest(3), 1, 11).stored);
}

#[test]
fn latest_keeps_one_of_each_kind_and_says_how_many_it_left_out() {
    let mut backlog = Backlog::default();
    for n in 1..=5 {
        push(&mut backlog, Policy::Latest, 1, n);
        push(&mut backlog, Policy::Latest, 2, n);
    }
    assert_eq!(drain(&mut backlog), [(1, 5, 4), (2, 5, 4)]);
    push(&mut backlog, Policy::Latest, 1, 6);
    assert_eq!(drain(&mut backlog), [(1, 6, 0)]);
}

#[test]
fn rate_keeps_the_beat_and_the_last_one_comes() {
    let (mut backlog, start) = (Backlog::default(), Instant::now());
    let mut came = Vec::new();
    for ms in 0..1000 {
        let now = start + Duration::from_millis(ms);
        push_at(&mut backlog, Policy::Rate(20.0), 1, ms, now);
        backlog.ripen(now);
        came.extend(drain(&mut backlog));
    }
    assert_eq!(came.len(), 20);
    assert_eq!(came.iter().map(|(_, _, skipped)| skipped + 1).sum::<u64>() + 49, 1000);
    assert!(backlog.holds(1) && backlog.is_empty() && backlog.len() == 1);
    let due = backlog.next_due().unwrap();
    assert_eq!(due, start + Duration::from_secs(1));
    backlog.ripen(due);
    assert_eq!(drain(&mut backlog), [(1, 999, 48)]);
    assert_eq!(backlog.next_due(), None);
}

#[test]
fn what_is_held_back_comes_before_its_sender_leaves() {
    let mut backlog = Backlog::default();
    push(&mut backlog, Policy::Rate(1.0), 1, 1);
    push(&mut backlog, Policy::Rate(1.0), 1, 2);
    presence(&mut backlog, "s", false, 3);
    assert_eq!(drain(&mut backlog), [(1, 1, 0), (1, 2, 0), (99, 3, 0)]);
}

/// Presence that waits: its kind, `+` or `-`, and its number.
fn presence_of(backlog: &mut Backlog<u64>) -> Vec<(char, u64)> {
    let sign = |class| match class {
        Class::Presence { connects: true } => '+',
        Class::Presence { connects: false } => '-',
        Class::Event { .. } | Class::Notice => 'e',
    };
    let entries = std::iter::from_fn(|| backlog.pop());
    let all = entries.map(|entry| (sign(entry.class), entry.item));
    all.filter(|(sign, _)| *sign != 'e').collect()
}

#[test]
fn promise_3_every_change_is_told_in_its_place_while_little_waits() {
    let mut backlog = Backlog::default();
    (0..100).for_each(|n| presence(&mut backlog, "s", n % 2 == 0, n));
    assert_eq!(presence_of(&mut backlog).len(), 100);
}

#[test]
fn promise_3_where_much_waits_a_pair_of_presence_does_at_most_and_ends_in_the_truth() {
    for (begins_connected, ends_connected) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut backlog = Backlog::default();
        (0..256).for_each(|n| presence(&mut backlog, &format!("early {n}"), true, n));
        // The listener knows how it begins.
        let first = u64::from(begins_connected);
        let last = 1000 + u64::from(!ends_connected);
        for n in first..=last {
            presence(&mut backlog, "s", n % 2 == 0, n);
            presence(&mut backlog, "other", n % 2 == 0, n);
        }
        assert!(backlog.len() <= 260);
        let told: Vec<_> = presence_of(&mut backlog).into_iter().skip(256).step_by(2).collect();
        let signs: String = told.iter().map(|(sign, _)| *sign).collect();
        let expected = match (begins_connected, ends_connected) {
            (false, true) => "+",
            (false, false) => "+-",
            (true, false) => "-",
            (true, true) => "-+",
        };
        assert_eq!((signs.as_str(), told.last().unwrap().1), (expected, last));
    }
}

#[test]
fn what_is_dropped_behind_one_that_stays_takes_no_memory() {
    let mut backlog = Backlog::default();
    push(&mut backlog, Policy::default(), 1, 0);
    for n in 1..100_000 {
        push(&mut backlog, Policy::DropOldest(2), 2, n);
        push(&mut backlog, Policy::Latest, 3, n);
    }
    assert!(backlog.entries.len() < 100 && backlog.droppable == 30);
    let left = [(1, 0, 0), (2, 99_998, 0), (2, 99_999, 0), (3, 99_999, 99_998)];
    assert_eq!(drain(&mut backlog), left);
    assert!(backlog.kept.is_empty() && backlog.newest.is_empty() && backlog.droppable == 0);
}

fn policies() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::default()),
        Just(Policy::DropOldest(3)),
        Just(Policy::DropNewest(3)),
        Just(Policy::Latest),
        Just(Policy::Rate(100.0)),
    ]
}

#[test]
fn what_came_under_other_terms_stays_in_front() {
    let now = Instant::now();
    let mut backlog = Backlog::default();
    for (number, policy) in (1..).zip([Policy::Rate(1.0), Policy::Rate(1.0), Policy::default()]) {
        push_at(&mut backlog, policy, 1, number, now);
    }
    assert_eq!(drain(&mut backlog), [(1, 1, 0), (1, 2, 0), (1, 3, 0)]);
    assert_eq!(backlog.next_due(), None);
    // Nor is a newest one replaced, behind which others came.
    for (number, policy) in (1..).zip([Policy::Latest, Policy::DropOldest(5), Policy::Latest, Policy::Latest]) {
        push_at(&mut backlog, policy, 2, number, now);
    }
    assert_eq!(drain(&mut backlog), [(2, 1, 0), (2, 2, 0), (2, 4, 1)]);
}

#[test]
fn what_is_said_of_an_event_comes_behind_those_it_is_said_of() {
    let now = Instant::now();
    let mut backlog = Backlog::default();
    for number in 1..=3 {
        push_at(&mut backlog, Policy::Rate(1.0), 1, number, now);
        push_at(&mut backlog, Policy::Latest, 2, number, now);
    }
    for alias in [1, 2] {
        backlog.settle(alias);
    }
    backlog.push_notice(0);
    push_at(&mut backlog, Policy::Rate(1.0), 1, 4, now);
    push_at(&mut backlog, Policy::Latest, 2, 4, now);
    assert_eq!(
        drain(&mut backlog),
        [(1, 1, 0), (2, 3, 2), (1, 3, 1), (0, 0, 0), (2, 4, 0)]
    );
}

#[test]
fn kinds_that_do_not_come_any_more_take_no_memory() {
    let (mut backlog, mut now) = (Backlog::default(), Instant::now());
    for alias in 0..100_000 {
        now += Duration::from_millis(5);
        push_at(&mut backlog, Policy::Rate(100.0), alias, 1, now);
        backlog.pop();
    }
    assert!(backlog.rated.capacity() < 1000, "{}", backlog.rated.capacity());
}

proptest! {
    /// Events of five kinds, each under its own policy, which may change, in one queue, and notices of where they are:
    /// the numbers of each rise, all are accounted for, and none is said to be left out that came or was told of.
    #[test]
    fn promise_6_whatever_comes_is_taken_lost_or_left_out(
        mut policies in prop::collection::vec(policies(), 5),
        steps in prop::collection::vec((0_u8..20, 0_u64..20, policies()), 1..400),
    ) {
        let (mut backlog, mut now) = (Backlog::<(usize, u64)>::default(), Instant::now());
        let sender = SenderName::new("s").unwrap();
        let mut numbers = [0_u64; 5];
        let (mut lost, mut taken) = ([0_u64; 5], [0_u64; 5]);
        let mut last = [0_u64; 5];
        let take = |entry: super::Entry<(usize, u64)>, last: &mut [u64; 5], taken: &mut [u64; 5]| {
            let (kind, number) = entry.item;
            let before = std::mem::replace(&mut last[kind], number);
            if entry.class == Class::Notice {
                return number >= before;
            }
            taken[kind] += 1 + entry.skipped;
            number > before + entry.skipped
        };
        for (step, ms, policy) in steps {
            now += Duration::from_millis(ms);
            let kind = usize::from(step % 5);
            match step {
                0..10 => {
                    numbers[kind] += 1;
                    let (alias, number) = (kind as u32, numbers[kind]);
                    let event = Arriving {
                        alias,
                        number,
                        sender: &sender,
                        skipped: 0,
                        bytes: 1,
                        class: Class::Event { policy: policies[kind], listener: alias.into() },
                    };
                    let Ok(pushed) = backlog.push(&event, now, |_| Ok::<_, Infallible>((kind, number)));
                    lost[kind] += pushed.lost();
                }
                10..12 => policies[kind] = policy,
                12 => {
                    backlog.settle(kind as u32);
                    backlog.push_notice((kind, numbers[kind]));
                }
                13..15 => backlog.ripen(now),
                _ => {
                    if let Some(entry) = backlog.pop() {
                        prop_assert!(take(entry, &mut last, &mut taken));
                    }
                }
            }
        }
        let waiting = backlog.len();
        let rest = backlog.drain();
        prop_assert_eq!(rest.len(), waiting);
        for entry in rest {
            prop_assert!(take(entry, &mut last, &mut taken));
        }
        for kind in 0..5 {
            prop_assert_eq!(taken[kind] + lost[kind], numbers[kind]);
        }
        prop_assert!(backlog.droppable == 0 && backlog.live == 0);
    }
}
