//! The model: a pysig peer, the link to it, and the owner of the pacer.

use std::collections::{BTreeMap, VecDeque};

use super::super::*;

/// The gap of the peer, in milliseconds like all times here.
pub(super) const GAP: u64 = 10;

/// What a call meets at the peer.
#[derive(Debug, Clone)]
pub(super) struct Fate {
    /// How long it lies in the socket before it is read.
    pub(super) unread: u64,
    /// How long its handler runs.
    pub(super) runs: u64,
    /// pysig cannot write the response and says nothing.
    pub(super) swallowed: bool,
    /// The listener is not known for so long after the call was added.
    pub(super) not_ready: u64,
    /// For so long after it was added it may be repeated.
    pub(super) retry: Option<u64>,
}

/// What a call of the peer meets.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerCall {
    /// How long the caller did something else before.
    pub(super) thinks: u64,
    /// How long the owner of the pacer takes to reply.
    pub(super) handled: u64,
    /// How long the reply lies in the socket before it is read.
    pub(super) unread: u64,
}

/// How a call ended for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Answered,
    GaveUp,
    NotReady,
    Dropped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Document {
    Call(u64),
    Reply(u64),
    Probe(u64),
}

impl Document {
    fn write(self) -> Bytes {
        match self {
            Self::Call(id) => format!("C{id:03}").into(),
            Self::Reply(number) => format!("R{number}").into(),
            Self::Probe(_) => unreachable!("written by the pacer"),
        }
    }

    fn read(bytes: &Bytes) -> Self {
        let text = std::str::from_utf8(bytes).unwrap();
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let number = digits.parse().unwrap();
        match text.as_bytes()[0] {
            b'C' => Self::Call(number),
            b'R' => Self::Reply(number),
            _ => Self::Probe(number),
        }
    }
}

/// What happens at the peer or on the link, by time.
#[derive(Debug, Clone, Copy)]
enum Event {
    Arrives(Document),
    Reads,
    PeerCalls,
    PeerCallArrives(u64),
    Reply(u64),
    PeerGivesUp(u64),
    Finishes { id: u64, answer: Option<bool> },
    Answer { id: u64, ready: bool },
}

pub(super) struct World {
    start: Instant,
    pub(super) now: u64,
    delay: u64,
    pub(super) pacer: Pacer,
    /// Ordered by time, and by when they were planned.
    events: BTreeMap<(u64, usize), Event>,
    planned: usize,
    socket: Vec<Document>,
    busy: bool,
    reading: bool,
    fates: BTreeMap<u64, (u64, Fate)>,
    /// The calls that the peer will make, and those that it made.
    peer_calls: VecDeque<PeerCall>,
    made: Vec<PeerCall>,
    /// The peer's caller is about to call, or waits for a reply.
    caller_is_busy: bool,
    waits_for: Option<u64>,
    pub(super) ends: BTreeMap<u64, End>,
    pub(super) executed: Vec<u64>,
    pub(super) replies_read: Vec<u64>,
}

impl World {
    pub(super) fn new(delay: u64) -> Self {
        let pacing = Pacing {
            gap: Duration::from_millis(GAP),
            max_message: 4096,
        };
        Self {
            start: Instant::now(),
            now: 0,
            delay,
            pacer: Pacer::new(pacing),
            events: BTreeMap::new(),
            planned: 0,
            socket: Vec::new(),
            busy: false,
            reading: false,
            fates: BTreeMap::new(),
            peer_calls: VecDeque::new(),
            made: Vec::new(),
            caller_is_busy: false,
            waits_for: None,
            ends: BTreeMap::new(),
            executed: Vec::new(),
            replies_read: Vec::new(),
        }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn plan(&mut self, after: u64, event: Event) {
        self.planned += 1;
        self.events.insert((self.now + after, self.planned), event);
    }

    fn end(&mut self, id: u64, end: End) {
        let before = self.ends.insert(id, end);
        assert!(before.is_none(), "call {id} ended twice: {before:?}, {end:?}");
    }

    /// The owner's loop: does what the pacer says until it has to wait. Until when, if it says so.
    fn pump(&mut self) -> Option<u64> {
        loop {
            match self.pacer.next(self.at(self.now)) {
                Next::Send(bytes) => self.plan(self.delay, Event::Arrives(Document::read(&bytes))),
                Next::GaveUp(id) => self.end(id, End::GaveUp),
                Next::Wait(until) => {
                    let until = (until - self.start).as_millis() as u64;
                    assert!(until > self.now, "a wait that is over");
                    return Some(until);
                }
                Next::Idle => return None,
            }
        }
    }

    /// The owner makes a call.
    pub(super) fn call(&mut self, fate: Fate) {
        let id = self.fates.len() as u64 + 1;
        let retry = fate.retry.map(|retry| self.at(self.now + retry));
        self.fates.insert(id, (self.now, fate));
        self.pacer.call(id, Document::Call(id).write(), retry).unwrap();
    }

    /// The peer will make a call, after those that it will make already.
    pub(super) fn peer_calls(&mut self, call: PeerCall) {
        self.peer_calls.push_back(call);
        self.wake_caller();
    }

    /// The owner drops the call that it made so many calls ago.
    pub(super) fn drop_call(&mut self, ago: u64) {
        let id = (self.fates.len() as u64).saturating_sub(ago);
        let is_open = self.fates.contains_key(&id) && !self.ends.contains_key(&id);
        assert!(!self.pacer.drop_call(id) || is_open);
        if is_open {
            self.end(id, End::Dropped);
        }
    }

    /// Lets the world go on until `until`.
    pub(super) fn run(&mut self, until: u64) {
        loop {
            let alarm = self.pump();
            let event = self.events.first_key_value().map(|((time, _), _)| *time);
            let Some(next) = alarm.into_iter().chain(event).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = next;
            while let Some(entry) = self.events.first_entry() {
                if entry.key().0 > next {
                    break;
                }
                let event = entry.remove();
                self.happen(event);
            }
        }
        self.now = until;
        self.pump();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives(document) => {
                self.socket.push(document);
                self.wake();
            }
            Event::PeerCalls => {
                if let Some(call) = self.peer_calls.pop_front() {
                    self.made.push(call);
                    let number = self.made.len() as u64;
                    self.waits_for = Some(number);
                    self.plan(self.delay, Event::PeerCallArrives(number));
                    self.plan(10_000, Event::PeerGivesUp(number));
                }
            }
            Event::PeerCallArrives(number) => {
                self.pacer.called(self.at(self.now));
                self.plan(self.made[number as usize - 1].handled, Event::Reply(number));
            }
            Event::Reply(number) => self.pacer.reply(Document::Reply(number).write()).unwrap(),
            Event::PeerGivesUp(number) => self.caller_has(number),
            Event::Reads => {
                self.reading = false;
                let documents = std::mem::take(&mut self.socket);
                match documents[..] {
                    [document] => self.receive(document),
                    _ => documents.into_iter().for_each(|document| self.merged(document)),
                }
            }
            Event::Finishes { id, answer } => {
                self.busy = false;
                if let Some(ready) = answer {
                    self.plan(self.delay, Event::Answer { id, ready });
                }
                self.wake();
            }
            Event::Answer { id, ready: false } if self.pacer.answered_not_ready(id, self.at(self.now)) => {}
            Event::Answer { id, ready } => {
                self.pacer.answered(id);
                if self.fates.contains_key(&id) && !self.ends.contains_key(&id) {
                    self.end(id, if ready { End::Answered } else { End::NotReady });
                }
            }
        }
    }

    /// An idle thread with something in its socket reads it after a while.
    fn wake(&mut self) {
        if self.busy || self.reading {
            return;
        }
        let Some(document) = self.socket.first() else {
            return;
        };
        let unread = match document {
            Document::Call(id) => self.fates[id].1.unread,
            Document::Reply(number) => self.made[*number as usize - 1].unread,
            Document::Probe(_) => 1,
        };
        self.reading = true;
        self.plan(unread, Event::Reads);
    }

    fn receive(&mut self, document: Document) {
        match document {
            Document::Reply(number) => {
                self.replies_read.push(number);
                self.caller_has(number);
            }
            Document::Probe(id) => self.plan(self.delay, Event::Answer { id, ready: true }),
            Document::Call(id) => {
                let (added, fate) = self.fates[&id].clone();
                if self.now < added + fate.not_ready {
                    self.plan(self.delay, Event::Answer { id, ready: false });
                    return;
                }
                self.executed.push(id);
                self.busy = true;
                let answer = (!fate.swallowed).then_some(true);
                self.plan(fate.runs, Event::Finishes { id, answer });
            }
        }
    }

    /// The peer's caller need not wait (any more) for this reply: on to its next call.
    fn caller_has(&mut self, number: u64) {
        if self.waits_for == Some(number) {
            self.waits_for = None;
            self.caller_is_busy = false;
            self.wake_caller();
        }
    }

    fn wake_caller(&mut self) {
        if let (false, Some(call)) = (self.caller_is_busy, self.peer_calls.front()) {
            self.caller_is_busy = true;
            self.plan(call.thinks, Event::PeerCalls);
        }
    }

    /// The promise: only what nobody waits for is ever lost this way.
    fn merged(&self, document: Document) {
        match document {
            Document::Probe(_) => {}
            Document::Reply(number) => panic!("reply {number} was merged at {} ms", self.now),
            Document::Call(id) => {
                let end = self.ends.get(&id);
                let nobody_waits = matches!(end, Some(End::GaveUp | End::Dropped));
                assert!(nobody_waits, "call {id} was merged at {} ms: {end:?}", self.now);
            }
        }
    }
}
