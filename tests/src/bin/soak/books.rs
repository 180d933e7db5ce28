//! What was emitted and what was heard of it, for everybody to write to and to be compared.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sig_router::{Event, Lagged};

use crate::failure::Failure;

/// Which event of which sender. Senders never come back under the same name.
pub(crate) type Kind = (String, String);

/// What everybody writes to.
#[derive(Debug)]
pub(crate) struct Books {
    /// The last number of every event whose sender is there.
    emitted: Mutex<HashMap<Kind, u64>>,
    hearings: Mutex<Vec<Arc<Hearing>>>,
    pub(crate) failure: Failure,
    pub(crate) totals: Totals,
}

/// Counts of the whole run.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) emitted: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) joined: AtomicU64,
    pub(crate) cuts: AtomicU64,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Books {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            emitted: Mutex::default(),
            hearings: Mutex::default(),
            failure: Failure::default(),
            totals: Totals::default(),
        })
    }

    /// The run has failed; the first reason counts.
    pub(crate) fn fail(&self, what: String) {
        self.failure.say(what);
    }

    /// An event was emitted under this number.
    pub(crate) fn emitted(&self, kind: &Kind, number: u64) {
        self.totals.emitted.fetch_add(1, Ordering::Relaxed);
        lock(&self.emitted).insert(kind.clone(), number);
    }

    /// The sender leaves: what was under way over a link that breaks now is nobody's to report.
    pub(crate) fn retire(&self, sender: &str) {
        lock(&self.emitted).retain(|(name, _), _| name != sender);
    }

    /// Nothing comes any more of senders that left: their accounts are closed.
    pub(crate) fn forget_retired(&self) {
        let emitted = lock(&self.emitted);
        for hearing in &*lock(&self.hearings) {
            let mut accounts = lock(&hearing.accounts);
            accounts.retain(|kind, _| emitted.contains_key(kind));
            accounts.shrink_to_fit();
        }
    }

    pub(crate) fn open(&self, listener: String) -> Arc<Hearing> {
        self.totals.joined.fetch_add(1, Ordering::Relaxed);
        let hearing = Arc::new(Hearing {
            listener,
            accounts: Mutex::default(),
        });
        lock(&self.hearings).push(Arc::clone(&hearing));
        hearing
    }

    pub(crate) fn close(&self, hearing: &Arc<Hearing>) {
        lock(&self.hearings).retain(|other| !Arc::ptr_eq(other, hearing));
    }

    /// While nothing is emitted: the first listener that was not told of everything yet, and of how much.
    pub(crate) fn unsettled(&self) -> Option<String> {
        let emitted = lock(&self.emitted).clone();
        let hearings = lock(&self.hearings).clone();
        for hearing in hearings {
            for (kind, account) in &*lock(&hearing.accounts) {
                let Some(last) = emitted.get(kind).copied() else {
                    continue;
                };
                if account.base.is_some() && account.total() != last {
                    return Some(format!(
                        "{} has {account:?} of {kind:?}, which is at {last}",
                        hearing.listener
                    ));
                }
            }
        }
        None
    }
}

/// What one listener got.
pub(crate) struct Hearing {
    listener: String,
    accounts: Mutex<HashMap<Kind, Account>>,
}

/// What one listener got of one event.
#[derive(Debug, Default, Clone)]
struct Account {
    /// The number before the first one that it got, or was told of.
    base: Option<u64>,
    received: u64,
    skipped: u64,
    lost: u64,
    last: u64,
}

impl Account {
    /// The number up to which everything is accounted for.
    fn total(&self) -> u64 {
        self.base.unwrap_or(0) + self.received + self.skipped + self.lost
    }
}

impl Hearing {
    /// An event came, before which so many were lost, as far as it was not told already.
    pub(crate) fn take(&self, books: &Books, event: &Event<'_>) {
        if event.name().is_presence() {
            return;
        }
        let kind = (event.sender().to_string(), event.name().to_string());
        let mut accounts = lock(&self.accounts);
        let account = accounts.entry(kind).or_default();
        let number = event.number();
        if event.retained().is_some() && (account.base.is_none() || number <= account.last) {
            // What was there before: it counts from the next one on.
            return;
        }
        account.lost += event.lost();
        account.skipped += event.skipped();
        let before = account.skipped + account.lost;
        account.base.get_or_insert_with(|| number.saturating_sub(1 + before));
        account.received += 1;
        if number <= account.last {
            books.fail(format!("{self:?} got {event:?} after {}", account.last));
        }
        account.last = number;
        if account.total() != number {
            books.fail(format!("{self:?} got {event:?}, and with it {account:?}"));
        }
        // The data says which it is, unless there is too little of it.
        let written = event
            .payload()
            .ok()
            .and_then(|payload| payload.bytes().first_chunk().copied());
        if written.is_some_and(|written| u64::from_le_bytes(written) != number) {
            books.fail(format!("{self:?} got {event:?} with the data of another"));
        }
        let totals = &books.totals;
        totals.received.fetch_add(1, Ordering::Relaxed);
        totals.skipped.fetch_add(event.skipped(), Ordering::Relaxed);
        totals.lost.fetch_add(event.lost(), Ordering::Relaxed);
    }

    /// Events were lost.
    pub(crate) fn lose(&self, books: &Books, lagged: &Lagged) {
        let kind = (lagged.sender().to_string(), lagged.name().to_string());
        let mut accounts = lock(&self.accounts);
        let account = accounts.entry(kind).or_default();
        account.lost += lagged.count();
        books.totals.lost.fetch_add(lagged.count(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Hearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.listener)
    }
}
