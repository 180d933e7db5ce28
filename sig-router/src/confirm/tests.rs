use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use proptest::prelude::*;
use sig_core::{Failure, Outcome, RawJson};
use sig_wire::Extension;

use super::*;
use crate::policy::Policy;

fn tally(wait: Wait) -> Arc<Tally> {
    Tally::new(wait, Instant::now() + Duration::from_secs(10))
}

fn block() -> Policy {
    Policy::default()
}

fn counts(accepted: u64, delivered: u64, lost: u64, pending: u64) -> Confirmation {
    Confirmation {
        accepted,
        delivered,
        lost,
        pending,
    }
}

#[test]
fn accepted_is_all_that_is_waited_for_or_not() {
    let accepted = tally(Wait::Accepted);
    assert!(accepted.receipt(block()).unwrap().accepted().is_none());
    assert_eq!(accepted.confirmation(), counts(1, 0, 0, 0));
    assert!(accepted.is_settled());

    let delivered = tally(Wait::Delivered);
    let receipt = delivered.receipt(block()).unwrap().accepted().unwrap();
    assert_eq!(delivered.confirmation(), counts(1, 0, 0, 1));
    assert!(delivered.settled().now_or_never().is_none());
    receipt.delivered();
    assert_eq!(delivered.confirmation(), counts(1, 1, 0, 0));
    assert!(delivered.settled().now_or_never().is_some());
}

#[test]
fn p63_pysig_waits_for_those_alone_who_hold_up_senders() {
    let tally = tally(Wait::Blocking);
    for policy in [
        Policy::DropOldest(1),
        Policy::DropNewest(1),
        Policy::Latest,
        Policy::Rate(1.0),
    ] {
        assert!(tally.receipt(policy).is_none(), "{policy:?}");
    }
    let receipt = tally.receipt(block()).and_then(Receipt::accepted);
    assert!(receipt.is_some() && !tally.is_settled());
}

#[test]
fn a_client_counts_as_one_until_it_answers() {
    let tally = tally(Wait::Delivered);
    let mut receipt = tally.receipt(block()).unwrap();
    receipt.note_accepted();
    receipt.note_accepted();
    assert_eq!(tally.confirmation(), counts(1, 0, 0, 1));
    let answer = RawJson::from_text(r#"{"accepted": 3, "delivered": 2, "pending": 1, "more": "to come"}"#).unwrap();
    receipt.take_answer(&Outcome::Done(answer));
    assert_eq!(tally.confirmation(), counts(3, 2, 0, 1));
    assert!(tally.is_settled(), "it will not answer again");
    assert!(!tally.confirmation().is_complete());
}

#[test]
fn a_client_that_fails_has_lost_it_and_of_one_that_does_not_tell_nothing_is_known() {
    for (outcome, expected) in [
        (Outcome::Failed(Failure::new("not_owner", "no")), counts(0, 0, 1, 0)),
        (Outcome::UnknownMethod, counts(0, 0, 1, 0)),
        (Outcome::Done(RawJson::null()), counts(1, 0, 0, 1)),
        (
            Outcome::Done(RawJson::from_text(r#"{"lost": -1}"#).unwrap()),
            counts(1, 0, 0, 1),
        ),
    ] {
        let tally = tally(Wait::Delivered);
        tally.receipt(block()).unwrap().take_answer(&outcome);
        assert_eq!(
            (tally.confirmation(), tally.is_settled()),
            (expected, true),
            "{outcome:?}"
        );
    }
}

#[test]
fn the_largest_answers_do_not_wrap() {
    let tally = tally(Wait::Delivered);
    for _ in 0..2 {
        let most = u64::MAX;
        tally.receipt(block()).unwrap().answered(counts(most, most, most, most));
    }
    drop(tally.receipt(block()));
    tally.receipt(block()).unwrap().delivered();
    let most = u64::MAX;
    assert_eq!(tally.confirmation(), counts(most, most, most, most));
}

#[test]
fn who_was_wanted_and_did_not_come_has_lost_it() {
    let tally = tally(Wait::Delivered);
    tally.lost_if_nobody_took_it();
    tally.lost_if_nobody_took_it();
    assert_eq!(tally.confirmation(), counts(0, 0, 1, 0));
    let one = self::tally(Wait::Delivered);
    let receipt = one.receipt(block());
    one.lost_if_nobody_took_it();
    assert_eq!(one.confirmation(), counts(0, 0, 0, 1));
    drop(receipt);
}

#[test]
fn a_question_is_the_same_at_the_other_end() {
    for wait in [Wait::Accepted, Wait::Delivered] {
        let sent = Ask::new(7, &tally(wait));
        let read = Ask::of(&sent.extension()).unwrap();
        assert_eq!((read.id, read.tally().wait()), (7, wait));
        let left = read.tally().deadline().saturating_duration_since(Instant::now());
        assert!(
            left > Duration::from_secs(9) && left < Duration::from_secs(10),
            "{left:?}"
        );
    }
    // pysig's peers are told what all others are.
    let of_pysig = Ask::new(7, &tally(Wait::Blocking)).extension();
    assert!(matches!(of_pysig, Extension::Confirm { wait: 1, .. }), "{of_pysig:?}");
    assert_eq!(Ask::of(&Extension::Hops(3)), None);
}

#[test]
fn a_peer_has_to_answer_before_nobody_waits_any_more() {
    let now = Instant::now();
    for (timeout, margin) in [(10_000, 250), (800, 100), (8, 1), (0, 0)] {
        let (timeout, margin) = (Duration::from_millis(timeout), Duration::from_millis(margin));
        assert_eq!(
            Tally::new(Wait::Delivered, now + timeout).time_for_peers(now),
            timeout - margin
        );
    }
}

#[derive(Debug, Clone)]
enum Step {
    Take,
    /// The receipt of this place among those that are out.
    Accept(usize),
    Deliver(usize),
    Drop(usize),
    Answer(usize, Confirmation),
}

fn step() -> impl Strategy<Value = Step> {
    let answer = (0_u64..4, 0_u64..4, 0_u64..4, 0_u64..4).prop_map(|(a, d, l, p)| counts(a, d, l, p));
    prop_oneof![
        4 => Just(Step::Take),
        3 => any::<usize>().prop_map(Step::Accept),
        2 => any::<usize>().prop_map(Step::Deliver),
        1 => any::<usize>().prop_map(Step::Drop),
        1 => (any::<usize>(), answer).prop_map(|(place, answer)| Step::Answer(place, answer)),
    ]
}

/// Takes out the receipt of a place, if any is out.
fn pick<T>(out: &mut Vec<T>, place: usize) -> Option<T> {
    let count = out.len();
    (count > 0).then(|| out.swap_remove(place % count))
}

proptest! {
    /// Against plain counts: everyone is in exactly one of delivered, lost and pending, at any time.
    #[test]
    fn everyone_is_counted_once(
        wait in prop_oneof![Just(Wait::Accepted), Just(Wait::Delivered), Just(Wait::Blocking)],
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let tally = tally(wait);
        // With each receipt whether its queue took the event.
        let mut out: Vec<(Receipt, bool)> = Vec::new();
        let (mut done, mut pending) = (Confirmation::default(), 0);
        for step in steps {
            match step {
                Step::Take => out.push((tally.receipt(block()).unwrap(), false)),
                Step::Accept(place) => {
                    let Some((receipt, was_accepted)) = pick(&mut out, place) else { continue };
                    match receipt.accepted() {
                        Some(receipt) => out.push((receipt, true)),
                        None => {
                            prop_assert!(wait == Wait::Accepted && !was_accepted);
                            done.accepted += 1;
                        }
                    }
                }
                Step::Deliver(place) => {
                    let Some((receipt, _)) = pick(&mut out, place) else { continue };
                    receipt.delivered();
                    (done.accepted, done.delivered) = (done.accepted + 1, done.delivered + 1);
                }
                Step::Drop(place) => {
                    let Some((receipt, was_accepted)) = pick(&mut out, place) else { continue };
                    drop(receipt);
                    done.accepted += u64::from(was_accepted);
                    done.lost += 1;
                }
                Step::Answer(place, answer) => {
                    let Some((receipt, _)) = pick(&mut out, place) else { continue };
                    receipt.answered(answer);
                    done.accepted += answer.accepted;
                    done.delivered += answer.delivered;
                    done.lost += answer.lost;
                    pending += answer.pending;
                }
            }
            let accepted = out.iter().filter(|(_, accepted)| *accepted).count() as u64;
            let expected = counts(
                done.accepted + accepted,
                done.delivered,
                done.lost,
                pending + out.len() as u64,
            );
            prop_assert_eq!(tally.confirmation(), expected);
            prop_assert_eq!(tally.is_settled(), out.is_empty());
            prop_assert_eq!(tally.settled().now_or_never().is_some(), out.is_empty());
        }
    }

    /// From many threads: whoever waits is woken when the last receipt is dealt with, and not before.
    #[test]
    fn who_waits_is_woken_by_the_last(threads in 1_usize..6, each in 1_usize..20) {
        let tally = tally(Wait::Delivered);
        let receipts: Vec<Vec<_>> = (0..threads)
            .map(|_| (0..each).map(|_| tally.receipt(block()).unwrap()).collect())
            .collect();
        std::thread::scope(|scope| {
            for receipts in receipts {
                scope.spawn(move || receipts.into_iter().for_each(Receipt::delivered));
            }
            futures::executor::block_on(tally.settled());
        });
        prop_assert_eq!(tally.confirmation().delivered, (threads * each) as u64);
    }
}
