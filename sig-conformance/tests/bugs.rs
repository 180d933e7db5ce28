//! Carriers with one bug each: the case whose promise they break names the bug.

mod base;

use std::sync::Arc;

use base::{Bug, Net, Pipes};
use sig_conformance::{Fixture, Outcome, Traits, carrier_suite, check};
use sig_core::Carrier;

/// The same carrier without a bug keeps every promise.
mod without_a_bug {
    use super::*;

    carrier_suite!(Pipes(Bug::None));
}

/// A line between two points, on which a peer can vanish without a sign and which has no bytes to write.
struct Line;

impl Fixture for Line {
    type Address = Arc<Net>;

    fn listener(&self) -> (Arc<dyn Carrier>, Arc<Net>) {
        Pipes(Bug::None).listener()
    }

    fn dialler(&self, net: &Arc<Net>) -> Arc<dyn Carrier> {
        Pipes(Bug::None).dialler(net)
    }

    fn traits(&self) -> Traits {
        let traits = Traits::default().with_peers(1).without_notice_of_loss();
        traits.with_volume(1_000, 1 << 18)
    }
}

mod between_two_points {
    use super::*;

    carrier_suite!(Line);
}

#[test]
fn what_does_not_apply_says_so() {
    for case in ["kick_spares_the_neighbour", "peer_lost", "message_in_pieces"] {
        let outcome = check(case, || Line).expect("the carrier has no bug");
        assert!(
            matches!(outcome, Outcome::NotApplicable(why) if !why.is_empty()),
            "{case}: {outcome:?}"
        );
    }
    assert_eq!(check("order", || Line), Ok(Outcome::Kept));
}

/// This case finds the bug, and says all of this.
#[track_caller]
fn caught(bug: Bug, case: &'static str, says: &[&str]) {
    let broken = match check(case, || Pipes(bug)) {
        Err(broken) => broken,
        Ok(outcome) => panic!("{bug:?} was not caught by {case}: {outcome:?}"),
    };
    assert_eq!(broken.case, case);
    let text = broken.to_string();
    for words in says {
        assert!(
            text.contains(words),
            "{bug:?} was caught, but \"{words}\" is not said in:\n{text}"
        );
    }
}

macro_rules! bugs {
    ($($test:ident: $bug:ident in $case:ident says $($words:literal),+;)*) => {
        $(
            #[test]
            fn $test() {
                caught(Bug::$bug, stringify!($case), &[$($words),+]);
            }
        )*
    };
}

bugs! {
    a_lost_close: LostClose in goodbye_of_the_dialler
        says "in vain for handle_client_disconnected";
    a_duplicate_connect: DuplicateConnect in announced_once
        says "one link is announced once";
    a_reordered_batch: ReorderedBatch in order
        says "the order changed on the way";
    a_swallowed_first_message: SwallowedFirst in first_message
        says "on the way to the listener", "the first, was lost";
    a_reader_that_waits_for_the_writer: ReadsOrWrites in mutual_echo
        says "has to read while it writes";
    a_writer_that_is_registered_too_late: WriterTooLate in first_message
        says "register the writer first";
    a_task_that_outlives_the_run: LeakOnShutdown in stop_in_time
        says "tasks that it spawned still run";
    a_task_without_an_owner: BareSpawn in stop_in_time
        says "spawn with Uplink::spawn";
    a_split_frame: SplitFrame in message_in_pieces
        says "came byte by byte";
    a_duplicated_message: DuplicatedMessage in no_loss_or_duplicates
        says "came twice";
    a_kick_that_hangs: HangingClose in kick
        says "close_client did not return";
    a_kick_that_closes_the_neighbour: ClosesNeighbour in kick_spares_the_neighbour
        says "neighbour";
    an_error_that_is_ignored: IgnoresErrors in error_from_handle_rx
        says "handle_rx failed", "let go of the client";
    a_run_that_never_returns: NeverReturns in stop_without_clients
        says "run did not return", "told to stop";
    a_tail_that_is_lost: WriteBehind in stop_flushes
        says "what it had taken was lost";
    a_queue_without_a_bound: WriteBehind in slow_reader_is_isolated
        says "it has to wait, or memory ends";
    a_message_for_somebody_else: WrongClient in clients_are_told_apart
        says "which was sent to client";
    a_frame_without_a_limit: NoLimit in oversize_frame
        says "Client::max_frame is 1024";
    a_batch_that_is_not_drained: LeavesBatch in batch_boundaries
        says "it has to drain it";
    a_slow_reader_that_holds_up_all: OneWriterForAll in slow_reader_is_isolated
        says "another one was held up";
    a_table_that_keeps_who_is_gone: StaleEntry in kick
        says "take it out of the table";
    a_run_that_ends_for_one_bad_peer: EndsForOneBadPeer in malformed_frame
        says "the neighbour suffered";
    a_refused_client_that_stays: RefusedStays in refused_client
        says "its link stays";
    a_write_that_a_kick_does_not_wake: StuckWriter in kick_frees_a_stuck_writer
        says "it has to be woken";
    half_a_message_for_a_goodbye: HalfIsWhole in peer_lost_mid_message
        says "it was lost";
    a_codec_that_forgets: LossyCodec in codec_round_trip
        says "is another message";
    a_codec_that_panics: PanickingCodec in unpack_survives_anything
        says "unpack panicked";
}
