//! The pacer against a model of a pysig peer, over a link with delay: one thread receives, takes all that lies in its
//! socket for one message, and runs handlers that are slow, silent or not ready; another thread calls and waits for
//! the reply, for 10 seconds at most.

mod world;

use proptest::prelude::*;

use self::world::{End, Fate, GAP, PeerCall, World};
use super::*;

const LONG: u64 = 3_600_000;
const UNREAD: u64 = GAP * UNPROVEN as u64;

#[derive(Debug, Clone)]
enum Step {
    Call(Fate),
    /// The peer calls.
    PeerCalls(PeerCall),
    /// Drops the call that was added so many calls ago.
    Drop(u64),
}

fn fates() -> impl Strategy<Value = Fate> {
    let millis = |rare: u64| prop_oneof![12 => 0u64..20, 1 => 0..rare];
    let retry = prop_oneof![2 => Just(None), 1 => (0u64..1000).prop_map(Some)];
    let not_ready = prop_oneof![3 => Just(0u64), 1 => 0u64..60];
    (
        millis(35_000),
        millis(60_000),
        prop::bool::weighted(0.05),
        not_ready,
        retry,
    )
        .prop_map(|(unread, runs, swallowed, not_ready, retry)| Fate {
            unread,
            runs,
            swallowed,
            not_ready,
            retry,
        })
}

fn peer_calls() -> impl Strategy<Value = PeerCall> {
    (0u64..30, prop_oneof![9 => 0u64..3, 1 => 0u64..12_000], 0..UNREAD).prop_map(|(thinks, handled, unread)| PeerCall {
        thinks,
        handled,
        unread,
    })
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let pause = prop_oneof![6 => 0u64..5, 3 => 0u64..100, 1 => 0u64..30_000];
    let step = prop_oneof![
        5 => fates().prop_map(Step::Call),
        5 => peer_calls().prop_map(Step::PeerCalls),
        1 => (0u64..6).prop_map(Step::Drop),
    ];
    prop::collection::vec((pause, step), 1..60)
}

proptest! {
    #[test]
    fn no_document_that_matters_is_ever_merged(delay in 0u64..40, steps in steps()) {
        let mut world = World::new(delay);
        let (mut calls, mut replies) = (0, 0);
        for (pause, step) in steps {
            world.run(world.now + pause);
            match step {
                Step::Call(fate) => {
                    calls += 1;
                    world.call(fate);
                }
                Step::PeerCalls(call) => {
                    replies += 1;
                    world.peer_calls(call);
                }
                Step::Drop(ago) => world.drop_call(ago),
            }
        }
        world.run(world.now + LONG);

        prop_assert_eq!((world.pacer.len(), world.pacer.byte_len()), (0, 0), "stuck");
        world.replies_read.sort_unstable();
        prop_assert_eq!(world.replies_read, (1..=replies).collect::<Vec<_>>());
        prop_assert!(world.executed.is_sorted_by(|a, b| a < b), "order or repetition: {:?}", world.executed);
        for id in 1..=calls {
            let ran = world.executed.contains(&id);
            match world.ends.get(&id) {
                Some(End::Answered) => prop_assert!(ran),
                Some(End::NotReady) => prop_assert!(!ran),
                Some(End::GaveUp | End::Dropped) => {}
                None => prop_assert!(false, "call {} has no end", id),
            }
        }
    }
}
