//! The sending half of a link: pieces of the stream, until the other side has them.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::segment::{MOST, Received};

/// Fewest bytes of a full piece.
const LEAST: usize = 48;

/// What is put in and was not acknowledged yet.
#[derive(Debug)]
pub(super) struct Sending {
    /// Not sent yet.
    waiting: BytesMut,
    /// Where what was put in together ends, counted from the front of what waits.
    marks: VecDeque<usize>,
    /// Most bytes that wait.
    limit: usize,
    /// Sent and not acknowledged, in their order.
    flying: VecDeque<Piece>,
    /// The number of the first of these, or else of the next piece.
    first: u8,
    /// The first number that the other side does not take yet.
    edge: u8,
    /// Counts what goes out, pieces that go again with it.
    sent: u64,
    /// The latest of these that has arrived.
    arrived: u64,
    /// How large a piece is at most, and how large one may get.
    size: usize,
    largest: usize,
    end: End,
    /// Round trips: smooth, and how much they differ. `None` before the first.
    round: Option<(Duration, Duration)>,
}

/// A piece of the stream on its way.
#[derive(Debug)]
struct Piece {
    payload: Bytes,
    end: bool,
    /// When it went last, and as which of all.
    at: Duration,
    sent: u64,
    again: bool,
    /// It went more than once.
    repeated: bool,
    /// It has arrived, but something in front of it has not.
    there: bool,
}

/// The end of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Wanted,
    Sent,
}

/// A piece to be sent.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) number: u8,
    pub(super) payload: Bytes,
    pub(super) end: bool,
}

impl Sending {
    /// Of pieces of this size, to a side that takes so many at first; no more than `limit` bytes wait.
    pub(super) fn new(largest: usize, window: u8, limit: usize) -> Self {
        Self {
            waiting: BytesMut::new(),
            marks: VecDeque::new(),
            limit,
            flying: VecDeque::new(),
            first: 0,
            edge: window,
            sent: 0,
            arrived: 0,
            size: largest,
            largest,
            end: End::Open,
            round: None,
        }
    }

    /// How many bytes can be put in.
    pub(super) fn room(&self) -> usize {
        match self.end {
            End::Open => self.limit.saturating_sub(self.waiting.len()),
            End::Wanted | End::Sent => 0,
        }
    }

    /// Puts in as many of these bytes as there is room for, and says how many those were.
    pub(super) fn put(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        self.waiting.extend_from_slice(&bytes[..count]);
        count
    }

    /// What was put in so far is not to wait for more.
    pub(super) fn mark(&mut self) {
        let at = self.waiting.len();
        if at > 0 && self.marks.back() != Some(&at) {
            self.marks.push_back(at);
        }
    }

    /// Nothing follows. Whether that is news.
    pub(super) fn finish(&mut self) -> bool {
        let is_news = self.end == End::Open;
        if is_news {
            self.end = End::Wanted;
        }
        is_news
    }

    /// Everything has arrived, the end as well.
    pub(super) fn is_finished(&self) -> bool {
        self.end == End::Sent && self.flying.is_empty()
    }

    pub(super) fn is_flying(&self) -> bool {
        !self.flying.is_empty()
    }

    /// Something waits that the other side has no room for.
    pub(super) fn is_held(&self) -> bool {
        self.has_new() && self.flying.is_empty() && self.allowed() == 0
    }

    /// Whether something can be sent now.
    pub(super) fn is_ready(&self) -> bool {
        self.flying.iter().any(|piece| piece.again) || (self.has_new() && self.allowed() > 0)
    }

    fn has_new(&self) -> bool {
        !self.waiting.is_empty() || self.end == End::Wanted
    }

    /// How many new pieces the other side takes.
    fn allowed(&self) -> usize {
        let allowed = usize::from(self.edge.wrapping_sub(self.first));
        allowed.saturating_sub(self.flying.len())
    }

    /// What is to be sent next: what was lost, or something new.
    pub(super) fn next(&mut self, now: Duration) -> Option<Out> {
        self.sent += 1;
        let index = match self.flying.iter().position(|piece| piece.again) {
            Some(index) => index,
            None if self.has_new() && self.allowed() > 0 => {
                let piece = self.cut();
                self.flying.push_back(piece);
                self.flying.len() - 1
            }
            None => return None,
        };
        let piece = &mut self.flying[index];
        piece.repeated |= piece.again;
        (piece.at, piece.sent, piece.again) = (now, self.sent, false);
        Some(Out {
            // At most as many as a byte counts are under way.
            number: self.first.wrapping_add(u8::try_from(index).unwrap_or(0)),
            payload: piece.payload.clone(),
            end: piece.end,
        })
    }

    /// The next new piece. It ends where something that was put in together does, so that this need not wait for what
    /// follows.
    fn cut(&mut self) -> Piece {
        let most = self.size.min(self.waiting.len());
        let fitting = self.marks.iter().take_while(|mark| **mark <= most).count();
        let size = match self.marks.drain(..fitting).next_back() {
            Some(mark) => mark,
            None => most,
        };
        self.marks.iter_mut().for_each(|mark| *mark -= size);
        let payload = self.waiting.split_to(size).freeze();
        let end = self.end == End::Wanted && self.waiting.is_empty();
        if end {
            self.end = End::Sent;
        }
        Piece {
            payload,
            end,
            at: Duration::ZERO,
            sent: 0,
            again: false,
            repeated: false,
            there: false,
        }
    }

    /// The other side said what it has; false if that cannot be.
    pub(super) fn acknowledged(&mut self, received: Received, later: u16, now: Duration) -> bool {
        let count = usize::from(received.next.wrapping_sub(self.first));
        if count > self.flying.len() {
            return false;
        }
        let before = self.arrived;
        for piece in self.flying.drain(..count) {
            self.arrived = self.arrived.max(piece.sent);
            if !piece.repeated && !piece.there {
                let took = now.saturating_sub(piece.at);
                self.round = Some(match self.round {
                    None => (took, took / 2),
                    Some((smooth, differs)) => ((smooth * 7 + took) / 8, (differs * 3 + smooth.abs_diff(took)) / 4),
                });
            }
            if piece.payload.len() >= self.size {
                self.size = (self.size + self.largest.div_ceil(64)).min(self.largest);
            }
        }
        self.first = received.next;
        // What was granted once is not taken back.
        let (room, known) = (received.room.min(MOST), self.edge.wrapping_sub(self.first));
        if room > known || known > MOST {
            self.edge = self.first.wrapping_add(room);
        }
        for (index, piece) in self.flying.iter_mut().skip(1).take(usize::from(MOST)).enumerate() {
            if later >> index & 1 == 1 {
                piece.there = true;
                piece.again = false;
                self.arrived = self.arrived.max(piece.sent);
            }
        }
        if self.arrived > before {
            self.lost_before(self.arrived);
        }
        true
    }

    /// Bytes come in the order in which they went: what went before something that arrived has arrived, too, or is lost.
    fn lost_before(&mut self, sent: u64) {
        let mut lost = false;
        for piece in &mut self.flying {
            if !piece.there && !piece.again && piece.sent < sent {
                piece.again = true;
                lost = true;
            }
        }
        if lost {
            self.smaller();
        }
    }

    /// The other side has heard all that was sent so far: what it did not acknowledge is lost.
    pub(super) fn all_heard(&mut self) {
        self.lost_before(u64::MAX);
    }

    /// There was no answer for too long: the first goes again.
    pub(super) fn first_again(&mut self) {
        if let Some(piece) = self.flying.front_mut() {
            piece.again = true;
        }
    }

    /// On a noisy line small pieces arrive more often than large ones.
    fn smaller(&mut self) {
        self.size = (self.size * 3 / 4).max(LEAST.min(self.largest));
    }

    /// When the last piece went that is under way.
    pub(super) fn last_sent(&self) -> Option<Duration> {
        self.flying.iter().map(|piece| piece.at).max()
    }

    /// After how much time without an answer something was lost, but for what is known of the line.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round.map(|(smooth, differs)| smooth + differs * 4)
    }
}
