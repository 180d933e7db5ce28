//! The pacer against a model of a pysig peer: one receiving thread that takes all that lies in its socket for one
//! message, over a link with delay, with handlers that are slow, silent or not ready.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

const GAP: u64 = 10;
const LONG: u64 = 3_600_000;

/// What a call meets at the peer.
#[derive(Debug, Clone)]
struct Fate {
    /// How long it lies in the socket before it is read.
    unread: u64,
    /// How long its handler runs.
    runs: u64,
    /// pysig cannot write the response and says nothing.
    swallowed: bool,
    /// The listener is not known for so long after the call was added.
    not_ready: u64,
    /// For so long after it was added it may be repeated.
    retry: Option<u64>,
}

#[derive(Debug, Clone)]
enum Step {
    Call(Fate),
    /// A reply, read after so long.
    Reply(u64),
    /// Drops the call that was added so many calls ago.
    Drop(usize),
}

/// How a call ended for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
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
    Finishes { id: u64, answer: Option<bool> },
    Answer { id: u64, ready: bool },
}

struct World {
    start: Instant,
    now: u64,
    delay: u64,
    pacer: Pacer,
    /// Ordered by time, and by when they were planned.
    events: BTreeMap<(u64, usize), Event>,
    planned: usize,
    socket: Vec<Document>,
    busy: bool,
    reading: bool,
    fates: BTreeMap<u64, (u64, Fate)>,
    unread: VecDeque<u64>,
    ends: BTreeMap<u64, End>,
    executed: Vec<u64>,
    replies_read: Vec<u64>,
}

impl World {
    fn new(delay: u64) -> Self {
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
            unread: VecDeque::new(),
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

    /// Lets the world go on until `until`.
    fn run(&mut self, until: u64) {
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
            Document::Reply(_) => self.unread.pop_front().unwrap(),
            Document::Probe(_) => 1,
        };
        self.reading = true;
        self.plan(unread, Event::Reads);
    }

    fn receive(&mut self, document: Document) {
        match document {
            Document::Reply(number) => self.replies_read.push(number),
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

fn fates() -> impl Strategy<Value = Fate> {
    let millis = |rare: u64| prop_oneof![12 => 0u64..20, 1 => 0..rare];
    let retry = prop_oneof![2 => Just(None), 1 => (0u64..1000).prop_map(Some)];
    let not_ready = prop_oneof![3 => Just(0u64), 1 => 0u64..60];
    (
        millis(35_000),
        millis(60_000),
        prop::bool::weighted(0.05),
        not_ready,
        retry,
    )
        .prop_map(|(unread, runs, swallowed, not_ready, retry)| Fate {
            unread,
            runs,
            swallowed,
            not_ready,
            retry,
        })
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let pause = prop_oneof![6 => 0u64..5, 3 => 0u64..100, 1 => 0u64..30_000];
    let step = prop_oneof![
        5 => fates().prop_map(Step::Call),
        5 => (0..GAP).prop_map(Step::Reply),
        1 => (0usize..6).prop_map(Step::Drop),
    ];
    prop::collection::vec((pause, step), 1..60)
}

proptest! {
    #[test]
    fn no_document_that_matters_is_ever_merged(delay in 0u64..40, steps in steps()) {
        let mut world = World::new(delay);
        let (mut calls, mut replies) = (0, 0);
        for (pause, step) in steps {
            world.run(world.now + pause);
            match step {
                Step::Call(fate) => {
                    calls += 1;
                    let retry = fate.retry.map(|retry| world.at(world.now + retry));
                    world.fates.insert(calls, (world.now, fate));
                    world.pacer.call(calls, Document::Call(calls).write(), retry).unwrap();
                }
                Step::Reply(unread) => {
                    replies += 1;
                    world.unread.push_back(unread);
                    world.pacer.reply(Document::Reply(replies).write()).unwrap();
                }
                Step::Drop(ago) => {
                    let id = u64::saturating_sub(calls, ago as u64);
                    let known = world.fates.contains_key(&id) && !world.ends.contains_key(&id);
                    prop_assert!(!world.pacer.drop_call(id) || known);
                    if known {
                        world.end(id, End::Dropped);
                    }
                }
            }
        }
        world.run(world.now + LONG);

        prop_assert_eq!((world.pacer.len(), world.pacer.byte_len()), (0, 0), "stuck");
        prop_assert_eq!(world.replies_read, (1..=replies).collect::<Vec<_>>());
        prop_assert!(world.executed.is_sorted_by(|a, b| a < b), "order or repetition: {:?}", world.executed);
        for id in 1..=calls {
            let ran = world.executed.contains(&id);
            match world.ends.get(&id) {
                Some(End::Answered) => prop_assert!(ran),
                Some(End::NotReady) => prop_assert!(!ran),
                Some(End::GaveUp | End::Dropped) => {}
                None => prop_assert!(false, "call {} has no end", id),
            }
        }
    }
}
