//! A plain board's part towards the router: it stands there as a client with one sender.
//!
//! Nothing here waits or does input and output. What arrives is handed in with the time, and what is to be done comes out of
//! [`next_out`](Session::next_out).

mod router;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use sig_core::{Disconnect, EventName, Message, Payload, Reason, SenderName};
use tokio::time::Instant;

use super::asks::Asks;
use super::document::{self, Content, Document, Hello, MAX_LISTED};
use super::gaps::Gaps;
use super::rows::Rows;
use super::say;
use router::Link;

/// Most events that wait until the router has said how to send them.
const MAX_PENDING: usize = 256;

/// How long a board has to say who it is, that began with something else.
const INTRODUCTION: Duration = Duration::from_millis(300);

/// The event of what a board prints that is no document.
const LOG: &str = "log";

/// What is known of a board before it says anything.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// What it is called, unless it says so itself.
    pub(crate) name: SenderName,
    /// Whether it is called so whatever it says.
    pub(crate) fixed: bool,
    /// What the numbers of a line of numbers are.
    pub(crate) columns: Vec<EventName>,
    /// After how much silence it counts as gone.
    pub(crate) idle_timeout: Option<Duration>,
    /// Most bytes of a document for it.
    pub(crate) max_size: usize,
}

/// Something to be done.
#[derive(Debug)]
pub(crate) enum Out {
    /// Let the board in at the router, then call [`Session::admitted`] or [`Session::turned_away`].
    Enter,
    /// Hand this to the router.
    Router(Message),
    /// Send this document to the board.
    Board(String),
    /// The board is no client any more.
    Leave(Disconnect),
}

/// What was counted of a board.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Events that went to the router.
    pub(crate) events: u64,
    /// Events that did not, since the router had no room.
    pub(crate) lost: u64,
    /// Documents that the board numbered and that did not arrive.
    pub(crate) missing: u64,
    /// Requests that were said again.
    pub(crate) retries: u64,
    /// Answers that nobody waited for.
    pub(crate) unasked: u64,
    /// Events beyond the most that a board may have.
    pub(crate) unlisted: u64,
}

/// Whether the board has said who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Introduced {
    Not,
    /// It was asked to, and is waited for until then.
    Asked(Instant),
    /// It did, or was given the time to.
    Done,
}

/// One event of the board.
#[derive(Debug, Default)]
struct Known {
    /// The last number used.
    number: u64,
    /// How it is sent, once the router has said so.
    alias: Option<u32>,
}

/// An event that waits until the router has said how to send it.
#[derive(Debug)]
struct Pending {
    name: EventName,
    number: u64,
    /// The number used before it.
    before: u64,
    payload: Payload,
}

/// One board, from the opening of its port to the end of it.
#[derive(Debug)]
pub(crate) struct Session {
    settings: Settings,
    name: SenderName,
    events: BTreeMap<EventName, Known>,
    methods: Option<Vec<Option<String>>>,
    /// Names the run of the numbers: they go on when the board falls silent and comes back.
    series: u64,
    rows: Rows,
    gaps: Gaps,
    /// Documents that are missing right before the next event.
    missing: u64,
    pending: VecDeque<Pending>,
    asks: Asks,
    link: Link,
    /// When the board said something last.
    heard: Instant,
    introduced: Introduced,
    /// The router was told of it under its present name.
    known_there: bool,
    counts: Counts,
    out: VecDeque<Out>,
}

impl Session {
    /// A board that has not said anything yet.
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        let mut rows = Rows::default();
        if !settings.columns.is_empty() {
            rows.trust();
        }
        Self {
            name: settings.name.clone(),
            events: BTreeMap::new(),
            methods: None,
            series: new_series(),
            rows,
            gaps: Gaps::default(),
            missing: 0,
            pending: VecDeque::new(),
            asks: Asks::new(settings.max_size),
            link: Link::default(),
            heard: now,
            introduced: if settings.fixed {
                Introduced::Done
            } else {
                Introduced::Not
            },
            known_there: false,
            counts: Counts::default(),
            out: VecDeque::new(),
            settings,
        }
    }

    /// What is to be done next; `None` until something else happens.
    pub(crate) fn next_out(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    /// What was counted so far.
    pub(crate) fn counts(&self) -> Counts {
        let (retries, unasked) = self.asks.counts();
        Counts {
            missing: self.gaps.missing(),
            retries,
            unasked,
            ..self.counts
        }
    }

    /// A document came; `checked` if a check sum says that it is whole. What is none after all is text. Gives whether it
    /// shows that the board is there.
    pub(crate) fn document(&mut self, text: &Bytes, checked: bool, now: Instant) -> bool {
        if checked {
            self.rows.trust();
        }
        let Some(Document { number, content }) = document::read(text, &self.settings.columns) else {
            self.log(text);
            return false;
        };
        if text.trim_ascii_start().first() == Some(&b'{') {
            self.rows.trust();
        }
        if let Some(number) = number {
            if number == 0 && matches!(content, Content::Hello(_)) {
                self.gaps.restart();
            }
            self.missing += self.gaps.take(number);
        }
        match content {
            Content::Hello(hello) => {
                self.introduced = Introduced::Done;
                self.alive(now);
                self.hello(hello);
            }
            Content::Answer(answer) => {
                self.alive(now);
                self.asks.answer(answer, now, &mut self.out);
            }
            Content::Events(events) => {
                let width = text.split(|byte| *byte == b',').count();
                let rows = self.rows.take(width, events);
                if rows.is_empty() {
                    return false;
                }
                for events in rows {
                    self.alive(now);
                    let missing = std::mem::take(&mut self.missing);
                    for (name, payload) in events {
                        self.event(name, payload, missing);
                    }
                }
            }
        }
        self.declare();
        true
    }

    /// A line of text came: the device's log. Before the board is there, nobody hears it.
    pub(crate) fn log(&mut self, text: &[u8]) {
        self.rows.interrupt();
        if self.link.is_away() && !self.is_asked() {
            return;
        }
        let text = String::from_utf8_lossy(text);
        let (Ok(name), Ok(payload)) = (EventName::new(LOG), Payload::json(text.trim_end())) else {
            return;
        };
        self.event(name, payload, 0);
        self.declare();
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.asks.tick(now, &mut self.out);
        self.tick_link(now);
        if matches!(self.introduced, Introduced::Asked(until) if until <= now) {
            self.introduced = Introduced::Done;
            self.enter(now);
        }
        if self.idle_at().is_some_and(|at| at <= now) {
            let silence = self.settings.idle_timeout.unwrap_or_default();
            self.leave(Disconnect::new(Reason::Timeout, format!("silent for {silence:?}")));
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let introduction = match self.introduced {
            Introduced::Asked(until) => Some(until),
            Introduced::Not | Introduced::Done => None,
        };
        let deadlines = [
            self.asks.next_deadline(),
            self.link_deadline(),
            self.idle_at(),
            introduction,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// When the board counts as gone unless it says something.
    fn idle_at(&self) -> Option<Instant> {
        let timeout = self.settings.idle_timeout.filter(|_| !self.link.is_away())?;
        self.heard.checked_add(timeout)
    }

    /// Something valid came. A board that did not begin with its name is asked for it first.
    fn alive(&mut self, now: Instant) {
        self.heard = now;
        match self.introduced {
            Introduced::Not => {
                self.introduced = Introduced::Asked(now + INTRODUCTION);
                self.out.push_back(Out::Board(say::HOST_HELLO.to_owned()));
            }
            Introduced::Asked(_) => {}
            Introduced::Done => self.enter(now),
        }
    }

    /// Whether it is about to be a client, once it has said its name.
    fn is_asked(&self) -> bool {
        matches!(self.introduced, Introduced::Asked(_))
    }

    fn hello(&mut self, hello: Hello) {
        let Hello { name, events, requests } = hello;
        let name = if self.settings.fixed { self.name.clone() } else { name };
        let is_other = name != self.name;
        if is_other || requests != self.methods {
            self.withdraw();
        }
        if is_other {
            self.name = name;
            if std::mem::take(&mut self.known_there) {
                self.events.clear();
                self.series = new_series();
            }
        }
        self.methods = requests;
        for name in events {
            self.known(name);
        }
    }

    /// The event of this name, unless the board has too many.
    fn known(&mut self, name: EventName) -> Option<&mut Known> {
        if self.events.len() >= MAX_LISTED && !self.events.contains_key(&name) {
            self.counts.unlisted += 1;
            return None;
        }
        Some(self.events.entry(name).or_default())
    }

    /// Something happened, after `missing` documents that did not arrive.
    fn event(&mut self, name: EventName, payload: Payload, missing: u64) {
        let Some(known) = self.known(name.clone()) else { return };
        let before = known.number;
        known.number += missing + 1;
        let (number, alias) = (known.number, known.alias);
        if let Some(alias) = alias.filter(|_| self.link.is_here()) {
            return self.send(alias, number, payload);
        }
        let is_lost = self.link.is_refused() && !self.is_asked();
        if is_lost || self.pending.len() >= MAX_PENDING {
            self.counts.lost += 1;
            return;
        }
        self.pending.push_back(Pending {
            name,
            number,
            before,
            payload,
        });
    }
}

/// Names a run of numbers, as a router does.
fn new_series() -> u64 {
    fastrand::u64(1..1 << 53)
}
