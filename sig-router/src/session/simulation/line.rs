//! The line between both ends.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sig_core::RawJson;

use crate::session::Hello;
use crate::session::params::{AddListener, AddSender};

/// What travels.
#[derive(Debug)]
pub(super) enum Message {
    Hello(Box<Hello>),
    Welcome(RawJson),
    Beat,
    AddListener(u64, Box<AddListener>),
    RemoveListener(u64, u64),
    AddSender(u64, Box<AddSender>),
    RemoveSender(u64, String),
    Event {
        series: u64,
        number: u64,
        bytes: u64,
    },
    Request {
        id: u64,
        left: Duration,
    },
    /// The answer to a call; for a sender, the credit or why it is refused.
    Reply(u64, Result<u64, String>),
    Grant(u64),
}

pub(super) enum Arrived {
    AtClient(Message),
    AtServer(u64, Message),
    /// Both ends see that the link is over.
    Cut,
}

/// One link at a time, which delays what it carries and keeps its order. The former is over when a new one is made.
#[derive(Debug)]
pub(super) struct Line {
    link: u64,
    is_up: bool,
    /// Since when everything is swallowed, and whether anything was.
    silent: Option<Instant>,
    torn: bool,
    to_client: VecDeque<(Instant, Message)>,
    to_server: VecDeque<(Instant, Message)>,
    cut_due: bool,
    now: Instant,
    jitter: u64,
}

impl Line {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            link: 0,
            is_up: false,
            silent: None,
            torn: false,
            to_client: VecDeque::new(),
            to_server: VecDeque::new(),
            cut_due: false,
            now,
            jitter: 0,
        }
    }

    /// A new link, if there can be one.
    pub(super) fn dial(&mut self) -> Option<u64> {
        if self.silent.is_some() {
            return None;
        }
        self.drop_all();
        self.link += 1;
        (self.is_up, self.torn) = (true, false);
        Some(self.link)
    }

    pub(super) fn send_to_client(&mut self, now: Instant, link: u64, message: Message) {
        let due = self.due(now, self.to_client.back().map(|(due, _)| *due));
        if link == self.link && self.is_up {
            self.to_client.push_back((due, message));
        }
    }

    pub(super) fn send_to_server(&mut self, now: Instant, link: u64, message: Message) {
        let due = self.due(now, self.to_server.back().map(|(due, _)| *due));
        if link == self.link && self.is_up {
            self.to_server.push_back((due, message));
        }
    }

    /// After up to 20 ms, and not before what was sent before.
    fn due(&mut self, now: Instant, last: Option<Instant>) -> Instant {
        self.jitter = (self.jitter * 31 + 7) % 20;
        let due = now + Duration::from_millis(self.jitter);
        last.map_or(due, |last| last.max(due))
    }

    pub(super) fn cut(&mut self) {
        if self.is_up && self.silent.is_none() {
            self.drop_all();
            self.cut_due = true;
        }
    }

    pub(super) fn silence(&mut self, now: Instant) {
        self.silent.get_or_insert(now);
    }

    /// How long nothing has come through.
    pub(super) fn silent_for(&self, now: Instant) -> Option<Duration> {
        self.silent.map(|since| now - since)
    }

    /// One end lets go of the link. The other sees it, unless nothing comes through.
    pub(super) fn close(&mut self, link: u64) {
        if link == self.link && self.is_up {
            if self.silent.is_some() {
                self.torn = true;
            } else {
                self.drop_all();
                self.cut_due = true;
            }
        }
    }

    pub(super) fn heal(&mut self) {
        // A link that swallowed something cannot go on.
        if self.silent.take().is_some() && self.torn && self.is_up {
            self.drop_all();
            self.cut_due = true;
        }
    }

    fn drop_all(&mut self) {
        self.to_client.clear();
        self.to_server.clear();
        self.is_up = false;
        self.cut_due = false;
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        if self.cut_due {
            return Some(self.now);
        }
        let fronts = [self.to_client.front(), self.to_server.front()];
        fronts.into_iter().flatten().map(|(due, _)| *due).min()
    }

    /// Hands over what is due.
    pub(super) fn deliver(&mut self, now: Instant, mut take: impl FnMut(&mut Self, Arrived)) {
        self.now = now;
        loop {
            let is_due = |queue: &VecDeque<(Instant, Message)>| queue.front().is_some_and(|(due, _)| *due <= now);
            let arrived = if std::mem::take(&mut self.cut_due) {
                Arrived::Cut
            } else if is_due(&self.to_server) {
                let Some((_, message)) = self.to_server.pop_front() else {
                    return;
                };
                Arrived::AtServer(self.link, message)
            } else if is_due(&self.to_client) {
                let Some((_, message)) = self.to_client.pop_front() else {
                    return;
                };
                Arrived::AtClient(message)
            } else {
                return;
            };
            if self.silent.is_some() && !matches!(arrived, Arrived::Cut) {
                self.torn = true;
                continue;
            }
            take(self, arrived);
        }
    }
}
