//! The receiving half of a link: pieces into the stream that they were.

use std::collections::VecDeque;

use bytes::Bytes;

use super::segment::{MOST, Received};

/// What came and was not read yet.
#[derive(Debug)]
pub(super) struct Receiving {
    /// In order, and ready to be read.
    ready: VecDeque<Bytes>,
    /// Behind something that is missing: the pieces from the missing one on.
    later: VecDeque<Option<(Bytes, bool)>>,
    /// The number of the first that is missing.
    next: u8,
    window: u8,
    /// How many more were said to be taken at last.
    said: u8,
    ended: bool,
    /// There is something to be acknowledged.
    due: bool,
}

impl Receiving {
    pub(super) fn new(window: u8) -> Self {
        Self {
            ready: VecDeque::new(),
            later: VecDeque::new(),
            next: 0,
            window,
            said: window,
            ended: false,
            due: false,
        }
    }

    /// Takes a piece; true if there is something new to be read.
    pub(super) fn take(&mut self, number: u8, payload: &Bytes, end: bool) -> bool {
        // Also where it came before, or there is no room: the other side does not know.
        self.due = true;
        let ahead = number.wrapping_sub(self.next);
        if ahead >= self.room() || self.ended {
            return false;
        }
        let ahead = usize::from(ahead);
        if self.later.len() <= ahead {
            self.later.resize(ahead + 1, None);
        }
        self.later[ahead] = Some((payload.clone(), end));
        let mut new = false;
        while let Some((payload, end)) = self.later.front_mut().and_then(Option::take) {
            self.later.pop_front();
            self.next = self.next.wrapping_add(1);
            new = true;
            if !payload.is_empty() {
                self.ready.push_back(payload);
            }
            if end {
                self.ended = true;
                self.later.clear();
            }
        }
        new
    }

    fn room(&self) -> u8 {
        // At most as many wait as the window has.
        self.window
            .saturating_sub(u8::try_from(self.ready.len()).unwrap_or(u8::MAX))
    }

    /// Reads up to so many bytes; `None` when there is nothing to read.
    pub(super) fn read(&mut self, most: usize) -> Option<Bytes> {
        let front = self.ready.front_mut()?;
        if front.len() > most {
            return Some(front.split_to(most));
        }
        let piece = self.ready.pop_front();
        // The other side may be waiting for this.
        if self.said < self.window / 2 && self.room() >= self.window / 2 {
            self.due = true;
        }
        piece
    }

    /// Nothing follows what was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    /// The other side has ended the stream, whether everything was read or not.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Something is missing in front of something that came.
    pub(super) fn has_gap(&self) -> bool {
        !self.later.is_empty()
    }

    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// The other side asks.
    pub(super) fn asked(&mut self) {
        self.due = true;
    }

    /// What is to be acknowledged; it is taken for said.
    pub(super) fn received(&mut self) -> (Received, u16) {
        self.due = false;
        self.said = self.room();
        let later = self.later.iter().skip(1).take(usize::from(MOST)).enumerate();
        let later = later.fold(0, |map, (index, piece)| map | u16::from(piece.is_some()) << index);
        (
            Received {
                next: self.next,
                room: self.said,
            },
            later,
        )
    }
}
