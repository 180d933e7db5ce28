//! Credit for a client's sender: how many bytes of events it may send.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use sig_core::{Call, RawJson, SenderName};

use crate::outbox::Outbox;
use crate::pressure::{Gate, GateWatch};
use crate::session::params::Grant;
use crate::session::{Window, methods};

/// How many bytes of events a sender may have under way.
const WINDOW: u64 = 128 * 1024;

/// Grants one sender more as its events are passed on, unless its gate is shut.
pub(super) struct CreditLine {
    sender: SenderName,
    window: Mutex<Window>,
    gate: Arc<Gate>,
    outbox: Weak<Outbox>,
}

impl CreditLine {
    pub(super) fn new(sender: SenderName, gate: Arc<Gate>, outbox: &Arc<Outbox>) -> Arc<Self> {
        let window = Mutex::new(Window::new(WINDOW));
        Arc::new(Self {
            sender,
            window,
            gate,
            outbox: Arc::downgrade(outbox),
        })
    }

    /// How many bytes the client may send in all, as granted so far.
    pub(super) fn granted(&self) -> u64 {
        self.window.lock().total()
    }

    /// Whether the client may send so many bytes now, and something behind them.
    pub(super) fn covers(&self, bytes: u64) -> bool {
        self.window.lock().covers(bytes)
    }

    /// Events of this many bytes were passed on.
    pub(super) fn consumed(&self, bytes: u64) {
        let grant = {
            let mut window = self.window.lock();
            window.consumed(bytes);
            window.grant(self.gate.is_open())
        };
        self.tell(grant);
    }

    fn tell(&self, grant: Option<u64>) {
        let (Some(granted), Some(outbox)) = (grant, self.outbox.upgrade()) else {
            return;
        };
        let params = Grant {
            sender: self.sender.clone(),
            granted,
        };
        let sent = RawJson::new(&params)
            .map_err(Into::into)
            .and_then(|params| outbox.send(&Call::notice(methods::CREDIT, params).into()));
        if let Err(error) = sent {
            tracing::debug!(sender = %self.sender, %error, "a grant could not be sent; the link is about to end");
        }
    }
}

impl GateWatch for CreditLine {
    fn gate_opened(&self) {
        let grant = self.window.lock().grant(true);
        self.tell(grant);
    }
}

impl fmt::Debug for CreditLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreditLine")
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}
