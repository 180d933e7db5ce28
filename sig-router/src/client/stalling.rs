//! Tells the router when the listeners to one sender are full, and when they have room again.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sig_core::{Call, RawJson, SenderName};

use crate::clock;
use crate::hub::SenderRecord;
use crate::outbox::Outbox;
use crate::pressure::{Gate, GateWatch};
use crate::stall::{RESUME, STALL, StallParams};

/// How much longer than the listener's patience the router takes it for full.
const SLACK: Duration = Duration::from_secs(2);

/// Holds one sender up while listeners here are full.
///
/// The router believes that for a while only, and then until the sender has made progress. Listeners that take their
/// time, but take, may be full for longer: they ask for more before the router loses patience, as much as counts for
/// progress. Their queue has room for that beyond its mark.
pub(super) struct StallWatch {
    sender: SenderName,
    gate: Arc<Gate>,
    /// What arrives is counted there.
    record: Weak<SenderRecord>,
    outbox: Weak<Outbox>,
    told: Mutex<Told>,
}

/// What the router was told last.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// There is room.
    Room,
    /// Everything is full, since then.
    Full(Instant),
    /// There is room, though everything is full: how much had arrived by then.
    More(u64),
}

impl StallWatch {
    pub(super) fn new(sender: &SenderName, record: &Arc<SenderRecord>, outbox: &Arc<Outbox>) -> Arc<Self> {
        Arc::new(Self {
            sender: sender.clone(),
            gate: Arc::clone(&record.gate),
            record: Arc::downgrade(record),
            outbox: Arc::downgrade(outbox),
            told: Mutex::new(Told::Room),
        })
    }

    /// Has the gate tell what becomes of it.
    pub(super) fn watch(self: &Arc<Self>) {
        let hook: Arc<dyn GateWatch> = Arc::<Self>::clone(self);
        self.gate.set_watch(Some(Arc::downgrade(&hook)));
        self.sync();
    }

    pub(super) fn is_of(&self, gate: &Arc<Gate>) -> bool {
        Arc::ptr_eq(&self.gate, gate)
    }

    /// Whether nobody else has the gate: the sender is forgotten.
    pub(super) fn is_over(&self) -> bool {
        Arc::strong_count(&self.gate) == 1
    }

    /// Tells the router if that has changed. Several threads may come at once: the last one tells how it is.
    pub(super) fn sync(&self) {
        let mut told = self.told.lock();
        let full = !self.gate.is_open();
        match *told {
            Told::Room if full => self.tell(&mut told, Told::Full(clock::now())),
            Told::More(from) if full && self.arrived().wrapping_sub(from) >= SenderRecord::PROGRESS => {
                self.tell(&mut told, Told::Full(clock::now()));
            }
            Told::Full(_) if !full => self.tell(&mut told, Told::Room),
            // The router knows.
            Told::More(_) if !full => *told = Told::Room,
            _ => {}
        }
    }

    /// Asks for more if the router is about to lose patience.
    pub(super) fn tick(&self, now: Instant) {
        let mut told = self.told.lock();
        let Told::Full(since) = *told else { return };
        let believed = self.gate.patience().saturating_add(SLACK);
        if now.saturating_duration_since(since) >= believed / 4 * 3 {
            self.tell(&mut told, Told::More(self.arrived()));
        }
    }

    fn tell(&self, told: &mut Told, now: Told) {
        *told = now;
        let sender = self.sender.clone();
        if let (Some(outbox), Ok(params)) = (self.outbox.upgrade(), RawJson::new(&StallParams { sender })) {
            let method = if matches!(now, Told::Full(_)) { STALL } else { RESUME };
            // A link that is about to end holds nobody up.
            let _ = outbox.send(&Call::notice(method, params).into());
        }
    }

    fn arrived(&self) -> u64 {
        self.record.upgrade().map_or(0, |record| record.passed())
    }
}

impl GateWatch for StallWatch {
    fn gate_shut(&self) {
        self.sync();
    }

    fn gate_opened(&self) {
        self.sync();
    }
}
