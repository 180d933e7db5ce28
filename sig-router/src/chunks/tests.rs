use bytes::Bytes;
use proptest::prelude::*;
use sig_wire::{Split, split};

use super::*;

/// A control frame with so many bytes in it.
fn frame(size: usize) -> Bytes {
    let header = encode_header(Kind::Control, Flags::NONE, size, u32::MAX).unwrap();
    let body: Vec<u8> = (0..size).map(|at| at as u8).collect();
    [&header[..], &body].concat().into()
}

/// Takes the chunks of a run of frames; gives the frames that are whole.
fn assemble(assembly: &mut Assembly, run: &[u8], max_frame: usize) -> Result<Vec<Bytes>, CodecError> {
    let mut whole = Vec::new();
    let mut at = 0;
    while let Ok(Split::Frame(chunk)) = split(&run[at..], u32::MAX) {
        assert_eq!(chunk.kind, Kind::Chunk);
        whole.extend(assembly.take(&chunk, max_frame)?);
        at += chunk.size();
    }
    Ok(whole)
}

fn chunk(flags: Flags, body: &[u8]) -> Vec<u8> {
    let header = encode_header(Kind::Chunk, flags, body.len(), u32::MAX).unwrap();
    [&header[..], body].concat()
}

proptest! {
    #[test]
    fn what_was_cut_is_put_together_again(
        sizes in prop::collection::vec((0_usize..400, any::<bool>(), 0_usize..500), 1..6),
        most in 1_usize..200,
    ) {
        let mut assembly = Assembly::default();
        for (size, ahead, split_at) in sizes {
            let frame = frame(size);
            let lane = if ahead { Flags::AHEAD } else { Flags::NONE };
            let at = split_at.min(frame.len());
            let mut cut = Cut::new([frame.slice(..at), frame.slice(at..)], lane);
            let mut run = Vec::new();
            while cut.left() > 0 {
                let before = cut.left();
                let mut batch = cut.next(most);
                prop_assert_eq!(before - cut.left(), most.min(before));
                run.extend_from_slice(batch.bytes());
            }
            prop_assert_eq!(assemble(&mut assembly, &run, 1000).unwrap(), vec![frame]);
        }
    }

    #[test]
    fn any_chunks_are_answered_and_never_hold_more_than_the_limit(
        chunks in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
    ) {
        let mut assembly = Assembly::default();
        for (flags, body) in chunks {
            let run = chunk(Flags::from_byte(flags & 3), &body);
            if assemble(&mut assembly, &run, 64).is_err() {
                break;
            }
            prop_assert!(assembly.events.len() <= 68 && assembly.ahead.len() <= 68);
        }
    }
}

#[test]
fn frames_of_the_two_lanes_may_be_mixed() {
    let (event, request) = (frame(100), frame(50));
    let mut lanes = [
        Cut::new([event.clone()], Flags::NONE),
        Cut::new([request.clone()], Flags::AHEAD),
    ];
    let mut run = Vec::new();
    while lanes.iter().any(|cut| cut.left() > 0) {
        for cut in lanes.iter_mut().filter(|cut| cut.left() > 0) {
            run.extend_from_slice(cut.next(20).bytes());
        }
    }
    assert_eq!(
        assemble(&mut Assembly::default(), &run, 1000).unwrap(),
        [request, event]
    );
}

#[test]
fn promise_10_what_is_no_piece_of_a_frame_is_an_error() {
    let refused = |run: &[u8]| assemble(&mut Assembly::default(), run, 1000).unwrap_err().to_string();
    let whole = frame(10);
    assert_eq!(
        refused(&chunk(Flags::NONE, b"")),
        "malformed frame: a chunk without anything in it"
    );
    assert_eq!(
        refused(&chunk(Flags::NONE, &whole[..9])),
        "malformed frame: chunks of 5 bytes, of a frame of 12"
    );
    assert_eq!(
        refused(&chunk(Flags::MORE, &whole)),
        "malformed frame: chunks of 12 bytes, of a frame of 12"
    );
    assert_eq!(
        refused(&chunk(Flags::NONE, b"abc")),
        "malformed frame: chunks of 0 bytes, of a frame of 0"
    );
    // By its length alone.
    let large = refused(&chunk(Flags::MORE, &1001_u32.to_le_bytes()));
    assert!(large.contains("1001") && large.contains("1000"), "{large}");
}
