//! Everything that the links of one forwarder share.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use omq_tokio::message::generated_identity;
use sig_core::CancellationToken;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::link::Link;
use super::place::Writer;
use super::topics::{Change, TooMany, Topics, Wanted};
use crate::forwarder::pump::Gate as _;
use crate::forwarder::way::Way;
use crate::{Options, Pattern};

/// A side of a forwarder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Front,
    Back,
}

/// The links of a side, as they were at one time.
pub(super) type Links = Arc<[Arc<Link>]>;

#[derive(Default)]
pub(super) struct Side {
    links: Mutex<Links>,
    /// Of those whose peers are answered by name.
    names: Mutex<HashMap<Bytes, Arc<Link>>>,
    /// There is room on a link that had none, or there is another link.
    room: Arc<Notify>,
    /// Whose turn it is.
    turn: AtomicUsize,
}

impl Side {
    pub(super) fn links(&self) -> Links {
        Arc::clone(&lock(&self.links))
    }

    pub(super) fn named(&self, name: &[u8]) -> Option<Arc<Link>> {
        lock(&self.names).get(name).cloned()
    }

    /// The first link, from the one whose turn it is, that does as asked.
    pub(super) fn in_turn(&self, mut does: impl FnMut(&Link) -> bool) -> Option<Arc<Link>> {
        let links = self.links();
        let turn = self.turn.load(Ordering::Relaxed);
        for place in (0..links.len()).map(|step| (turn.wrapping_add(step)) % links.len()) {
            if does(&links[place]) {
                self.turn.store(place + 1, Ordering::Relaxed);
                return Some(Arc::clone(&links[place]));
            }
        }
        None
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Link>>)) {
        let mut links = lock(&self.links);
        let mut changed = links.to_vec();
        change(&mut changed);
        *links = changed.into();
        drop(links);
        self.room.notify_waiters();
    }
}

pub(super) struct Hub {
    pub(super) pattern: Pattern,
    pub(super) options: Options,
    pub(super) stop: CancellationToken,
    /// From the front to the back, and the other way.
    pub(super) there: Way,
    pub(super) back_again: Way,
    front: Side,
    back: Side,
    /// Held while the front is told, so that all of it hears of all changes, and in their order.
    wanted: Mutex<Wanted>,
    numbers: AtomicU64,
    /// How many still read, and may have something to pass on.
    readers: watch::Sender<usize>,
    pub(super) shaking: AtomicUsize,
    /// When it has lingered, from when it was told to end.
    overdue: OnceLock<Instant>,
}

impl Hub {
    pub(super) fn new(pattern: Pattern, options: Options, ways: [Way; 2], stop: CancellationToken) -> Self {
        let [there, back_again] = ways;
        Self {
            pattern,
            options,
            stop,
            there,
            back_again,
            front: Side::default(),
            back: Side::default(),
            wanted: Mutex::default(),
            // Names come of them, and a reply to a name of a forwarder that was here before is nobody's.
            numbers: AtomicU64::new(RandomState::new().hash_one(()) >> 1),
            readers: watch::Sender::new(0),
            shaking: AtomicUsize::new(0),
            overdue: OnceLock::new(),
        }
    }

    pub(super) fn side(&self, end: End) -> &Side {
        match end {
            End::Front => &self.front,
            End::Back => &self.back,
        }
    }

    /// Another link is there, as long as the guard.
    pub(super) fn enter(&self, end: End, identity: Option<Bytes>, is_old: bool, writer: Writer) -> Present<'_> {
        let side = self.side(end);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let name = identity.map_or_else(|| generated_identity(number), |name| Bytes::copy_from_slice(&name));
        let link = Arc::new(Link::new(
            number,
            name,
            is_old,
            usize::try_from(self.options.send_high_water)
                .unwrap_or(usize::MAX)
                .max(1),
            Arc::clone(&side.room),
            self.stop.child_token(),
            writer,
        ));
        match (end, self.pattern) {
            (End::Front, Pattern::Requests) => {
                let before = lock(&side.names).insert(link.name.clone(), Arc::clone(&link));
                if let Some(before) = before {
                    tracing::debug!(link = before.number, "a newer link has the same identity");
                    before.stop.cancel();
                }
            }
            (End::Front, Pattern::Broadcast) => link.tell(&Change::new(true, b"")),
            _ => {}
        }
        let wanted = lock(&self.wanted);
        if end == End::Front {
            for prefix in wanted.prefixes() {
                link.tell(&Change::new(true, prefix));
            }
        }
        side.change(|links| links.push(Arc::clone(&link)));
        drop(wanted);
        self.readers.send_modify(|readers| *readers += 1);
        Present {
            hub: self,
            end,
            link,
            reads: true,
        }
    }

    /// A subscriber asks for something, or no more.
    pub(super) fn subscribed(&self, link: &Link, change: &Change) -> Result<(), TooMany> {
        if link.topics(|topics| topics.apply(change))? {
            self.tell(std::slice::from_ref(change));
        }
        Ok(())
    }

    fn tell(&self, changes: &[Change]) {
        if self.pattern != Pattern::Topics {
            return;
        }
        let mut wanted = lock(&self.wanted);
        let front = self.front.links();
        let told: Vec<_> = changes.iter().filter(|change| wanted.apply(change)).collect();
        for link in &*front {
            told.iter().for_each(|change| link.tell(change));
        }
        drop(wanted);
        // What an observer does with them is done without the lock, and before they go out.
        told.iter()
            .for_each(|change| self.back_again.passing(&change.to_message()));
        if !told.is_empty() {
            front.iter().for_each(|link| link.flush());
        }
    }

    /// What `attempt` gives as soon as it gives something, tried again whenever there is room on that side; `None` when the forwarder has
    /// ended and lingered.
    pub(super) async fn room<T>(&self, end: End, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        let room = &self.side(end).room;
        let mut overdue = pin!(self.overdue());
        loop {
            let mut notified = pin!(room.notified());
            notified.as_mut().enable();
            if let Some(done) = attempt() {
                return Some(done);
            }
            tokio::select! {
                biased;
                () = notified => {}
                () = &mut overdue => return None,
            }
        }
    }

    /// Ends when it has ended and lingered.
    pub(super) async fn overdue(&self) {
        self.stop.cancelled().await;
        match self.options.linger {
            None | Some(Duration::MAX) => std::future::pending().await,
            Some(linger) => {
                let overdue = self.overdue.get_or_init(|| Instant::now() + linger);
                tokio::time::sleep_until(*overdue).await;
            }
        }
    }

    /// Nobody has anything to pass on any more.
    async fn quiet(&self) {
        let _ = self.readers.subscribe().wait_for(|readers| *readers == 0).await;
    }
}

/// A link that is part of a forwarder for as long as this lives.
pub(super) struct Present<'a> {
    hub: &'a Hub,
    end: End,
    pub(super) link: Arc<Link>,
    reads: bool,
}

impl Present<'_> {
    /// It reads no more. What others have for it still goes out, until the forwarder has lingered.
    pub(super) async fn linger(&mut self) {
        self.reads_no_more();
        let rest = async {
            self.hub.quiet().await;
            self.link.leave();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.link.writing() => {}
            () = self.hub.overdue() => {}
            () = rest => {}
        }
    }

    fn reads_no_more(&mut self) {
        if std::mem::take(&mut self.reads) {
            self.hub.readers.send_modify(|readers| *readers -= 1);
        }
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.reads_no_more();
        let (side, link) = (self.hub.side(self.end), &self.link);
        side.change(|links| links.retain(|other| !Arc::ptr_eq(other, link)));
        let mut names = lock(&side.names);
        if names.get(&link.name).is_some_and(|named| Arc::ptr_eq(named, link)) {
            names.remove(&link.name);
        }
        drop(names);
        link.close();
        // At the end nobody asks for anything any more, and nobody needs to be told.
        if !self.hub.stop.is_cancelled() {
            let gone = link.topics(Topics::take);
            let changes: Vec<_> = gone.iter().map(|prefix| Change::new(false, prefix)).collect();
            self.hub.tell(&changes);
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
