//! Listeners of one topic, in the order in which they came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::callback::Callback;
use crate::outlet::Outlet;

/// Names one registration within a router; never used again.
pub(crate) type ListenerKey = u64;

/// Whom an event goes to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A function, called on the spot for events of this router's own senders.
    Callback(Arc<Callback>),
    /// A queue: a stream, or a client.
    Outlet(Arc<dyn Outlet>),
}

/// Listeners of one topic, in the order in which they came, and a version that every change raises.
#[derive(Debug, Default)]
pub(crate) struct Group {
    version: AtomicU64,
    targets: Mutex<Vec<(ListenerKey, Target)>>,
}

impl Group {
    pub(crate) fn add(&self, key: ListenerKey, target: Target) {
        self.targets.lock().push((key, target));
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn remove(&self, key: ListenerKey) -> bool {
        let mut targets = self.targets.lock();
        let Some(index) = targets.iter().position(|(other, _)| *other == key) else {
            return false;
        };
        targets.remove(index);
        self.version.fetch_add(1, Ordering::Release);
        true
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn len(&self) -> usize {
        self.targets.lock().len()
    }

    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Target)) {
        self.targets.lock().iter().for_each(|(_, target)| visit(target));
    }
}
