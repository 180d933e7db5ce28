//! The end that connects, with the ledger.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sig_core::{EventName, SenderName, Topic};

use super::line::{Line, Message};
use super::{Counts, PERIOD, TICK};
use crate::policy::Policy;
use crate::session::params::AddSender;
use crate::session::{
    Backoff, Change, Credit, Heartbeat, Hello, Ledger, Pulse, Reconnect, Replies, Secret, Want, WantState, Welcome,
    Wish,
};

/// How long the answers to what is registered may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a name that was refused is asked for again.
const RETRY: Duration = Duration::from_secs(1);

/// The sender that triggers.
pub(super) const EMITTER: &str = "s0";

#[derive(Debug)]
enum Waiting {
    Listener(u64),
    Sender(String),
    Request(Instant),
    Nothing,
}

#[derive(Debug)]
enum Phase {
    Offline {
        retry_at: Instant,
    },
    Greeting {
        link: u64,
        hello: Box<Hello>,
        since: Instant,
    },
    Open {
        link: u64,
    },
}

pub(super) struct Client {
    ledger: Ledger,
    pub(super) listeners: Vec<(Topic, Wish)>,
    pub(super) senders: Vec<String>,
    phase: Phase,
    backoff: Backoff,
    heartbeat: Heartbeat,
    replies: Replies<Waiting>,
    credit: Option<Credit>,
    spent: u64,
    series: u64,
    number: u64,
    next_tick: Instant,
    next_retry: Instant,
    pub(super) counts: Counts,
}

fn add_sender(name: &str) -> AddSender {
    AddSender {
        sender: SenderName::new(name).unwrap(),
        events: vec![EventName::new("e").unwrap()],
        requests: None,
        keep_last: Vec::new(),
        series: None,
        numbers: BTreeMap::new(),
    }
}

impl Client {
    pub(super) fn new(now: Instant) -> Self {
        let mut ledger = Ledger::new();
        ledger.add_sender(add_sender(EMITTER)).unwrap();
        let options = Reconnect::new()
            .first(Duration::from_millis(50))
            .max(Duration::from_millis(500));
        Self {
            ledger,
            listeners: Vec::new(),
            senders: vec![EMITTER.to_owned()],
            phase: Phase::Offline { retry_at: now },
            backoff: Backoff::new(options),
            heartbeat: Heartbeat::new(None, now),
            replies: Replies::new(1000),
            credit: None,
            spent: 0,
            series: 77,
            number: 0,
            next_tick: now,
            next_retry: now,
            counts: Counts::default(),
        }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        let retry = match self.phase {
            Phase::Offline { retry_at } => Some(retry_at),
            _ => None,
        };
        [Some(self.next_tick), retry, self.replies.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn link(&self) -> Option<u64> {
        match self.phase {
            Phase::Open { link } => Some(link),
            Phase::Offline { .. } | Phase::Greeting { .. } => None,
        }
    }

    fn send(&mut self, now: Instant, line: &mut Line, message: Message) {
        if let Phase::Open { link } | Phase::Greeting { link, .. } = self.phase {
            self.heartbeat.sent(now);
            line.send_to_server(now, link, message);
        }
    }

    fn call(
        &mut self,
        now: Instant,
        line: &mut Line,
        what: Waiting,
        deadline: Instant,
        make: impl FnOnce(u64) -> Message,
    ) {
        if let Ok(id) = self.replies.insert(what, deadline) {
            self.send(now, line, make(id));
        }
    }

    // --- what the program does ---

    pub(super) fn trigger(&mut self, now: Instant, line: &mut Line, bytes: u64) {
        let is_online = self.link().is_some() && self.credit.is_some();
        if self.link().is_some() && !self.credit.as_ref().is_some_and(Credit::is_open) {
            return; // It would wait: for credit, or for the answer to its registration.
        }
        self.number += 1;
        self.counts.emitted += 1;
        let (series, number) = (self.series, self.number);
        if let Some(credit) = self.credit.as_mut().filter(|_| is_online) {
            credit.spend(bytes);
            self.spent += bytes;
            self.send(now, line, Message::Event { series, number, bytes });
        }
    }

    pub(super) fn ask(&mut self, now: Instant, line: &mut Line, left: Duration) {
        if self.link().is_some() {
            self.counts.asked += 1;
            let deadline = now + left;
            self.call(now, line, Waiting::Request(deadline), deadline, |id| Message::Request {
                id,
                left,
            });
        }
    }

    pub(super) fn listen(&mut self, now: Instant, line: &mut Line, rng: &mut Rng) {
        if self.listeners.len() >= 20 {
            return;
        }
        let topic: Topic = ["*", "#connect", "s0/e", "s1/*", "s2/e", "x/e"][rng.usize(..6)]
            .parse()
            .unwrap();
        let policy = [Policy::default(), Policy::Latest, Policy::Rate(20.0)][rng.usize(..3)];
        let wish = Wish { policy, snapshot: true };
        let (id, change) = self.ledger.add_listener(&topic, wish);
        self.listeners.push((topic, wish));
        self.tell(now, line, id, change);
    }

    pub(super) fn unlisten(&mut self, now: Instant, line: &mut Line, rng: &mut Rng) {
        if self.listeners.is_empty() {
            return;
        }
        let (topic, wish) = self.listeners.swap_remove(rng.usize(..self.listeners.len()));
        let change = self.ledger.remove_listener(&topic, wish);
        let id = match &change {
            Change::Listen(want) => want.listener_id.unwrap(),
            Change::Unlisten(id) => *id,
            Change::None => return,
        };
        self.tell(now, line, id, change);
    }

    fn tell(&mut self, now: Instant, line: &mut Line, id: u64, change: Change) {
        if self.link().is_none() {
            return;
        }
        let deadline = now + PATIENCE;
        match change {
            Change::Listen(want) => self.call(now, line, Waiting::Listener(id), deadline, |call| {
                Message::AddListener(call, Box::new(want))
            }),
            Change::Unlisten(id) => {
                self.call(now, line, Waiting::Nothing, deadline, |call| {
                    Message::RemoveListener(call, id)
                });
            }
            Change::None => {}
        }
    }

    pub(super) fn add_sender(&mut self, now: Instant, line: &mut Line, which: u8) {
        let name = format!("s{which}");
        let want = add_sender(&name);
        if self.ledger.add_sender(want.clone()).is_ok() {
            self.senders.push(name);
            if self.link().is_some() {
                self.send_sender(now, line, want);
            }
        }
    }

    pub(super) fn remove_sender(&mut self, now: Instant, line: &mut Line, which: u8) {
        let name = format!("s{which}");
        if self.ledger.remove_sender(&SenderName::new(&name).unwrap()) {
            self.senders.retain(|sender| *sender != name);
            if self.link().is_some() {
                let deadline = now + PATIENCE;
                self.call(now, line, Waiting::Nothing, deadline, |call| {
                    Message::RemoveSender(call, name)
                });
            }
        }
    }

    fn send_sender(&mut self, now: Instant, line: &mut Line, mut want: AddSender) {
        let name = want.sender.to_string();
        if name == EMITTER {
            want.series = Some(self.series);
            want.numbers = BTreeMap::from([(want.events[0].clone(), self.number)]);
        }
        let deadline = now + PATIENCE;
        self.call(now, line, Waiting::Sender(name), deadline, |call| {
            Message::AddSender(call, Box::new(want))
        });
    }

    // --- what comes ---

    pub(super) fn take(&mut self, now: Instant, line: &mut Line, message: Message) {
        self.heartbeat.heard(now);
        match message {
            Message::Welcome(welcome) => {
                let Phase::Greeting { link, hello, .. } = &self.phase else {
                    panic!("welcomed twice");
                };
                let (link, welcome) = (*link, Welcome::read(&welcome, hello).unwrap());
                assert_eq!(Duration::from_millis(welcome.heartbeat_ms), PERIOD);
                self.phase = Phase::Open { link };
                self.heartbeat = Heartbeat::new(Some(PERIOD), now);
                self.counts.links += 1;
                self.backoff.succeeded();
                for want in self.ledger.replay() {
                    match want {
                        Want::Listener(_, want) => {
                            self.tell(now, line, want.listener_id.unwrap(), Change::Listen(want))
                        }
                        Want::Sender(want) => self.send_sender(now, line, want),
                    }
                }
            }
            Message::Reply(id, answer) => {
                assert!(self.replies.was_given(id));
                match (self.replies.take(id), answer) {
                    (Some(Waiting::Listener(id)), Ok(_)) => drop(self.ledger.set_listener_state(id, WantState::Live)),
                    (Some(Waiting::Sender(name)), answer) => self.registered(&name, answer),
                    (Some(Waiting::Request(deadline)), _) => {
                        assert!(now <= deadline, "answered {:?} after the deadline", now - deadline);
                        self.counts.answered += 1;
                    }
                    (Some(Waiting::Nothing) | None, _) => {}
                    (Some(Waiting::Listener(_)), Err(text)) => panic!("{text}"),
                }
            }
            Message::Grant(total) => {
                if let Some(credit) = &mut self.credit {
                    credit.granted(total);
                }
            }
            Message::Beat => {}
            other => panic!("{other:?} for a client"),
        }
    }

    fn registered(&mut self, name: &str, answer: Result<u64, String>) {
        let sender = SenderName::new(name).unwrap();
        let state = match answer {
            Ok(granted) => {
                if name == EMITTER {
                    self.credit = Some(Credit::new(granted));
                    self.spent = 0;
                }
                WantState::Live
            }
            Err(text) => {
                self.counts.refused += 1;
                WantState::Refused { text }
            }
        };
        self.ledger.set_sender_state(&sender, state);
    }

    /// The link is over.
    pub(super) fn lost(&mut self, now: Instant, random: f64) {
        if matches!(self.phase, Phase::Offline { .. }) {
            return;
        }
        if self.link().is_some() {
            self.ledger.offline();
        }
        let retry_at = now + self.backoff.next(random);
        self.phase = Phase::Offline { retry_at };
        self.heartbeat = Heartbeat::new(None, now);
        self.credit = None;
        for waiting in self.replies.drain() {
            self.counts.timed_out += u64::from(matches!(waiting, Waiting::Request(_)));
        }
    }

    pub(super) fn tick(&mut self, now: Instant, line: &mut Line, rng: &mut Rng) {
        for (_, waiting) in self.replies.expire(now) {
            match waiting {
                Waiting::Request(deadline) => {
                    assert_eq!(deadline, now, "a call was left waiting");
                    self.counts.timed_out += 1;
                }
                Waiting::Listener(_) | Waiting::Sender(_) => self.give_up(now, line, rng),
                Waiting::Nothing => {}
            }
        }
        assert!(
            self.replies.next_deadline().is_none_or(|due| due > now),
            "a call is left waiting"
        );
        match &self.phase {
            Phase::Offline { retry_at } if *retry_at <= now => self.dial(now, line, rng),
            Phase::Greeting { since, .. } if now - *since > PATIENCE => self.give_up(now, line, rng),
            _ => {}
        }
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        match self.heartbeat.tick(now) {
            Pulse::Quiet => {}
            Pulse::Beat => self.send(now, line, Message::Beat),
            Pulse::Dead => {
                super::server::dies(now, line);
                self.counts.deaths += 1;
                self.give_up(now, line, rng);
            }
        }
        if self.link().is_some() && now >= self.next_retry {
            self.next_retry = now + RETRY;
            for name in self.ledger.refused() {
                let want = self.ledger.sender(&name).unwrap().clone();
                self.ledger.set_sender_state(&name, WantState::Pending);
                self.send_sender(now, line, want);
            }
        }
    }

    fn give_up(&mut self, now: Instant, line: &mut Line, rng: &mut Rng) {
        if let Phase::Open { link } | Phase::Greeting { link, .. } = self.phase {
            line.close(link);
        }
        self.lost(now, rng.f64());
    }

    fn dial(&mut self, now: Instant, line: &mut Line, rng: &mut Rng) {
        let Some(link) = line.dial() else {
            let retry_at = now + self.backoff.next(rng.f64()).max(Duration::from_millis(1));
            self.phase = Phase::Offline { retry_at };
            return;
        };
        let hello = Hello {
            versions: [1, 1],
            capabilities: Vec::new(),
            codec: "json".to_owned(),
            instance: Secret::from_random(1),
            token: None,
            max_message: 1 << 20,
            heartbeat_ms: u64::try_from(PERIOD.as_millis()).unwrap(),
            router_id: "client".to_owned(),
        };
        let said = Message::Hello(Box::new(hello.clone()));
        let (hello, since) = (Box::new(hello), now);
        self.phase = Phase::Greeting { link, hello, since };
        self.send(now, line, said);
    }

    // --- when nothing goes wrong any more ---

    pub(super) fn settled(&self) {
        assert!(self.link().is_some(), "{:?} when healed", self.phase);
        assert_eq!(self.ledger.pending(), 0, "unanswered when healed");
        assert_eq!(self.ledger.refused(), [], "refused when its name is free");
        assert!(
            self.credit.as_ref().is_some_and(Credit::is_open),
            "no credit when nothing is under way"
        );
        assert_eq!(
            self.counts.asked,
            self.counts.answered + self.counts.timed_out,
            "calls that did not end"
        );
        assert_eq!(self.replies.len(), 0);
    }

    /// What was spent over this link.
    pub(super) fn spent(&self) -> u64 {
        self.spent
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}
