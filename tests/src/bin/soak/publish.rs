//! The life of one sender.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use sig_router::{Offline, Payload, RemoteSender, Sender, Signal, TriggerError};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::books::{Books, Kind};
use crate::world::Side;

/// What a sender may declare.
pub(crate) const EVENTS: [&str; 4] = ["volt", "ampere", "#alarm", "#state"];

/// The largest payload.
const LARGEST: usize = 300_000;

/// Who triggers, here or over a link.
enum Source {
    Local(Sender),
    Remote(RemoteSender),
}

impl Source {
    async fn connect(side: &Side, name: &str, random: &mut Rng) -> Option<Self> {
        let kept = EVENTS[random.usize(0..EVENTS.len())];
        let others = EVENTS.into_iter().filter(|event| *event != kept);
        match side {
            Side::Router(router) => {
                let sender = router.add_sender(name).event(kept).keep_last().events(others);
                sender.connect().ok().map(Self::Local)
            }
            Side::Client(client) => {
                let offline = [Offline::Wait, Offline::Latest, Offline::Buffer(100)][random.usize(0..3)];
                let sender = client.add_remote_sender(name).event(kept).keep_last().events(others);
                sender.offline(offline).connect().await.ok().map(Self::Remote)
            }
        }
    }

    fn signal(&self, event: &str) -> Option<Signal> {
        match self {
            Self::Local(sender) => sender.signal(event).ok(),
            Self::Remote(sender) => sender.signal(event).ok(),
        }
    }

    /// Whether all that it emitted has gone to the router, or never will.
    fn is_settled(&self) -> bool {
        match self {
            Self::Local(_) => true,
            Self::Remote(sender) => sender.state() == sig_router::SenderState::Live && sender.kept() == 0,
        }
    }
}

/// Of many sizes, most of them small; it says which event it is of.
fn payload(number: u64, random: &mut Rng) -> Payload {
    let size = match random.u32(0..100) {
        0..10 => 0,
        10..70 => random.usize(8..100),
        70..98 => random.usize(100..4000),
        _ => random.usize(4000..LARGEST),
    };
    let mut bytes = vec![0; size];
    if let Some(start) = bytes.first_chunk_mut() {
        *start = number.to_le_bytes();
    }
    Payload::from_bytes(bytes)
}

/// Emits at random until it is dropped. While all rest, the gauge of those that do not is one less.
pub(crate) async fn live(
    books: Arc<Books>,
    side: Side,
    name: String,
    seed: u64,
    mut resting: watch::Receiver<bool>,
    busy: watch::Sender<usize>,
) {
    let mut random = Rng::with_seed(seed);
    let Some(source) = Source::connect(&side, &name, &mut random).await else {
        return;
    };
    let signal = |event: &str| Some(((name.clone(), event.to_owned()), source.signal(event)?, 0));
    let mut signals: Vec<(Kind, Signal, u64)> = EVENTS.into_iter().filter_map(signal).collect();
    let pause = [0, 1, 5, 20][random.usize(0..4)];
    let mut working = Working::begin(&busy);
    let _retiring = Retiring {
        books: &books,
        name: &name,
    };
    loop {
        if *resting.borrow_and_update() {
            if source.is_settled() {
                working.rest();
                if resting.changed().await.is_err() {
                    return;
                }
            } else {
                sleep(Duration::from_millis(5)).await;
            }
            continue;
        }
        working.go_on();
        for _ in 0..random.u32(1..20) {
            let index = random.usize(0..signals.len());
            let (kind, signal, last) = &mut signals[index];
            match signal.trigger(&payload(*last + 1, &mut random)).await {
                // One that is given up has its number all the same.
                Ok(()) | Err(TriggerError::Offline { .. }) => {
                    *last += 1;
                    books.emitted(kind, *last);
                }
                Err(TriggerError::Busy { .. }) => {}
                Err(TriggerError::SenderGone { .. } | TriggerError::Closed) => return,
                Err(error) => return books.fail(format!("{name} cannot trigger: {error}")),
            }
        }
        sleep(Duration::from_millis(random.u64(0..=pause))).await;
    }
}

/// Nothing is expected of a sender that left.
struct Retiring<'a> {
    books: &'a Books,
    name: &'a str,
}

impl Drop for Retiring<'_> {
    fn drop(&mut self) {
        self.books.retire(self.name);
    }
}

/// Counts those who emit, or have something on its way.
struct Working<'a> {
    busy: &'a watch::Sender<usize>,
    counted: bool,
}

impl<'a> Working<'a> {
    fn begin(busy: &'a watch::Sender<usize>) -> Self {
        let mut working = Self { busy, counted: false };
        working.go_on();
        working
    }

    fn go_on(&mut self) {
        if !std::mem::replace(&mut self.counted, true) {
            self.busy.send_modify(|busy| *busy += 1);
        }
    }

    fn rest(&mut self) {
        if std::mem::replace(&mut self.counted, false) {
            self.busy.send_modify(|busy| *busy -= 1);
        }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.rest();
    }
}
