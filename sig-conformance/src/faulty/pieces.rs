//! Taking batches apart and putting them together again.

use sig_core::bytes::Bytes;
use sig_core::{Batch, Encoding, Message};

/// One message of a batch.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Value(Message),
    Frame(Bytes),
}

/// What a message costs beside its data where it is not packed: the head of an event's frame.
const HEAD: usize = 18;

impl Piece {
    /// The bytes that it takes on a wire, or about so many where it is not packed.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.len(),
            Self::Value(Message::Event(event)) => HEAD + event.payload.len(),
            Self::Value(_) => HEAD,
        }
    }
}

/// Which of its three forms a batch has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Values,
    Stream,
    Frames(Encoding),
}

impl Form {
    pub(super) fn of(batch: &mut Batch) -> Self {
        match batch.encoding() {
            Encoding::Values => Self::Values,
            _ if batch.stream().is_some() => Self::Stream,
            encoding => Self::Frames(encoding),
        }
    }

    /// A batch of this form with these messages.
    pub(super) fn batch(self, pieces: impl IntoIterator<Item = Piece>) -> Batch {
        let mut batch = match self {
            Self::Values => Batch::new(Encoding::Values),
            Self::Stream => Batch::new(Encoding::Sig1),
            Self::Frames(encoding) => Batch::of_frames(encoding),
        };
        for piece in pieces {
            match piece {
                Piece::Frame(frame) => batch.push_frame(frame),
                // Only batches of values give values, and adding one to such a batch cannot fail.
                Piece::Value(message) => drop(batch.push_message(message)),
            }
        }
        batch
    }
}

/// Takes every message out of a batch.
pub(super) fn take(batch: &mut Batch) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while let Some(message) = batch.next_message() {
        pieces.push(Piece::Value(message));
    }
    while let Some(frame) = batch.next_frame() {
        pieces.push(Piece::Frame(frame));
    }
    pieces
}
