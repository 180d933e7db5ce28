//! One end of a link: segments in, bytes in, time in; segments out, bytes out.

mod speaking;

use std::time::Duration;

use bytes::Bytes;

use super::Pace;
use super::end::LinkEnd;
use super::receiving::Receiving;
use super::segment::{MOST, Received, Segment, Terms, VERSION, Why};
use super::sending::Sending;

/// The other side may be this late, whatever the line: drivers and adapters keep bytes for a while.
const LATE: Duration = Duration::from_millis(30);

/// By how much each turn with nothing in it delays the next poll, and how often.
const POLL: Duration = Duration::from_millis(2);
const MOST_IDLE: u32 = 10;

/// Where a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The dialling side asks until it is answered.
    Opening,
    Open,
    Over(LinkEnd),
}

/// Whose turn it is on a half-duplex line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    ours: bool,
    /// How many segments of this turn have gone.
    gone: u32,
    /// How many turns there were without anything in them.
    idle: u32,
    /// When the dialling side, which polls, does so or takes back a turn that was lost.
    next: Duration,
}

/// One end of a link between two routers.
#[derive(Debug)]
pub struct Engine {
    pace: Pace,
    terms: Terms,
    dials: bool,
    state: State,
    sending: Sending,
    receiving: Receiving,
    /// On a half-duplex line.
    turn: Option<Turn>,
    /// An answer to an opening is due, with this nonce.
    accept: bool,
    /// What is to be said at the very end.
    farewell: Option<Why>,
    /// When the next attempt is due, and how many there were since something was heard.
    again: Option<Duration>,
    attempts: u32,
    /// Since when something should be heard.
    expecting: Option<Duration>,
}

impl Engine {
    /// The end that dials.
    #[must_use]
    pub fn dial(pace: Pace, nonce: u32, now: Duration) -> Self {
        let mut engine = Self::new(pace, nonce, pace.segment(), MOST, now);
        engine.state = State::Opening;
        engine.dials = true;
        engine.my_turn(now);
        engine
    }

    /// The end that listens, where this segment opens a link.
    #[must_use]
    pub fn accept(pace: Pace, opening: &[u8], now: Duration) -> Option<Self> {
        let Some(Segment::Open(theirs)) = Segment::parse(opening) else {
            return None;
        };
        let pace = Pace {
            half: theirs.half,
            ..pace
        };
        let mut engine = Self::new(pace, theirs.nonce, usize::from(theirs.largest), theirs.window, now);
        engine.accept = true;
        engine.my_turn(now);
        if theirs.version != VERSION {
            engine.state = State::Over(LinkEnd::Version(theirs.version));
            engine.accept = false;
            engine.farewell = Some(Why::Version);
        }
        Some(engine)
    }

    fn new(pace: Pace, nonce: u32, largest: usize, window: u8, now: Duration) -> Self {
        let terms = Terms {
            version: VERSION,
            half: pace.half,
            window: MOST,
            largest: u16::try_from(pace.largest()).unwrap_or(u16::MAX),
            nonce,
        };
        let size = pace.segment().min(largest).max(1);
        Self {
            pace,
            terms,
            dials: false,
            state: State::Open,
            sending: Sending::new(size, window.min(MOST), pace.waiting()),
            receiving: Receiving::new(MOST),
            turn: pace.half.then_some(Turn {
                ours: false,
                gone: 0,
                idle: 0,
                next: now,
            }),
            accept: false,
            farewell: None,
            again: None,
            attempts: 0,
            expecting: None,
        }
    }

    /// Whether this segment opens the link that this is.
    #[must_use]
    pub fn is_opened_by(&self, opening: &[u8]) -> bool {
        matches!(Segment::parse(opening), Some(Segment::Open(terms)) if terms.nonce == self.terms.nonce)
    }

    /// Whether the bytes are those of an opening.
    #[must_use]
    pub fn is_opening(segment: &[u8]) -> bool {
        matches!(Segment::parse(segment), Some(Segment::Open(_)))
    }

    /// Whether both sides have agreed on the link, and it has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether it ended in good order.
    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Over(LinkEnd::Closed)
    }

    /// Whether the other side is still to be told of the end.
    pub(super) fn has_farewell(&self) -> bool {
        self.farewell.is_some()
    }

    /// Whether this says that there is no link.
    pub(super) fn is_reset(segment: &[u8]) -> bool {
        matches!(Segment::parse(segment), Some(Segment::Reset(_)))
    }

    /// The answer to segments that belong to no link.
    pub(super) fn stranger() -> Vec<u8> {
        written(&Segment::Reset(Why::Unknown))
    }

    /// How the link ended, if it did.
    #[must_use]
    pub fn end(&self) -> Option<&LinkEnd> {
        match &self.state {
            State::Over(end) => Some(end),
            State::Opening | State::Open => None,
        }
    }

    /// How many bytes can be [written](Self::write) now.
    #[must_use]
    pub fn room(&self) -> usize {
        match self.state {
            State::Open => self.sending.room(),
            State::Opening | State::Over(_) => 0,
        }
    }

    /// Takes as many bytes as there is room for, and says how many those were.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let room = self.room().min(bytes.len());
        self.sending.put(&bytes[..room])
    }

    /// What was written so far is a whole: the other side can have it without waiting for what follows.
    pub fn flush(&mut self) {
        self.sending.mark();
    }

    /// Whether something is to be sent that came up while reading.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.receiving.is_due()
    }

    /// Nothing more is written. The link is over when the other side has said so as well. Whether that is news.
    pub fn finish(&mut self) -> bool {
        self.sending.finish()
    }

    /// Whether the other side has everything, the end as well.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.sending.is_finished()
    }

    /// Ends the link at once.
    pub fn drop_link(&mut self) {
        self.over(LinkEnd::Dropped, Some(Why::Ended));
    }

    /// The line has ended.
    pub fn line_lost(&mut self) {
        self.over(LinkEnd::LineLost, None);
    }

    /// The other side opened another link.
    pub fn replaced(&mut self) {
        self.over(LinkEnd::Replaced, None);
    }

    /// Reads up to so many bytes. `None`: there are none now, see [`is_at_end`](Self::is_at_end).
    pub fn read(&mut self, most: usize) -> Option<Bytes> {
        self.receiving.read(most)
    }

    /// Whether everything was read, and nothing follows.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.receiving.is_at_end()
    }

    /// Bytes came, whatever they are: the other side is speaking.
    pub fn hears(&mut self, now: Duration) {
        let quiet = self.quiet();
        if let Some(turn) = self.turn.as_mut().filter(|turn| !turn.ours) {
            turn.next = turn.next.max(now + quiet);
        }
    }

    /// This side did not run for so long, and could not have heard an answer.
    pub fn paused(&mut self, time: Duration) {
        self.expecting = self.expecting.map(|since| since + time);
    }

    /// A segment came.
    pub fn take(&mut self, segment: &Bytes, now: Duration) {
        let Some(parsed) = Segment::parse(segment) else { return };
        match parsed {
            Segment::Open(theirs) => self.opened(theirs, now),
            Segment::Accept(theirs) if self.state == State::Opening && theirs.nonce == self.terms.nonce => {
                if theirs.version != VERSION {
                    return self.over(LinkEnd::Version(theirs.version), None);
                }
                let largest = self.pace.segment().min(usize::from(theirs.largest)).max(1);
                self.sending = Sending::new(largest, theirs.window.min(MOST), self.pace.waiting());
                self.state = State::Open;
                // The other side may know then that it was heard.
                self.receiving.asked();
                self.progress();
                self.my_turn(now);
            }
            Segment::Data {
                turn,
                end,
                number,
                received,
                payload,
            } if self.state == State::Open => {
                let payload = segment.slice_ref(payload);
                if self.receiving.take(number, &payload, end) {
                    self.busy();
                }
                self.acknowledged(received, 0, turn, now);
            }
            Segment::Ack { turn, received, later } if self.state == State::Open => {
                if turn && self.turn.is_none() {
                    self.receiving.asked();
                }
                self.acknowledged(received, later, turn, now);
            }
            Segment::Reset(why) => match (&self.state, why) {
                (State::Open, Why::Unknown) => self.over(LinkEnd::Unknown, None),
                (State::Open, _) => self.over(LinkEnd::Reset, None),
                (State::Opening, Why::Version) => self.over(LinkEnd::Version(0), None),
                // It was meant for a link before this one.
                (State::Opening | State::Over(_), _) => {}
            },
            // What was said last did not arrive.
            Segment::Data { .. } if self.state == State::Over(LinkEnd::Closed) => {
                self.receiving.asked();
                self.my_turn(now);
            }
            Segment::Accept(_) | Segment::Data { .. } | Segment::Ack { .. } => {}
        }
        self.settle();
    }

    fn opened(&mut self, theirs: Terms, now: Duration) {
        let ours = theirs.nonce == self.terms.nonce;
        match self.state {
            State::Opening if ours => self.over(LinkEnd::Echo, None),
            State::Opening => self.over(LinkEnd::BothDial, None),
            // The answer was lost.
            State::Open if ours && !self.dials => {
                self.accept = true;
                self.my_turn(now);
            }
            State::Open | State::Over(_) => {}
        }
    }

    fn acknowledged(&mut self, received: Received, later: u16, turn: bool, now: Duration) {
        if !self.sending.acknowledged(received, later, now) {
            return;
        }
        self.progress();
        if self.turn.is_some() {
            // It hears all that this side says before it speaks itself.
            self.sending.all_heard();
            if turn {
                self.my_turn(now);
            }
        }
    }

    /// The other side is there.
    fn progress(&mut self) {
        self.attempts = 0;
        self.expecting = None;
    }

    /// It may speak now. A side that polls does so at its leisure while there is nothing to say.
    fn my_turn(&mut self, now: Duration) {
        if let Some(turn) = &mut self.turn {
            let pause = POLL * turn.idle.min(MOST_IDLE);
            (turn.ours, turn.gone, turn.next) = (true, 0, now + pause);
            turn.idle = turn.idle.saturating_add(1);
        }
    }

    fn busy(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.idle = 0;
        }
    }

    /// Over in good order, when both sides have everything.
    fn settle(&mut self) {
        if self.is_open() && self.sending.is_finished() && self.receiving.is_ended() && !self.receiving.is_due() {
            self.over(LinkEnd::Closed, None);
        }
    }

    fn over(&mut self, end: LinkEnd, farewell: Option<Why>) {
        if !matches!(self.state, State::Over(_)) {
            self.state = State::Over(end);
            self.farewell = farewell;
        }
    }
}

fn written(segment: &Segment<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    segment.write(&mut out);
    out
}
