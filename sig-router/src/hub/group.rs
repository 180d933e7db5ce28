//! Listeners of one topic, in the order in which they came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::callback::Callback;
use crate::few::FewMap;
use crate::outlet::Outlet;
use crate::policy::Policy;

/// Names one registration within a router; never used again.
pub(crate) type ListenerKey = u64;

/// Whom an event goes to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A function, called on the spot for events of this router's own senders.
    Callback(Arc<Callback>),
    /// A queue: a stream, or a client, under the listener's policy.
    Outlet(Arc<dyn Outlet>, Policy),
}

/// Listeners of one topic, in the order in which they came, and a version that every change raises.
#[derive(Debug, Default)]
pub(crate) struct Group {
    version: AtomicU64,
    /// By key, which is the order in which they came.
    targets: Mutex<FewMap<ListenerKey, Target>>,
}

impl Group {
    pub(crate) fn add(&self, key: ListenerKey, target: Target) {
        self.targets.lock().insert(key, target);
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn remove(&self, key: ListenerKey) -> bool {
        let mut targets = self.targets.lock();
        let removed = targets.remove(&key);
        if removed.is_some() {
            self.version.fetch_add(1, Ordering::Release);
        }
        drop(targets);
        removed.is_some()
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn len(&self) -> usize {
        self.targets.lock().len()
    }

    pub(crate) fn for_each(&self, mut visit: impl FnMut(ListenerKey, &Target)) {
        self.targets.lock().iter().for_each(|(key, target)| visit(*key, target));
    }
}
