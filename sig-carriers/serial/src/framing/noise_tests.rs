//! Documents over a line that damages bytes.

use bytes::BytesMut;
use sig_core::SenderName;
use tokio::time::Instant;

use super::*;
use crate::Check;
use crate::board::{Session, Settings as BoardSettings};
use crate::sim::Noise;

/// What came of so many documents.
#[derive(Debug, Default)]
struct Outcome {
    intact: u64,
    delivered: u64,
    /// Delivered, and not what was sent.
    corrupt: u64,
    /// Intact, and not delivered.
    missing: u64,
    /// The number of the last one that was delivered.
    last: u64,
    /// How many the board's session says are missing.
    told: u64,
}

/// What is known of the board: its name, so that nothing is waited for.
fn board() -> BoardSettings {
    BoardSettings {
        name: SenderName::new("board").expect("a name"),
        fixed: true,
        columns: Vec::new(),
        idle_timeout: None,
        max_size: 4096,
    }
}

/// Sends so many documents in this dialect over a line on which so many bytes of a million are damaged.
fn send(dialect: Dialect, count: u64, noise: Noise, seed: u64) -> (Outcome, Counters) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut reader = Reader::new(Settings {
        check: Check::Crc32,
        ..Settings::default()
    });
    let writer = Writer::new(dialect);
    let now = Instant::now();
    let mut session = Session::new(board(), now);
    let mut outcome = Outcome::default();
    // Sent and not decided yet: its number, its text, and whether nothing happened to it.
    let mut sent = std::collections::VecDeque::new();
    let mut wire = Vec::new();
    // In lines the end of the one before is where a document begins.
    let mut clean_begin = true;
    let mut line = BytesMut::new();
    for number in 0..count {
        let text = format!("{{\"n\":{number},\"temp\":{}.{}}}", random.u8(..), random.u8(..));
        line.clear();
        writer.document(text.as_bytes(), &mut line);
        let mut intact = clean_begin || dialect == Dialect::Frames;
        clean_begin = true;
        wire.clear();
        // The first one settles what is spoken.
        let noise = if number == 0 { Noise::NONE } else { noise };
        let last = line.len() - 1;
        for (at, byte) in line.iter().enumerate() {
            let before = wire.len();
            if noise.strike(*byte, &mut random, &mut |byte| wire.push(byte)) {
                let whole_delimiter = at == last && wire.get(before) == Some(byte);
                clean_begin &= at != last;
                // Something behind the last delimiter is not the document's.
                intact &= whole_delimiter;
            }
        }
        outcome.intact += u64::from(intact);
        sent.push_back((number, text, intact));
        reader.push(&wire);
        while let Some(item) = reader.next_item() {
            let Item::Document { text, .. } = item else { continue };
            outcome.delivered += 1;
            session.document(&text, true, now);
            while session.next_out().is_some() {}
            let found = sent.iter().position(|(_, sent, _)| sent.as_bytes() == text);
            let Some(found) = found else {
                outcome.corrupt += 1;
                continue;
            };
            outcome.missing += sent.drain(..found).filter(|(_, _, intact)| *intact).count() as u64;
            outcome.last = sent.pop_front().map_or(0, |(number, ..)| number);
        }
        // Whatever came is decided soon.
        while sent.len() > 200 {
            outcome.missing += u64::from(sent.pop_front().is_some_and(|(_, _, intact)| intact));
        }
    }
    outcome.told = session.counts().missing;
    outcome.missing += sent.iter().filter(|(_, _, intact)| *intact).count() as u64;
    (outcome, reader.counters())
}

fn check(dialect: Dialect, count: u64, in_a_million: u32) {
    let (outcome, counters) = send(dialect, count, Noise::of(in_a_million), u64::from(in_a_million) + 7);
    println!("{dialect:?}, {in_a_million} of a million bytes: {count} sent, {outcome:?}, {counters:?}");
    assert_eq!((outcome.corrupt, outcome.missing), (0, 0), "{outcome:?}");
    assert!(outcome.intact < count, "there was noise: {outcome:?}");
    assert!(outcome.delivered >= outcome.intact);
    // What is lost behind the last one shows when the next one comes.
    assert!(count - outcome.last < 20, "{outcome:?}");
    assert_eq!(
        outcome.told,
        outcome.last + 1 - outcome.delivered,
        "gaps are counted exactly: {outcome:?}"
    );
    assert_eq!(counters.documents, outcome.delivered);
}

#[test]
fn on_a_noisy_line_all_that_is_intact_comes_and_nothing_else() {
    for dialect in [Dialect::Frames, Dialect::Lines(Check::Crc32)] {
        for in_a_million in [100, 1_000] {
            check(dialect, 50_000, in_a_million);
        }
    }
}

#[test]
#[ignore = "takes minutes: cargo test -p sig-carrier-serial --release --lib ten_million -- --ignored --nocapture"]
fn of_ten_million_frames_none_is_taken_for_another() {
    check(Dialect::Frames, 10_000_000, 1_000);
}

#[test]
#[ignore = "takes minutes: as above"]
fn of_ten_million_lines_none_is_taken_for_another() {
    check(Dialect::Lines(Check::Crc32), 10_000_000, 1_000);
}
