//! A link on a line: what reads, writes and keeps time for it.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep, sleep_until};

use super::end::LinkEnd;
use super::engine::Engine;
use super::pace::Pace;
use super::stream::{Link, Stream};
use crate::Line;
use crate::framing::{Item, Reader, Writer};

/// How much is read at once.
const READ: usize = 1024;

/// While no more than this is on its way out, more is written: timers are no more exact.
const AHEAD: Duration = Duration::from_millis(5);

/// An answer to segments of no link is given once in this time.
const RESETS: Duration = Duration::from_millis(100);

/// When the timer looks again where nothing is due.
const FAR_OFF: Duration = Duration::from_secs(3600);

/// A timer that fires this late shows that the program did not run meanwhile.
const LATE: Duration = Duration::from_secs(1);

/// How often something is read before it is looked again what is to be written.
const READS: usize = 16;

/// How long what was said last may take to go out.
const FAREWELL: Duration = Duration::from_millis(500);

/// Something that came on a line and is not a link's own affair.
#[derive(Debug)]
pub enum Event {
    /// A link is open. One that was open before has ended.
    Opened(Stream),
    /// The link has ended, for this reason. Whoever has its stream sees so, too.
    Closed(LinkEnd),
    /// A document or text: the other side is a board, or prints.
    Item(Item),
    /// The line has ended: the device is gone, or reading or writing failed.
    Ended(Option<io::Error>),
}

/// Lets links run on a line, one after the other.
///
/// It does something only while [`next`](Self::next) is awaited.
#[derive(Debug)]
pub struct Drive<L> {
    line: L,
    reader: Reader,
    pace: Pace,
    dials: bool,
    link: Option<Link>,
    /// The stream of the link was given out, and its end was told.
    given: bool,
    told: bool,
    /// When segments that belong to no link were answered last, and whether an answer is due.
    reset_at: Option<Instant>,
    reset_due: bool,
    /// Written next.
    out: BytesMut,
    /// Until when the line is busy, where it cannot be asked.
    busy: Instant,
    timer: Pin<Box<Sleep>>,
    ended: bool,
}

impl<L: Line> Drive<L> {
    /// On a line at whose other end a router may open links, read so far by this reader.
    #[must_use]
    pub fn listen(line: L, reader: Reader, pace: Pace) -> Self {
        Self {
            line,
            reader,
            pace,
            dials: false,
            link: None,
            given: false,
            told: false,
            reset_at: None,
            reset_due: false,
            out: BytesMut::new(),
            busy: Instant::now(),
            timer: Box::pin(sleep_until(Instant::now())),
            ended: false,
        }
    }

    /// On a line over which this side opens one link.
    #[must_use]
    pub fn dial(line: L, reader: Reader, pace: Pace) -> Self {
        let began = Instant::now();
        let link = Link::new(began, Engine::dial(pace, fastrand::u32(..), Duration::ZERO));
        Self {
            dials: true,
            link: Some(link),
            ..Self::listen(line, reader, pace)
        }
    }

    /// What reads the line: it counts.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The reader, to begin anew.
    pub fn reader_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// The line.
    #[must_use]
    pub fn line(&self) -> &L {
        &self.line
    }

    /// How many bytes wait to be written, those of links not counted.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.out.len()
    }

    /// Writes these bytes, which are whole lines or frames, when [`next`](Self::next) is awaited.
    pub fn write(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Takes a segment that was read elsewhere. What comes of it comes next.
    pub fn heard(&mut self, segment: &Bytes) -> Option<Event> {
        self.take(segment)
    }

    /// Lets the link run until something comes.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: nothing that came is lost.
    pub async fn next(&mut self) -> Event {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Waits until what was said last has gone out, for half a second at most.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn drain(&mut self) {
        let until = Instant::now() + FAREWELL;
        while let Some(queued) = self.line.queued().filter(|queued| *queued > 0) {
            let wait = self.pace.time_of(queued).max(Duration::from_millis(1));
            if self.ended || Instant::now() + wait > until {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.make_up();
        loop {
            // What came first, for it may be what is waited for.
            let mut reads = 0;
            let is_quiet = loop {
                if let Some(event) = self.next_item() {
                    return Poll::Ready(event);
                }
                if reads == READS {
                    break false;
                }
                match self.receive(cx) {
                    Poll::Ready(Ok(true)) => reads += 1,
                    Poll::Ready(Ok(false)) => return self.lost(None),
                    Poll::Ready(Err(error)) => return self.lost(Some(error)),
                    Poll::Pending => break true,
                }
            };
            if let Err(error) = self.send(cx) {
                return self.lost(Some(error));
            }
            if let Some(end) = self.closed() {
                return Poll::Ready(Event::Closed(end));
            }
            if is_quiet && self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Holds it against nobody that this program did not run for a while.
    fn make_up(&mut self) {
        let late = self.timer.deadline().elapsed();
        if late < LATE {
            return;
        }
        self.timer.as_mut().reset(Instant::now());
        if let Some(link) = &self.link {
            link.lock().engine.paused(late);
        }
    }

    /// What the reader has that is no segment of the link.
    fn next_item(&mut self) -> Option<Event> {
        loop {
            match self.reader.next_item()? {
                Item::Segment(segment) => {
                    if let Some(event) = self.take(&segment) {
                        return Some(event);
                    }
                }
                item => return Some(Event::Item(item)),
            }
        }
    }

    fn take(&mut self, segment: &Bytes) -> Option<Event> {
        if !self.dials && Engine::is_opening(segment) {
            return self.opening(segment);
        }
        let Some(link) = self.link.clone() else {
            self.answer_stranger(segment);
            return None;
        };
        let mut shared = link.lock();
        let now = link.began().elapsed();
        shared.engine.take(segment, now);
        shared.wake_stream();
        let (is_open, is_known) = (
            shared.engine.is_open(),
            shared.engine.is_open() || shared.engine.is_closed(),
        );
        drop(shared);
        if !is_known && !self.dials {
            self.answer_stranger(segment);
        }
        (self.dials && is_open && !std::mem::replace(&mut self.given, true)).then(|| Event::Opened(Stream::new(link)))
    }

    /// The other side opens a link, unless it asks for the same once more.
    fn opening(&mut self, segment: &Bytes) -> Option<Event> {
        if let Some(link) = &self.link {
            let mut shared = link.lock();
            if shared.engine.is_open() && shared.engine.is_opened_by(segment) {
                shared.engine.take(segment, link.began().elapsed());
                return None;
            }
            shared.engine.replaced();
            shared.wake_stream();
        }
        let engine = Engine::accept(self.pace, segment, Duration::ZERO)?;
        let is_open = engine.is_open();
        let link = self.link.insert(Link::new(Instant::now(), engine));
        self.told = false;
        is_open.then(|| Event::Opened(Stream::new(link.clone())))
    }

    /// Segments came that belong to no link: the other side is to know.
    fn answer_stranger(&mut self, segment: &[u8]) {
        self.reset_due = !Engine::is_reset(segment) && self.reset_at.is_none_or(|at| at.elapsed() >= RESETS);
    }

    fn closed(&mut self) -> Option<LinkEnd> {
        let link = self.link.as_ref().filter(|_| !self.told && self.out.is_empty())?;
        let shared = link.lock();
        // The side that dials hangs up next; the other one can wait until it is asked.
        let end = shared
            .engine
            .end()
            .filter(|_| !(self.dials && shared.engine.has_farewell()))?
            .clone();
        drop(shared);
        self.told = true;
        Some(end)
    }

    fn lost(&mut self, error: Option<io::Error>) -> Poll<Event> {
        self.ended = true;
        if let Some(link) = &self.link {
            let mut shared = link.lock();
            shared.engine.line_lost();
            shared.wake_stream();
        }
        Poll::Ready(Event::Ended(error))
    }

    /// Reads something; false at the end.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = [0; READ];
        let mut space = ReadBuf::new(&mut space);
        let read = Pin::new(&mut self.line).poll_read(cx, &mut space)?;
        if read.is_pending() {
            return Poll::Pending;
        }
        let bytes = space.filled();
        self.reader.push(bytes);
        if let Some(link) = &self.link {
            link.lock().engine.hears(link.began().elapsed());
        }
        Poll::Ready(Ok(!bytes.is_empty()))
    }

    /// Writes what is to be written now, and sets the timer for what comes later.
    fn send(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            while !self.out.is_empty() {
                match Pin::new(&mut self.line).poll_write(cx, &self.out)? {
                    Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(written) => {
                        self.out.advance(written);
                        self.busy = self.busy.max(Instant::now()) + self.pace.time_of(written);
                    }
                    Poll::Pending => {
                        self.wait_for(cx, None);
                        return Ok(());
                    }
                }
            }
            if let Some(free) = self.busy_until() {
                self.wait_for(cx, Some(free));
                return Ok(());
            }
            let Some(segment) = self.next_segment() else {
                self.wait_for(cx, None);
                return Ok(());
            };
            Writer::segment(&[&segment], &mut self.out);
        }
    }

    fn next_segment(&mut self) -> Option<Vec<u8>> {
        if std::mem::take(&mut self.reset_due) {
            self.reset_at = Some(Instant::now());
            return Some(Engine::stranger());
        }
        let link = self.link.as_ref()?;
        let mut shared = link.lock();
        let next = shared.engine.next_segment(link.began().elapsed());
        if next.is_some() || shared.engine.end().is_some() {
            shared.wake_stream();
        }
        next
    }

    /// When the line will have sent nearly all, unless it has.
    fn busy_until(&self) -> Option<Instant> {
        let now = Instant::now();
        let queued = match self.line.queued() {
            Some(queued) => self.pace.time_of(queued),
            None => self.busy.saturating_duration_since(now),
        };
        let wait = queued.checked_sub(AHEAD).filter(|wait| !wait.is_zero())?;
        Some(now + wait.max(Duration::from_millis(1)))
    }

    /// Waits for the stream, and for the time at which something is due.
    fn wait_for(&mut self, cx: &Context<'_>, free: Option<Instant>) {
        let mut due = free;
        if let Some(link) = &self.link {
            let mut shared = link.lock();
            shared.wait(cx);
            if free.is_none() {
                due = shared.engine.deadline().map(|at| link.began() + at);
            }
        }
        let now = Instant::now();
        // Far off where nothing is due, and never at once: it was looked at just now.
        let due = due.map_or(now + FAR_OFF, |due| due.max(now + Duration::from_millis(1)));
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
    }
}
