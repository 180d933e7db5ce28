//! The way of one sender's events to the router.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use sig_core::{EventName, SenderName};

use super::link::Link;
use crate::hub::{CatchUp, EventRecord};
use crate::outlet::{Item, Outlet, Terms, Uplink};
use crate::pressure::Gate;
use crate::session::Credit;

/// What the rest of an event's frame may need beside its data.
const FRAME_OVERHEAD: usize = 512;

/// The way of one sender's events to the router: open while there is a link and credit.
pub(super) struct SenderUplink {
    sender: SenderName,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    online: Option<Online>,
    gate: Option<Arc<Gate>>,
    /// Whether the gate is held shut for want of a link, and of credit.
    held_offline: bool,
    held_credit: bool,
}

struct Online {
    link: Arc<Link>,
    /// The router's aliases.
    aliases: BTreeMap<EventName, u32>,
    /// The same by this side's alias, which is quicker to look up.
    by_local: HashMap<u32, u32>,
    credit: Credit,
}

impl SenderUplink {
    pub(super) fn new(sender: SenderName) -> Self {
        Self {
            sender,
            state: Mutex::default(),
        }
    }

    /// From now on the sender's gate is held shut while there is no link.
    pub(super) fn attach(&self, gate: &Arc<Gate>) {
        let mut state = self.state.lock();
        state.gate = Some(Arc::clone(gate));
        if state.online.is_none() {
            gate.shut();
            state.held_offline = true;
        }
    }

    /// Whether the sender was connected here: the router had it once.
    pub(super) fn is_attached(&self) -> bool {
        self.state.lock().gate.is_some()
    }

    /// The router has the sender.
    pub(super) fn online(&self, link: &Arc<Link>, aliases: BTreeMap<EventName, u32>, credit: u64) {
        let mut state = self.state.lock();
        let (link, credit) = (Arc::clone(link), Credit::new(credit));
        state.online = Some(Online {
            link,
            aliases,
            by_local: HashMap::new(),
            credit,
        });
        state.release_holds();
    }

    /// The sender is gone: its gate, which listeners may keep for the next of its name, is let go of.
    pub(super) fn detach(&self) {
        let mut state = self.state.lock();
        state.online = None;
        state.release_holds();
        state.gate = None;
    }

    /// There is no link.
    pub(super) fn offline(&self) {
        let mut state = self.state.lock();
        state.online = None;
        if let Some(gate) = state.gate.clone().filter(|_| !state.held_offline) {
            gate.shut();
            state.held_offline = true;
        }
        if std::mem::take(&mut state.held_credit) {
            if let Some(gate) = &state.gate {
                gate.release();
            }
        }
    }

    /// The router grants so many bytes in all.
    pub(super) fn granted(&self, link: &Link, total: u64) {
        let mut state = self.state.lock();
        let Some(online) = state.online.as_mut().filter(|online| std::ptr::eq(&*online.link, link)) else {
            return;
        };
        online.credit.granted(total);
        if online.credit.is_open() && std::mem::take(&mut state.held_credit) {
            if let Some(gate) = &state.gate {
                gate.release();
            }
        }
    }
}

impl State {
    fn release_holds(&mut self) {
        let holds = [
            std::mem::take(&mut self.held_offline),
            std::mem::take(&mut self.held_credit),
        ];
        if let Some(gate) = &self.gate {
            holds.into_iter().filter(|held| *held).for_each(|_| gate.release());
        }
    }
}

impl Online {
    fn alias(&mut self, event: &EventRecord) -> Option<u32> {
        if let Some(alias) = self.by_local.get(&event.alias) {
            return Some(*alias);
        }
        let alias = *self.aliases.get(event.name())?;
        self.by_local.insert(event.alias, alias);
        Some(alias)
    }

    /// Sends an event. Gives the credit that it costs; `None` if it was lost.
    fn send(&mut self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>) -> Option<usize> {
        let encoding = self.link.outbox().peer().encoding;
        let sent = match self.link.pysig() {
            // There the answers do what credit does elsewhere.
            Some(pysig) => pysig
                .send_event(&self.link, event, item, gate)
                .map(|sent| sent.then_some(0)),
            None => match self.alias(event) {
                Some(alias) => self.link.outbox().offer(alias, false, event, item, gate, &Terms::OWN),
                None => Ok(None),
            },
        };
        let packed = sent.unwrap_or_else(|error| {
            item.complaints().add(self.link.outbox(), error);
            None
        })?;
        Some(if self.link.is_pysig() {
            0
        } else {
            item.cost(packed, encoding)
        })
    }
}

impl Drop for SenderUplink {
    fn drop(&mut self) {
        self.detach();
    }
}

impl Outlet for SenderUplink {
    fn offer(&self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>, _: &Terms) {
        let mut state = self.state.lock();
        let Some(online) = &mut state.online else { return };
        let Some(cost) = online.send(event, item, gate) else {
            return;
        };
        if cost == 0 {
            return;
        }
        let exhausted = online.credit.spend(cost as u64);
        if exhausted && !state.held_credit {
            gate.shut();
            state.held_credit = true;
        }
    }

    /// The numbers of the events that follow tell it.
    fn moved_to(&self, _: &Arc<EventRecord>, _: u64) {}

    /// It is no listener.
    fn catch_up(&self, _: CatchUp) {}

    fn close(&self) {}
}

impl Uplink for SenderUplink {
    fn is_offline(&self) -> bool {
        self.state.lock().online.is_none()
    }

    fn max_payload(&self) -> usize {
        let state = self.state.lock();
        let Some(online) = &state.online else { return usize::MAX };
        let peer = online.link.outbox().peer();
        let names = self.sender.as_str().len() + sig_core::MAX_NAME;
        match peer.pacing {
            // The names are part of each message there.
            Some(pacing) => pacing.max_message.saturating_sub(names + 100),
            None => online.link.outbox().max_frame().saturating_sub(FRAME_OVERHEAD),
        }
    }
}

impl fmt::Debug for SenderUplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenderUplink")
            .field("sender", &self.sender)
            .field("offline", &self.is_offline())
            .finish()
    }
}
