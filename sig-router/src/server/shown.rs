//! What is shown of a client.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// What a client speaks and how much it has here, readable without a lock.
///
/// Whoever reads the log may ask for the clients, and some of it is written while a client is served.
#[derive(Debug, Default)]
pub(super) struct Shown {
    dialect: AtomicU8,
    senders: AtomicUsize,
    listeners: AtomicUsize,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Native = 1,
    Pysig = 2,
    /// It left or was refused.
    Gone = 3,
}

impl Shown {
    pub(super) fn set_dialect(&self, dialect: Dialect) {
        self.dialect.store(dialect as u8, Ordering::Release);
        if dialect == Dialect::Gone {
            self.set_counts(0, 0);
        }
    }

    /// Before the client is told that something was added or removed.
    pub(super) fn set_counts(&self, senders: usize, listeners: usize) {
        self.senders.store(senders, Ordering::Release);
        self.listeners.store(listeners, Ordering::Release);
    }

    pub(super) fn dialect(&self) -> &'static str {
        match self.dialect.load(Ordering::Acquire) {
            1 => "sig/1",
            2 => "pysig",
            3 => "gone",
            _ => "",
        }
    }

    pub(super) fn senders(&self) -> usize {
        self.senders.load(Ordering::Acquire)
    }

    pub(super) fn listeners(&self) -> usize {
        self.listeners.load(Ordering::Acquire)
    }
}
