//! The way of one sender's events to the router.

mod backlog;
mod flow;
mod online;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use sig_core::{EventName, Payload, SenderName};
use tokio::sync::Notify;

use super::link::Link;
use super::offline::Offline;
use crate::complaints::Complaints;
use crate::confirm::Receipt;
use crate::hub::{Added, CatchUp, EventRecord, SenderRecord};
use crate::outbox::Outbox;
use crate::outlet::{Item, Outlet, Terms, Uplink};
use crate::pressure::{Gate, GateWatch};
use crate::session::Credit;
use crate::straight::Straight;
use flow::{Flow, Sent};
use online::{Online, max_payload};

/// The way of one sender's events to the router: open while there is a link and credit, and nothing older waits.
pub(super) struct SenderUplink {
    sender: SenderName,
    state: Mutex<State>,
    /// Most bytes that the data of one event may have: of the last link while there is none.
    max_payload: AtomicUsize,
    /// Rung when nothing is kept any more, or nothing will be sent.
    settled: Notify,
    me: Weak<Self>,
}

struct State {
    flow: Flow<Online, Kept>,
    /// The sender here, once it is connected, and whether its gate is held shut from here.
    local: Option<Local>,
    is_held: bool,
}

/// The sender in this program.
struct Local {
    record: Weak<SenderRecord>,
    generation: u64,
    gate: Arc<Gate>,
}

/// An event that was triggered while there was no link.
struct Kept {
    event: Arc<EventRecord>,
    number: u64,
    payload: Payload,
    /// For whoever waits to be told what became of it.
    receipt: Cell<Option<Receipt>>,
}

type Complained = Vec<(Arc<EventRecord>, Complaints)>;

impl SenderUplink {
    pub(super) fn new(sender: SenderName, policy: Offline) -> Arc<Self> {
        let state = State {
            flow: Flow::new(policy),
            local: None,
            is_held: false,
        };
        Arc::new_cyclic(|me| Self {
            sender,
            state: Mutex::new(state),
            max_payload: AtomicUsize::new(usize::MAX),
            settled: Notify::new(),
            me: me.clone(),
        })
    }

    /// From now on the sender's gate is shut when events cannot go on.
    pub(super) fn attach(&self, added: &Added) {
        let mut state = self.state.lock();
        state.local = Some(Local {
            record: Arc::downgrade(&added.sender),
            generation: added.generation,
            gate: Arc::clone(&added.sender.gate),
        });
        state.sync_gate();
    }

    /// Which sender it is here, if it was connected: the router had it once.
    pub(super) fn generation(&self) -> Option<u64> {
        self.state.lock().local.as_ref().map(|local| local.generation)
    }

    /// The router has the sender. What was kept goes with [`send_kept`](Self::send_kept).
    pub(super) fn online(&self, link: &Arc<Link>, aliases: BTreeMap<EventName, u32>, credit: u64) {
        // A pysig server knows no credit; there its answers hold the sender up.
        let credit = Credit::new(if link.is_pysig() { u64::MAX } else { credit });
        self.max_payload
            .store(max_payload(link, &self.sender), Ordering::Relaxed);
        let online = Online::new(link, aliases, self.me.clone());
        let mut state = self.state.lock();
        state.flow.online(online, credit);
        state.sync_gate();
    }

    /// Sends what was kept, as far as there is credit and room. No lock may be held.
    pub(super) fn send_kept(&self) {
        let mut complained = Vec::new();
        let mut state = self.state.lock();
        while state.send_one_kept(&mut complained) {}
        state.sync_gate();
        let is_settled = state.is_settled();
        drop(state);
        if let Some(outbox) = self.unsent() {
            outbox.send_now();
        }
        if is_settled {
            self.settled.notify_waiters();
        }
        for (event, complaints) in complained {
            complaints.report(&event);
        }
    }

    /// The sender is gone, and with it what was kept: gives how many events that were. Its gate, which listeners may keep
    /// for the next of its name, is let go of.
    pub(super) fn detach(&self) -> u64 {
        let mut state = self.state.lock();
        let (link, kept) = (state.flow.offline(), state.flow.clear());
        let local = state.local.take().filter(|_| state.is_held);
        state.is_held = false;
        drop(state);
        if let Some(local) = local {
            local.gate.release();
        }
        drop(link);
        self.settled.notify_waiters();
        kept.len() as u64
    }

    /// There is no link.
    pub(super) fn offline(&self) {
        let mut state = self.state.lock();
        let link = state.flow.offline();
        state.sync_gate();
        drop(state);
        drop(link);
        self.settled.notify_waiters();
    }

    /// The router grants so many bytes in all. No lock may be held.
    pub(super) fn granted(&self, link: &Link, total: u64) {
        let mut state = self.state.lock();
        if !state.flow.link().is_some_and(|online| online.is_over(link)) {
            return;
        }
        state.flow.granted(total);
        state.sync_gate();
        let has_kept = !state.flow.kept().is_empty();
        drop(state);
        if has_kept {
            self.send_kept();
        }
    }

    /// The number before the next event of each that goes to the router, for all that had events: what is missing at
    /// the router up to there will never come.
    pub(super) fn numbers(&self) -> BTreeMap<EventName, u64> {
        let record = self
            .state
            .lock()
            .local
            .as_ref()
            .and_then(|local| local.record.upgrade());
        let Some(record) = record else { return BTreeMap::new() };
        // Numbers are given, and events kept, under the lane.
        let lane = record.lane.lock();
        let Some(connection) = &*lane else {
            return BTreeMap::new();
        };
        let events = record.events.lock();
        let declared = events.iter().filter(|(name, _)| connection.declared.contains(*name));
        let mut numbers: BTreeMap<_, _> = declared
            .map(|(name, event)| (name.clone(), event.pinned_number()))
            .collect();
        drop(events);
        for kept in self.state.lock().flow.kept().iter() {
            if let Some(number) = numbers.get_mut(kept.event.name()) {
                *number = (*number).min(kept.number - 1);
            }
        }
        drop(lane);
        numbers.retain(|_, number| *number > 0);
        numbers
    }

    /// How many events were given up: see [`RemoteSender::lost`](super::RemoteSender::lost).
    pub(super) fn lost(&self) -> u64 {
        self.state.lock().flow.lost()
    }

    /// How many events wait for a link, or to go first over a new one.
    pub(super) fn kept(&self) -> usize {
        self.state.lock().flow.kept().len()
    }

    /// Waits until what was kept has gone, or there is no link for it.
    pub(super) async fn settled(&self) {
        loop {
            let rung = self.settled.notified();
            if self.state.lock().is_settled() {
                return;
            }
            rung.await;
        }
    }
}

impl State {
    /// Holds the gate shut, or lets go of it.
    fn sync_gate(&mut self) {
        let Some(Local { gate, .. }) = &self.local else { return };
        let shut = self.flow.shuts_gate();
        if std::mem::replace(&mut self.is_held, shut) != shut {
            if shut {
                gate.shut();
            } else {
                gate.release();
            }
        }
    }

    fn send_one_kept(&mut self, complained: &mut Complained) -> bool {
        if !self.flow.link().is_some_and(Online::has_room) {
            return false;
        }
        self.flow.send_kept(|online, kept| {
            let item = Item::new(kept.number, &kept.payload);
            let sent = online.send_kept(&kept.receipt, &kept.event, &item);
            if sent == Sent::Lost {
                complained.push((Arc::clone(&kept.event), item.into_complaints()));
            }
            sent
        })
    }

    /// Nothing waits to be sent over a link.
    fn is_settled(&self) -> bool {
        self.flow.kept().is_empty() || self.flow.link().is_none()
    }
}

impl Drop for SenderUplink {
    fn drop(&mut self) {
        self.detach();
    }
}

impl Outlet for SenderUplink {
    fn offer(&self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>, _: &Terms) {
        // Lost unless it is sent or kept.
        let receipt = Cell::new(item.receipt(Terms::OWN.policy));
        let keep = || {
            let kept = Kept {
                event: Arc::clone(event),
                number: item.number,
                payload: item.payload().clone(),
                receipt: Cell::new(receipt.take()),
            };
            (item.bytes().len(), kept)
        };
        let mut state = self.state.lock();
        state
            .flow
            .offer(event.alias, |online| online.send(&receipt, event, item, gate), keep);
        state.sync_gate();
    }

    /// The numbers of the events that follow tell it, or the next registration.
    fn moved_to(&self, _: &Arc<EventRecord>, _: u64, _: u64) {}

    /// It is no listener.
    fn catch_up(&self, _: CatchUp) {}

    fn close(&self) {}
}

impl Uplink for SenderUplink {
    fn is_offline(&self) -> bool {
        self.state.lock().flow.waits_for_link()
    }

    fn max_payload(&self) -> usize {
        self.max_payload.load(Ordering::Relaxed)
    }

    fn unsent(&self) -> Option<Arc<Outbox>> {
        let state = self.state.lock();
        state.flow.link().and_then(Online::unsent).map(Arc::clone)
    }

    fn straight(&self) -> Option<Straight> {
        let mut state = self.state.lock();
        let lent = state.flow.lend()?;
        let way = state.flow.link().and_then(|online| online.straight(lent));
        if way.is_none() {
            state.flow.give_back(lent);
        }
        way
    }

    fn give_back(&self, straight: Straight) {
        let mut state = self.state.lock();
        let left = state.flow.link().and_then(|online| online.left_of(&straight));
        // Credit that another link lent is over.
        if let Some(left) = left {
            state.flow.give_back(left);
        }
    }

    fn gave_up(&self) {
        self.state.lock().flow.lose(1);
    }
}

impl GateWatch for SenderUplink {
    fn gate_opened(&self) {
        self.send_kept();
    }
}

impl fmt::Debug for SenderUplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("SenderUplink")
            .field("sender", &self.sender)
            .field("online", &state.flow.link().is_some())
            .field("kept", &state.flow.kept().len())
            .field("lost", &state.flow.lost())
            .finish()
    }
}
