//! A link that has the sender.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sig_core::{Encoding, EventName, SenderName};

use super::flow::Sent;
use crate::client::link::Link;
use crate::confirm::Receipt;
use crate::hub::EventRecord;
use crate::outbox::{Heading, Outbox};
use crate::outlet::{Item, Terms};
use crate::policy::Policy;
use crate::pressure::{Gate, GateWatch};
use crate::straight::Straight;

/// What was kept waits for as long as there is a link.
const KEPT: Terms = Terms {
    policy: Policy::Block(Duration::MAX),
    listener: 0,
};

/// A sender with more events than this is looked up the usual way.
const FEW: usize = 16;

/// What the rest of an event's frame may need beside its data.
const FRAME_OVERHEAD: usize = 512;

/// A link that has the sender.
pub(super) struct Online {
    link: Arc<Link>,
    /// The router's aliases.
    aliases: BTreeMap<EventName, u32>,
    /// The same by this side's alias, in its order: quicker to look up.
    by_local: Vec<(u32, u32)>,
    /// Shut while the link has no room for what was kept.
    room: Arc<Gate>,
    /// Whether this is still the link that has the sender.
    valid: Arc<AtomicBool>,
}

impl Drop for Online {
    fn drop(&mut self) {
        self.valid.store(false, Ordering::Release);
    }
}

/// Most bytes that the data of one event may have on this link.
pub(super) fn max_payload(link: &Link, sender: &SenderName) -> usize {
    match link.outbox().peer().pacing {
        // The names are part of each message there.
        Some(pacing) => pacing
            .max_message
            .saturating_sub(sender.as_str().len() + sig_core::MAX_NAME + 100),
        None => link.outbox().max_frame().saturating_sub(FRAME_OVERHEAD),
    }
}

impl Online {
    pub(super) fn new(link: &Arc<Link>, aliases: BTreeMap<EventName, u32>, roomy: Weak<dyn GateWatch>) -> Self {
        let room = Arc::new(Gate::new());
        room.set_watch(Some(roomy));
        Self {
            link: Arc::clone(link),
            aliases,
            by_local: Vec::new(),
            room,
            valid: Arc::new(AtomicBool::new(true)),
        }
    }

    pub(super) fn is_over(&self, link: &Link) -> bool {
        std::ptr::eq(&*self.link, link)
    }

    /// Where it goes at once, if it can: an event that was just put in, with nothing before it.
    pub(super) fn unsent(&self) -> Option<&Arc<Outbox>> {
        let outbox = self.link.outbox();
        outbox.is_unsent().then_some(outbox)
    }

    /// The short way for plain events, within so much credit.
    pub(super) fn straight(&self, lent: u64) -> Option<Straight> {
        let outbox = self.link.outbox();
        let is_short = outbox.peer().encoding == Encoding::Sig1 && self.by_local.len() <= FEW;
        is_short.then(|| Straight::new(outbox, &self.by_local, lent, &self.valid))
    }

    /// What is left of the credit, if this link lent it.
    pub(super) fn left_of(&self, straight: &Straight) -> Option<u64> {
        straight.left(&self.valid)
    }

    /// Whether there is room for what was kept; if not, the watch hears when there is.
    pub(super) fn has_room(&self) -> bool {
        // Each sender has its own room, and the outbox is everybody's: many that fill it at once would overrun it.
        self.room.is_open() && !self.link.outbox().is_full(&self.room, KEPT.policy.patience())
    }

    fn alias(&mut self, event: &EventRecord) -> Option<u32> {
        match self.by_local.binary_search_by_key(&event.alias, |(local, _)| *local) {
            Ok(place) => self.by_local.get(place).map(|(_, alias)| *alias),
            Err(place) => {
                let alias = *self.aliases.get(event.name())?;
                self.by_local.insert(place, (event.alias, alias));
                Some(alias)
            }
        }
    }

    /// Sends an event that was kept. The receipt is left where it is unless the event goes.
    pub(super) fn send_kept(
        &mut self,
        receipt: &Cell<Option<Receipt>>,
        event: &Arc<EventRecord>,
        item: &Item<'_>,
    ) -> Sent {
        let room = Arc::clone(&self.room);
        self.hand_over(receipt, event, item, &room, &KEPT)
    }

    /// The same with a new event; the gate is shut when there is no room for the next.
    pub(super) fn send(
        &mut self,
        receipt: &Cell<Option<Receipt>>,
        event: &Arc<EventRecord>,
        item: &Item<'_>,
        gate: &Arc<Gate>,
    ) -> Sent {
        self.hand_over(receipt, event, item, gate, &Terms::OWN)
    }

    fn hand_over(
        &mut self,
        receipt: &Cell<Option<Receipt>>,
        event: &Arc<EventRecord>,
        item: &Item<'_>,
        gate: &Arc<Gate>,
        terms: &Terms,
    ) -> Sent {
        let sent = match self.link.pysig() {
            Some(pysig) => pysig
                .send_event(&self.link, receipt, event, item, gate)
                .map(|sent| sent.then_some(0)),
            None => match self.alias(event) {
                Some(alias) => {
                    let outbox = self.link.outbox();
                    let packed = self.link.send_counted(receipt, |ask| {
                        let heading = Heading {
                            alias,
                            announce: false,
                            ask,
                            prompt: true,
                        };
                        outbox.offer(heading, event, item, gate, terms)
                    });
                    packed.map(|packed| packed.map(|bytes| item.cost(bytes, outbox.peer().encoding)))
                }
                None => Ok(None),
            },
        };
        match sent {
            Ok(Some(cost)) => Sent::Cost(cost as u64),
            Ok(None) if self.link.outbox().is_closed() => Sent::Closed,
            Ok(None) => Sent::Lost,
            Err(error) => {
                item.complaints().add(self.link.outbox(), error);
                Sent::Lost
            }
        }
    }
}
