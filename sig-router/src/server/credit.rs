//! Credit for a client's sender: how many bytes of events it may send.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use sig_core::{Call, RawJson, SenderName};

use crate::outbox::Outbox;
use crate::pressure::{Gate, GateWatch};
use crate::session::params::Grant;
use crate::session::{Window, methods};

/// How many bytes of events one sender may have under way where there are few: enough for a link that is never idle,
/// although a grant comes late.
const MOST: u64 = 512 * 1024;

/// The same where there are very many.
const LEAST: u64 = 16 * 1024;

/// How many bytes the copies of one sender's events may be that are under way: while they lie in a core's cache, each copy
/// costs half.
const CACHED: u64 = 1024 * 1024;

/// How many bytes all of them share.
const ALL: u64 = 6 * 1024 * 1024;

/// The credit of all clients' senders: the more there are, the less each may have under way, so that a client to which
/// all of it goes can hold it.
#[derive(Debug, Default)]
pub(super) struct Credits {
    lines: AtomicU64,
}

impl Credits {
    /// How many bytes one sender may have under way, whose events go to so many.
    fn window(&self, copies: u64) -> u64 {
        let lines = self.lines.load(Ordering::Relaxed).max(1);
        (ALL / lines).min(CACHED / copies.max(1)).clamp(LEAST, MOST)
    }
}

/// Grants one sender more as its events are passed on, unless its gate is shut.
pub(super) struct CreditLine {
    sender: SenderName,
    window: Mutex<Window>,
    credits: Arc<Credits>,
    /// To how many the last events went.
    copies: AtomicU64,
    gate: Arc<Gate>,
    outbox: Weak<Outbox>,
}

impl CreditLine {
    pub(super) fn new(credits: &Arc<Credits>, sender: SenderName, gate: Arc<Gate>, outbox: &Arc<Outbox>) -> Arc<Self> {
        credits.lines.fetch_add(1, Ordering::Relaxed);
        let window = Mutex::new(Window::new(credits.window(1)));
        Arc::new(Self {
            sender,
            window,
            copies: AtomicU64::new(1),
            credits: Arc::clone(credits),
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

    /// Events of this many bytes were passed on to so many.
    pub(super) fn consumed(&self, bytes: u64, copies: u64) {
        self.copies.store(copies, Ordering::Relaxed);
        let grant = {
            let mut window = self.window.lock();
            window.consumed(bytes);
            window.grant(self.credits.window(copies), self.gate.is_open())
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

impl Drop for CreditLine {
    fn drop(&mut self) {
        self.credits.lines.fetch_sub(1, Ordering::Relaxed);
    }
}

impl GateWatch for CreditLine {
    fn gate_opened(&self) {
        let grant = self
            .window
            .lock()
            .grant(self.credits.window(self.copies.load(Ordering::Relaxed)), true);
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
