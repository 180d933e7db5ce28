//! What a router remembers of a sender and of each of its events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use sig_core::{ClientId, EventName, Payload, SenderName, Topic};

use super::group::Group;
use super::shortcut::{Former, Shortcut};
use super::snapshot::{Snapshot, Snapshots};
use crate::event::{EventId, Presence};
use crate::few::FewMap;
use crate::flow::UNNUMBERED;
use crate::outlet::{Item, Uplink};
use crate::pressure::Gate;
use crate::request::Requests;
use crate::straight::Straight;

/// Whose sender it is: only the owner may signal for it or remove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This program.
    Local,
    /// A client.
    Client(ClientId),
    /// The router itself.
    Router,
}

/// A sender: connected, or only waited for by listeners.
#[derive(Debug)]
pub(crate) struct SenderRecord {
    pub(crate) name: SenderName,
    /// Listeners to all of its events.
    pub(crate) broadcast: Group,
    pub(crate) events: Mutex<FewMap<EventName, Arc<EventRecord>>>,
    /// Held for the short time in which an event gets its number and is put into the queues, which makes the order.
    pub(crate) lane: Mutex<Option<Connection>>,
    pub(crate) gate: Arc<Gate>,
    /// The router does not know it any more; a new record may have taken its place.
    pub(crate) forgotten: AtomicBool,
    /// How much of it was passed on by those who hold the lane.
    passed: AtomicU64,
    /// Another router tells of it, whether anybody listens to it by name or not.
    mirrored: AtomicBool,
    /// As far as anybody was told it is not there, and whoever hears of its presence will be told if it is.
    absent: AtomicBool,
}

/// A sender's time between `#connect` and `#disconnect`.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) generation: u64,
    pub(crate) owner: Owner,
    /// The carrier that brought it, for people.
    pub(crate) carrier: &'static str,
    pub(crate) declared: BTreeSet<EventName>,
    pub(crate) requests: Arc<Requests>,
    /// The way to another router, for a remote sender's local side.
    pub(crate) uplink: Option<Arc<dyn Uplink>>,
    /// The short way there, as far as it goes.
    pub(crate) straight: Option<Straight>,
    /// Who listens to its events.
    pub(crate) snapshots: Snapshots,
}

impl Connection {
    /// What `#connect` and `#disconnect` tell.
    pub(crate) fn presence(&self, reason: Option<&str>) -> Presence {
        let mut events: Vec<_> = self.declared.iter().cloned().collect();
        events.extend([EventName::connect(), EventName::disconnect()]);
        Presence {
            events,
            requests: self.requests.names(),
            reason: reason.map(str::to_owned),
            generation: self.generation,
            carrier: self.carrier.to_owned(),
        }
    }
}

impl SenderRecord {
    pub(super) fn new(name: SenderName, is_absent: bool) -> Self {
        Self {
            gate: Arc::new(Gate::of(name.clone())),
            name,
            broadcast: Group::default(),
            events: Mutex::default(),
            lane: Mutex::new(None),
            forgotten: AtomicBool::new(false),
            passed: AtomicU64::new(0),
            mirrored: AtomicBool::new(false),
            absent: AtomicBool::new(is_absent),
        }
    }

    /// Notes whether another router tells of it.
    pub(super) fn set_mirrored(&self, mirrored: bool) {
        self.mirrored.store(mirrored, Ordering::Relaxed);
    }

    /// A listener of this topic left. What nobody hears any more, the other router does not tell: what was last known of
    /// it will not be true for long.
    pub(super) fn let_go_of_mirrored(&self, topic: &Topic) {
        if !self.mirrored.load(Ordering::Relaxed) {
            return;
        }
        let concerned =
            |event: &&Arc<EventRecord>| event.name().is_presence() || topic.matches(&self.name, event.name());
        let events: Vec<_> = self.events.lock().values().filter(concerned).cloned().collect();
        events.iter().for_each(|event| event.let_go_if_unheard());
    }

    /// The other router told that it is there.
    pub(crate) fn told_present(&self) {
        self.absent.store(false, Ordering::Relaxed);
    }

    /// The other router told that it left; gives whether that is news.
    pub(crate) fn told_absent(&self) -> bool {
        !self.absent.load(Ordering::Relaxed)
    }

    /// The link to the other router is lost: over the next one, everybody who hears of its presence is told first if it
    /// is there.
    pub(super) fn link_lost(&self) {
        let events = self.events.lock();
        let mut presence = events.values().filter(|event| event.name().is_presence());
        self.absent
            .store(presence.any(|event| event.is_heard()), Ordering::Relaxed);
    }

    /// It is gone. If it may come back, its numbers go on.
    pub(crate) fn gone(&self, may_come_back: bool) {
        let events: Vec<_> = self.events.lock().values().cloned().collect();
        for event in events.iter().filter(|event| !event.name().is_presence()) {
            let snapshot = event.snapshot();
            snapshot
                .outlets
                .iter()
                .for_each(|(outlet, _)| outlet.gone(event, may_come_back));
        }
    }

    /// Whether another router tells of it, and somebody hears that who does not name it.
    pub(super) fn is_mirrored(&self) -> bool {
        self.mirrored.load(Ordering::Relaxed) && self.events.lock().values().any(|event| event.has_broad_listeners())
    }

    pub(crate) fn event(&self, name: &str) -> Option<Arc<EventRecord>> {
        self.events.lock().get(name).cloned()
    }

    /// An event that it declared, while it is connected.
    pub(crate) fn declared(&self, name: &str) -> Option<Arc<EventRecord>> {
        let declared = self
            .lane
            .lock()
            .as_ref()
            .is_some_and(|connection| connection.declared.contains(name));
        declared.then(|| self.event(name)).flatten()
    }

    /// Its last values end with it. Gives the events that had one, but for `#connect`.
    pub(crate) fn forget_last(&self) -> Vec<Arc<EventRecord>> {
        let events = self.events.lock();
        let kept = events.values().filter(|event| event.take_last().is_some());
        kept.filter(|event| !event.name().is_presence()).cloned().collect()
    }

    /// What an event without data counts for.
    pub(crate) const EVENT_COST: u64 = 4096;

    /// A sender of which so much was passed on makes progress: 256 events, or a mebibyte of data.
    pub(crate) const PROGRESS: u64 = 256 * Self::EVENT_COST;

    /// So many events with so many bytes of data are passed on. The caller holds the lane, or is the only one who brings
    /// events of this sender.
    pub(crate) fn pass(&self, events: u64, bytes: usize) {
        let passed = self.passed.load(Ordering::Relaxed) + events * Self::EVENT_COST + bytes as u64;
        self.passed.store(passed, Ordering::Relaxed);
    }

    /// How much was passed on so far.
    pub(crate) fn passed(&self) -> u64 {
        let past_the_lane = |event: &Arc<EventRecord>| event.shortcut.passed();
        let past_the_lane: u64 = self.events.lock().values().map(past_the_lane).sum();
        self.passed.load(Ordering::Relaxed) + past_the_lane
    }

    /// Its events that are channels, but for presence.
    pub(crate) fn channels(&self) -> Vec<EventName> {
        let events = self.events.lock();
        // They begin alike, and so stand together.
        let channels = events.iter_from("#").take_while(|(name, _)| name.is_channel());
        let channels = channels.filter(|(name, _)| !name.is_presence());
        channels.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.lane.lock().is_some()
    }

    /// Whether anybody listens to it by name. Quick where many do.
    pub(crate) fn has_listeners(&self) -> bool {
        self.broadcast.len() > 0 || self.events.lock().values().any(|event| event.specific.len() > 0)
    }

    pub(crate) fn count_listeners(&self) -> usize {
        self.broadcast.len()
            + self
                .events
                .lock()
                .values()
                .map(|event| event.specific.len())
                .sum::<usize>()
    }
}

/// The series of presence events, whose number is the generation of their sender.
const PRESENCE: u64 = 1;

/// The last value of an event.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) payload: Payload,
    pub(crate) number: u64,
    pub(crate) since: Instant,
}

/// One event of one sender.
#[derive(Debug)]
pub(crate) struct EventRecord {
    /// Names it on this router's links; never used for another one.
    pub(crate) alias: u32,
    id: Arc<EventId>,
    pub(crate) sender: Arc<SenderRecord>,
    /// Listeners to this event alone.
    pub(crate) specific: Group,
    /// Listeners to this channel of any sender.
    pub(crate) channel: Option<Arc<Group>>,
    /// Listeners to everything.
    pub(crate) everything: Arc<Group>,
    shortcut: Shortcut,
    /// Names the run of numbers; they go on as long as it is the same.
    series: AtomicU64,
    keeps_last: AtomicBool,
    last: Mutex<Option<Kept>>,
    /// Whether somebody needed the last one packed: so will the next, most likely.
    packed: AtomicBool,
    cached: Mutex<Arc<Snapshot>>,
}

impl EventRecord {
    pub(crate) fn new(
        alias: u32,
        sender: &Arc<SenderRecord>,
        name: EventName,
        channel: Option<Arc<Group>>,
        everything: Arc<Group>,
    ) -> Self {
        Self {
            alias,
            sender: Arc::clone(sender),
            specific: Group::default(),
            channel,
            everything,
            shortcut: Shortcut::new(),
            series: AtomicU64::new(if name.is_presence() { PRESENCE } else { UNNUMBERED }),
            // Who is there is told to those who come late, too.
            keeps_last: AtomicBool::new(name.as_str() == sig_core::CONNECT),
            last: Mutex::new(None),
            packed: AtomicBool::new(false),
            cached: Mutex::new(Arc::new(Snapshot::stale())),
            id: Arc::new(EventId {
                sender: sender.name.clone(),
                event: name,
            }),
        }
    }

    pub(crate) fn id(&self) -> &Arc<EventId> {
        &self.id
    }

    pub(crate) fn name(&self) -> &EventName {
        &self.id.event
    }

    /// Whether anybody listens to it who does not name its sender.
    fn has_broad_listeners(&self) -> bool {
        self.everything.len() > 0 || self.channel.as_ref().is_some_and(|channel| channel.len() > 0)
    }

    /// The next number. The caller holds the sender's lane.
    pub(crate) fn next_number(&self) -> u64 {
        self.shortcut.next()
    }

    /// The way past the sender's lane.
    #[inline]
    pub(crate) fn shortcut(&self) -> &Shortcut {
        &self.shortcut
    }

    /// Takes the number that an event from a link came with, and gives the one before. The caller holds the sender's
    /// lane.
    pub(crate) fn set_number(&self, number: u64) -> u64 {
        self.shortcut.set(number)
    }

    pub(crate) fn series(&self) -> u64 {
        self.series.load(Ordering::Relaxed)
    }

    /// The last number, for those who only look.
    pub(crate) fn number(&self) -> u64 {
        self.shortcut.last()
    }

    /// The last number; it stays so while the caller holds the sender's lane.
    pub(crate) fn pinned_number(&self) -> u64 {
        self.shortcut.pin()
    }

    /// Whether the last one is kept for those who come late.
    pub(crate) fn keeps_last(&self) -> bool {
        self.keeps_last.load(Ordering::Relaxed)
    }

    pub(crate) fn set_keeps_last(&self, keeps_last: bool) {
        self.keeps_last.store(keeps_last, Ordering::Relaxed);
    }

    /// Keeps an event for those who come late. What lies in a read buffer is copied: it would keep all of that alive.
    pub(crate) fn keep(&self, item: &Item<'_>) {
        let mut last = self.last.lock();
        let is_newer = last.as_ref().is_none_or(|last| item.number > last.number);
        if is_newer || item.retained.is_none() {
            *last = Some(Kept::of(item));
        }
    }

    /// Keeps nothing any more, if nobody listens. Who hears of a sender's leaving wants it known who is there.
    pub(super) fn let_go_if_unheard(&self) {
        let is_disconnect_heard = || {
            let disconnect = self.sender.event(sig_core::DISCONNECT);
            self.name().as_str() == sig_core::CONNECT && disconnect.is_some_and(|event| event.is_heard())
        };
        if !self.is_heard() && !is_disconnect_heard() {
            drop(self.take_last());
        }
    }

    /// What is kept.
    pub(crate) fn last(&self) -> Option<Kept> {
        self.last.lock().clone()
    }

    /// What is kept, if anything is, says something else from here on.
    pub(crate) fn renew_last(&self, payload: Payload) {
        if let Some(kept) = &mut *self.last.lock() {
            kept.payload = payload;
        }
    }

    /// Keeps nothing any more; gives what was kept.
    pub(crate) fn take_last(&self) -> Option<Kept> {
        self.last.lock().take()
    }

    /// The next event is the one after this of this series. The caller holds the sender's lane, or is the only one who
    /// brings its events. Gives the number that the series had before.
    pub(crate) fn set_series(&self, series: u64, number: u64) -> u64 {
        let goes_on = self.series.swap(series, Ordering::Relaxed) == series;
        let before = self.shortcut.pin();
        self.shortcut.set(if goes_on { number.max(before) } else { number });
        if goes_on { before } else { number }
    }

    /// Whether the next one will be needed packed, as far as can be told.
    pub(crate) fn is_packed(&self) -> bool {
        self.packed.load(Ordering::Relaxed)
    }

    pub(crate) fn set_packed(&self, packed: bool) {
        if self.is_packed() != packed {
            self.packed.store(packed, Ordering::Relaxed);
        }
    }

    /// Who listens now, made anew when a group has changed. See also [`Snapshots`], which is quicker.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        let mut cached = self.cached.lock();
        if !cached.is_current(self) {
            *cached = Arc::new(Snapshot::take(self));
        }
        Arc::clone(&cached)
    }

    /// Nobody triggers it any more until its sender is back, and no functions are kept for that. The caller holds the
    /// sender's lane, and drops the functions when it does not any more: with them may go what they own.
    pub(super) fn shut(&self) -> Former {
        self.shortcut.pin();
        self.shortcut.clear()
    }

    /// Keeps the functions at this address no more for the next trigger. The lane is not held.
    pub(super) fn let_go_of_calls(&self, address: usize) {
        let lane = self.sender.lane.lock();
        let former = self.shortcut.clear_those(address);
        drop(lane);
        drop(former);
    }
}
