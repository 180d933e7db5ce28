//! The end that is connected to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use fastrand::Rng;
use sig_core::RawJson;

use super::client::{Client, EMITTER};
use super::line::{Line, Message};
use super::{Counts, PERIOD, TICK, WINDOW};
use crate::flow::Track;
use crate::session::params::AddSender;
use crate::session::{Heartbeat, Offer, Pulse, Window, negotiate};

/// The name that somebody else has at times.
const CONTESTED: &str = "s3";

/// What the server has of its client.
struct Session {
    link: u64,
    heartbeat: Heartbeat,
    /// Topics in words, with their policy, by the listener's id.
    listeners: BTreeMap<u64, String>,
    senders: BTreeSet<String>,
    window: Window,
    consumed: u64,
}

pub(super) struct Server {
    session: Option<Session>,
    is_open: bool,
    is_taken: bool,
    /// Answers that take their time.
    answers: VecDeque<(Instant, u64, u64)>,
    track: Option<Track>,
    /// The last number that came.
    last: u64,
    next_tick: Instant,
    pub(super) counts: Counts,
}

/// A heartbeat gives its peer up: it must have been silent, for long enough and not for too long.
pub(super) fn dies(now: Instant, line: &Line) {
    let silent = line
        .silent_for(now)
        .expect("a peer that was not silent was held for dead");
    assert!(
        silent >= PERIOD && silent <= PERIOD * 5 / 2,
        "held for dead after {silent:?} of silence"
    );
}

impl Server {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            session: None,
            is_open: true,
            is_taken: false,
            answers: VecDeque::new(),
            track: None,
            last: 0,
            next_tick: now + TICK / 2,
            counts: Counts::default(),
        }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        let answer = self.answers.front().map(|(due, ..)| *due);
        [Some(self.next_tick), answer].into_iter().flatten().min()
    }

    fn send(&mut self, now: Instant, line: &mut Line, message: Message) {
        if let Some(session) = &mut self.session {
            session.heartbeat.sent(now);
            line.send_to_client(now, session.link, message);
        }
    }

    /// The listeners have room, or not.
    pub(super) fn turn_gate(&mut self, now: Instant, line: &mut Line, open: bool) {
        self.is_open = open;
        self.grant(now, line);
    }

    /// Somebody else has a name, or not.
    pub(super) fn turn_name(&mut self, taken: bool) {
        let is_ours = self
            .session
            .as_ref()
            .is_some_and(|session| session.senders.contains(CONTESTED));
        self.is_taken = taken && !is_ours;
    }

    fn grant(&mut self, now: Instant, line: &mut Line) {
        let open = self.is_open;
        let grant = self
            .session
            .as_mut()
            .and_then(|session| session.window.grant(WINDOW, open));
        if let Some(total) = grant {
            self.send(now, line, Message::Grant(total));
        }
    }

    pub(super) fn take(&mut self, now: Instant, line: &mut Line, rng: &mut Rng, link: u64, message: Message) {
        if let Message::Hello(hello) = message {
            return self.greet(now, line, link, &hello);
        }
        let Some(session) = self.session.as_mut().filter(|session| session.link == link) else {
            return;
        };
        session.heartbeat.heard(now);
        match message {
            Message::AddListener(call, want) => {
                let topic = format!("{:?}/{:?} {:?}", want.sender, want.event, want.policy);
                session.listeners.insert(want.listener_id.unwrap(), topic);
                self.send(now, line, Message::Reply(call, Ok(0)));
            }
            Message::RemoveListener(call, id) => {
                session.listeners.remove(&id).expect("a listener that was added");
                self.send(now, line, Message::Reply(call, Ok(0)));
            }
            Message::AddSender(call, want) => {
                let answer = self.add_sender(&want);
                self.send(now, line, Message::Reply(call, answer));
            }
            Message::RemoveSender(call, name) => {
                session.senders.remove(&name);
                self.send(now, line, Message::Reply(call, Ok(0)));
            }
            Message::Event { series, number, bytes } => {
                assert!(session.window.covers(0), "sent beyond its credit");
                session.window.consumed(bytes);
                session.consumed += bytes;
                self.arrived(series, number);
                self.grant(now, line);
            }
            Message::Request { id, left } => {
                // Some are never answered, and some too late.
                if rng.u32(..10) > 0 {
                    let due = now + left.min(Duration::from_millis(500)).mul_f64(rng.f64());
                    let at = self.answers.partition_point(|(other, ..)| *other <= due);
                    self.answers.insert(at, (due, link, id));
                }
            }
            Message::Beat => {}
            other => panic!("{other:?} for a server"),
        }
    }

    fn greet(&mut self, now: Instant, line: &mut Line, link: u64, hello: &crate::session::Hello) {
        let offer = Offer {
            versions: [1, 1],
            capabilities: Vec::new(),
            codec: "json".to_owned(),
            token: None,
            max_message: 1 << 20,
            heartbeat_ms: hello.heartbeat_ms,
            router_id: "server".to_owned(),
            epoch: 1,
        };
        let welcome = negotiate(hello, &offer).unwrap();
        // A former link of the same client is over with that.
        self.session = Some(Session {
            link,
            heartbeat: Heartbeat::new(Some(PERIOD), now),
            listeners: BTreeMap::new(),
            senders: BTreeSet::new(),
            window: Window::new(WINDOW),
            consumed: 0,
        });
        self.answers.clear();
        self.send(now, line, Message::Welcome(RawJson::new(&welcome).unwrap()));
    }

    fn add_sender(&mut self, want: &AddSender) -> Result<u64, String> {
        let name = want.sender.to_string();
        if name == CONTESTED && self.is_taken {
            return Err(format!("sender {name} is already connected"));
        }
        if name == EMITTER {
            let number = want.numbers.values().copied().next().unwrap_or_default();
            let series = want.series.unwrap();
            let track = self.track.get_or_insert_with(|| Track::new(series, 0));
            if track.moved_to(series, number) {
                self.counts.lost += track.rest();
            }
            assert!(number >= self.last, "numbers went back");
            self.last = number;
        }
        let session = self.session.as_mut().unwrap();
        assert!(session.senders.insert(name), "added twice");
        Ok(session.window.total())
    }

    fn arrived(&mut self, series: u64, number: u64) {
        assert!(number > self.last, "{number} after {}", self.last);
        self.last = number;
        let track = self.track.as_mut().unwrap();
        let position = track.offered(series, number).expect("it is new");
        self.counts.lost += track.taken(position, 1, 0);
        self.counts.received += 1;
    }

    /// The link is over.
    pub(super) fn lost(&mut self) {
        self.session = None;
        self.answers.clear();
    }

    pub(super) fn tick(&mut self, now: Instant, line: &mut Line) {
        while let Some((_, link, id)) = self.answers.front().copied().filter(|(due, ..)| *due <= now) {
            self.answers.pop_front();
            if self.session.as_ref().is_some_and(|session| session.link == link) {
                self.send(now, line, Message::Reply(id, Ok(0)));
            }
        }
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        match self.session.as_mut().map(|session| session.heartbeat.tick(now)) {
            None | Some(Pulse::Quiet) => {}
            Some(Pulse::Beat) => self.send(now, line, Message::Beat),
            Some(Pulse::Dead) => {
                dies(now, line);
                self.counts.deaths += 1;
                if let Some(session) = &self.session {
                    line.close(session.link);
                }
                self.lost();
            }
        }
    }

    /// What there is, when nothing goes wrong any more, is what the client wants.
    pub(super) fn settled(&self, client: &Client) {
        let session = self.session.as_ref().expect("a session when healed");
        let wanted: BTreeSet<_> = client.senders.iter().cloned().collect();
        assert_eq!(session.senders, wanted);
        assert_eq!(self.last, client.number(), "the end of the numbers is not known");
        assert_eq!(self.counts.received + self.counts.lost, client.counts.emitted);
        let mut topics: Vec<_> = client.listeners.iter().map(|(topic, _)| topic.to_string()).collect();
        topics.sort();
        topics.dedup();
        assert_eq!(
            session.listeners.len(),
            topics.len(),
            "{:?} for {topics:?}",
            session.listeners
        );
    }

    /// What came over this link.
    pub(super) fn consumed(&self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.consumed)
    }
}
