//! The clients of the base carrier, and the way out to each.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use sig_core::bytes::Bytes;
use sig_core::{CancellationToken, CarrierError, ClientId, Disconnect};
use tokio::io::{AsyncWriteExt as _, DuplexStream, WriteHalf};

use super::Bug;

#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: Mutex<BTreeMap<ClientId, Arc<Entry>>>,
    /// Who is gone, for a carrier that forgets nobody.
    gone: Mutex<HashSet<ClientId>>,
    /// Held while writing, by a carrier with that bug.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: ClientId,
    pub(crate) out: tokio::sync::Mutex<WriteHalf<DuplexStream>>,
    closing: CancellationToken,
    why: OnceLock<Disconnect>,
    sent: AtomicU64,
    behind: Mutex<Vec<Bytes>>,
    more: tokio::sync::Notify,
}

/// A client that is in the table, until this is dropped.
pub(crate) struct Registered<'a> {
    table: &'a Table,
    entry: Arc<Entry>,
    stays: bool,
}

impl Table {
    pub(crate) fn register(&self, entry: &Arc<Entry>, bug: Bug) -> Registered<'_> {
        self.entries.lock().insert(entry.id, Arc::clone(entry));
        Registered {
            table: self,
            entry: Arc::clone(entry),
            stays: bug == Bug::StaleEntry,
        }
    }

    pub(crate) fn get(&self, id: ClientId) -> Option<Arc<Entry>> {
        self.entries.lock().get(&id).cloned()
    }

    pub(crate) fn is_stale(&self, id: ClientId) -> bool {
        self.gone.lock().contains(&id)
    }

    pub(crate) fn newest(&self) -> Option<Arc<Entry>> {
        self.entries.lock().values().next_back().cloned()
    }

    pub(crate) fn every(&self) -> Vec<Arc<Entry>> {
        self.entries.lock().values().cloned().collect()
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        if self.stays {
            self.table.gone.lock().insert(self.entry.id);
        }
        self.table.entries.lock().remove(&self.entry.id);
        self.entry.closing.cancel();
    }
}

impl Entry {
    pub(crate) fn new(out: WriteHalf<DuplexStream>) -> Self {
        Self {
            id: ClientId::next(),
            out: out.into(),
            closing: CancellationToken::new(),
            why: OnceLock::new(),
            sent: AtomicU64::new(0),
            behind: Mutex::default(),
            more: tokio::sync::Notify::new(),
        }
    }

    pub(crate) fn close(&self, why: &Disconnect) {
        let _ = self.why.set(why.clone());
        self.closing.cancel();
    }

    pub(crate) async fn closed(&self) -> Disconnect {
        self.closing.cancelled().await;
        self.why.get().cloned().unwrap_or_else(Disconnect::closed)
    }

    pub(crate) async fn write_until_closed(&self, bytes: &[u8]) -> Result<(), CarrierError> {
        if self.closing.is_cancelled() {
            return Err(CarrierError::UnknownClient(self.id));
        }
        let written = self.closing.run_until_cancelled(self.write(bytes)).await;
        written.unwrap_or(Err(CarrierError::UnknownClient(self.id)))
    }

    pub(crate) async fn write(&self, bytes: &[u8]) -> Result<(), CarrierError> {
        Ok(self.out.lock().await.write_all(bytes).await?)
    }

    /// Takes everything, and lets a task write it at some time.
    pub(crate) fn put_behind(&self, bytes: Bytes) -> Result<(), CarrierError> {
        self.behind.lock().push(bytes);
        self.more.notify_one();
        Ok(())
    }

    pub(crate) async fn write_behind(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.closing.cancelled() => return,
                () = self.more.notified() => {}
            }
            let waiting = std::mem::take(&mut *self.behind.lock());
            if self.write_until_closed(&waiting.concat()).await.is_err() {
                return;
            }
        }
    }

    /// How many times the next message is sent, where every so manieth is sent twice.
    pub(crate) fn copies(&self) -> usize {
        let sent = self.sent.fetch_add(1, Ordering::Relaxed);
        if sent % 7_919 == 7_918 { 2 } else { 1 }
    }
}
