//! What may go wrong, and the dice that decide.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;

use super::counts::{Counters, Fault};
use super::pieces::Piece;

/// What may go wrong, as the builder was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) delay: Option<Range<Duration>>,
    pub(super) split: f64,
    pub(super) duplicate: f64,
    pub(super) loss: f64,
    pub(super) cut: f64,
    pub(super) rate: Option<u64>,
}

/// What became of one batch.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// The batches that it goes on as, in order.
    pub(super) parts: Vec<Vec<Piece>>,
    /// Its bytes, as the rate limit counts them.
    pub(super) cost: usize,
    pub(super) delay: Duration,
    /// The link is cut behind `parts`.
    pub(super) cut: bool,
}

impl Plan {
    /// The kinds of faults that were asked for.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Fault> {
        [
            (self.delay.is_some(), Fault::Delay),
            (self.split > 0.0, Fault::Split),
            (self.duplicate > 0.0, Fault::Duplicate),
            (self.loss > 0.0, Fault::Loss),
            (self.cut > 0.0, Fault::Cut),
            (self.rate.is_some(), Fault::RateLimit),
        ]
        .into_iter()
        .filter_map(|(asked, kind)| asked.then_some(kind))
    }

    /// Throws the dice for one batch. The messages behind a cut are lost with it.
    pub(super) fn decide(&self, dice: &mut Rng, mut pieces: Vec<Piece>, counters: &Counters) -> Fate {
        let cost = pieces.iter().map(Piece::cost).sum();
        let cut = happens(dice, self.cut);
        if cut {
            pieces.truncate(dice.usize(0..=pieces.len()));
        }
        let mut kept = Vec::with_capacity(pieces.len());
        for piece in pieces {
            if happens(dice, self.loss) {
                counters.add(Fault::Loss, 1);
                continue;
            }
            if happens(dice, self.duplicate) {
                counters.add(Fault::Duplicate, 1);
                kept.push(piece.clone());
            }
            kept.push(piece);
        }
        let delay = self.delay.as_ref().map(|range| between(dice, range));
        if delay.is_some() {
            counters.add(Fault::Delay, 1);
        }
        let parts = if kept.len() > 1 && happens(dice, self.split) {
            counters.add(Fault::Split, 1);
            split(dice, kept)
        } else if kept.is_empty() {
            Vec::new()
        } else {
            vec![kept]
        };
        Fate {
            parts,
            cost,
            delay: delay.unwrap_or_default(),
            cut,
        }
    }

    /// How long so many bytes take under the rate limit.
    pub(super) fn duration(&self, bytes: usize) -> Duration {
        match self.rate {
            Some(rate) => Duration::from_secs_f64(bytes as f64 / rate as f64),
            None => Duration::ZERO,
        }
    }
}

fn happens(dice: &mut Rng, probability: f64) -> bool {
    probability > 0.0 && dice.f64() < probability
}

fn between(dice: &mut Rng, range: &Range<Duration>) -> Duration {
    let width = range.end.saturating_sub(range.start);
    range.start + width.mul_f64(dice.f64())
}

/// Two or more parts, none of them empty.
fn split(dice: &mut Rng, pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let first = dice.usize(1..pieces.len());
    let mut parts: Vec<Vec<Piece>> = Vec::new();
    for (at, piece) in pieces.into_iter().enumerate() {
        match parts.last_mut() {
            Some(part) if at != first && dice.bool() => part.push(piece),
            _ => parts.push(vec![piece]),
        }
    }
    parts
}
