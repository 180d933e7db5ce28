//! What an end of a link says, and when.

use std::time::Duration;

use super::super::end::LinkEnd;
use super::super::segment::Segment;
use super::super::sending::Out;
use super::{Engine, LATE, State, Turn, written};

/// How long nothing is heard that should be, until the link is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause between two attempts. Nobody else is on the line that more of them could hold up.
const LONGEST: Duration = Duration::from_millis(500);

/// How much longer each pause between two openings is than the one before, and the longest.
const ASK: Duration = Duration::from_millis(100);
const LONGEST_ASK: Duration = Duration::from_millis(500);

/// How many segments of a half-duplex line go in one turn.
const TURN: u32 = 4;

impl Engine {
    /// What is to be sent now, which is taken for sent; `None` until something changes or the
    /// [time](Self::deadline) has come.
    pub fn next_segment(&mut self, now: Duration) -> Option<Vec<u8>> {
        let next = match self.state {
            State::Opening => self.ask(now),
            State::Open => self.speak(now),
            State::Over(_) => self.last_words(),
        };
        self.settle();
        next
    }

    /// When [`next_segment`](Self::next_segment) may have something that it has not now.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        match (&self.state, &self.turn) {
            (State::Over(_), _) => None,
            (State::Opening, _) => self.again,
            (State::Open, Some(turn)) if self.dials => Some(turn.next),
            (State::Open, Some(_)) => self.expecting.map(|since| since + PATIENCE),
            (State::Open, None) => self.overdue(),
        }
    }

    /// Opens the link, again and again.
    fn ask(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.again.is_some_and(|again| now < again) {
            return None;
        }
        self.attempts = self.attempts.saturating_add(1);
        let pause = (ASK * self.attempts).min(LONGEST_ASK);
        self.again = Some(now + pause + self.quiet());
        Some(written(&Segment::Open(self.terms)))
    }

    fn speak(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.is_expecting() {
            let since = *self.expecting.get_or_insert(now);
            if now >= since + PATIENCE {
                self.over(LinkEnd::Silent, None);
                return None;
            }
        }
        match self.turn {
            None => self.speak_at_will(now),
            Some(turn) => self.speak_in_turn(turn, now),
        }
    }

    /// Whether the other side should say something.
    fn is_expecting(&self) -> bool {
        self.sending.is_flying() || self.sending.is_held() || (self.turn.is_some() && self.dials)
    }

    fn speak_at_will(&mut self, now: Duration) -> Option<Vec<u8>> {
        if std::mem::take(&mut self.accept) {
            return Some(written(&Segment::Accept(self.terms)));
        }
        if self.receiving.is_due() && self.receiving.has_gap() {
            return Some(self.ack(false));
        }
        if !self.sending.is_ready() && self.overdue().is_some_and(|due| now >= due) {
            self.attempts = self.attempts.saturating_add(1);
            if !self.sending.is_flying() {
                // It had no room, and that it has now may have been lost.
                self.again = Some(now);
                return Some(self.ack(true));
            }
            self.sending.first_again();
        }
        if self.sending.is_ready() {
            return self.sending.next(now).map(|out| self.data(&out, false));
        }
        self.receiving.is_due().then(|| self.ack(false))
    }

    fn speak_in_turn(&mut self, turn: Turn, now: Duration) -> Option<Vec<u8>> {
        if !turn.ours {
            if !self.dials || now < turn.next {
                return None;
            }
            // The turn, or what was to bring it back, is lost.
            self.my_turn(now);
        }
        let says = self.sending.is_ready();
        let pauses = self.dials && now < turn.next && !self.receiving.is_due();
        if !self.accept && !says && pauses {
            return None;
        }
        let gone = turn.gone + 1;
        let segment = if std::mem::take(&mut self.accept) {
            self.give_turn(now);
            written(&Segment::Accept(self.terms))
        } else if says && self.receiving.is_due() && self.receiving.has_gap() {
            // First, since data does not say what came behind the gap.
            self.ack(false)
        } else if says {
            self.busy();
            let out = self.sending.next(now)?;
            let last = gone >= TURN || !self.sending.is_ready();
            if last {
                self.give_turn(now);
            } else if let Some(turn) = &mut self.turn {
                turn.gone = gone;
            }
            self.data(&out, last)
        } else {
            self.give_turn(now);
            self.ack(true)
        };
        Some(segment)
    }

    fn give_turn(&mut self, now: Duration) {
        let next = now + self.pace.time_of(self.pace.segment()) * 2 + self.quiet();
        if let Some(turn) = &mut self.turn {
            (turn.ours, turn.next) = (false, next);
        }
    }

    fn last_words(&mut self) -> Option<Vec<u8>> {
        if self.turn.is_some_and(|turn| !turn.ours && !self.dials) {
            return None;
        }
        if let Some(why) = self.farewell.take() {
            return Some(written(&Segment::Reset(why)));
        }
        (self.state == State::Over(LinkEnd::Closed) && self.receiving.is_due()).then(|| self.ack(false))
    }

    fn data(&mut self, out: &Out, turn: bool) -> Vec<u8> {
        let (received, _) = self.receiving.received();
        written(&Segment::Data {
            turn,
            end: out.end,
            number: out.number,
            received,
            payload: &out.payload,
        })
    }

    fn ack(&mut self, turn: bool) -> Vec<u8> {
        let (received, later) = self.receiving.received();
        written(&Segment::Ack { turn, received, later })
    }

    /// When something is to be sent again for want of an answer, on a full-duplex line.
    fn overdue(&self) -> Option<Duration> {
        let since = match self.sending.last_sent() {
            Some(sent) => sent,
            None if self.sending.is_held() => self.again.max(self.expecting)?,
            None => return None,
        };
        let least = self.pace.time_of(self.pace.segment()) * 2 + LATE;
        let wait = self.sending.round_trip().unwrap_or(least * 2).max(least);
        Some(since + (wait * (1 << self.attempts.min(5))).min(LONGEST.max(wait)))
    }

    /// After how much silence nobody is speaking.
    pub(super) fn quiet(&self) -> Duration {
        self.pace.time_of(self.pace.segment()) + LATE
    }
}
