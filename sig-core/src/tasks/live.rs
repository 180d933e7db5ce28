//! The tasks that run, so that all of them can be dropped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::task::AbortHandle;

/// The tasks of one owner that run.
///
/// Nothing is asked while they do: a token that each of them waits for would cost every poll of every task two locks.
#[derive(Debug, Default)]
pub(super) struct Live {
    list: Mutex<List>,
    killed: AtomicBool,
    /// How many tasks were dropped before they had ended, those of the children too.
    aborted: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct List {
    last: u64,
    /// `None` for the moment in which a task is being started.
    running: BTreeMap<u64, Option<AbortHandle>>,
    children: Vec<Weak<Live>>,
}

impl Live {
    /// An owner whose tasks are dropped together with those of this one, but can be dropped alone.
    pub(super) fn child(&self) -> Arc<Self> {
        let child = Arc::new(Self {
            aborted: Arc::clone(&self.aborted),
            ..Self::default()
        });
        let mut list = self.lock();
        if list.children.len() == list.children.capacity() {
            // Half of the room is new after this, so that it is seldom done.
            list.children.retain(|child| child.strong_count() > 0);
            let living = list.children.len();
            list.children.reserve(living.max(4));
        }
        list.children.push(Arc::downgrade(&child));
        // Under the lock: whoever drops the tasks either finds the child or was here before.
        child.killed.store(self.is_killed(), Ordering::Release);
        drop(list);
        child
    }

    /// A place for a task that is about to be started; see [`started`](Self::started).
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        let mut list = self.lock();
        list.last += 1;
        let number = list.last;
        list.running.insert(number, None);
        drop(list);
        Place {
            live: Arc::clone(self),
            number,
            ended: false,
        }
    }

    /// The task of this place was started.
    pub(super) fn started(&self, number: u64, task: AbortHandle) {
        let mut list = self.lock();
        if self.is_killed() {
            drop(list);
            task.abort();
        } else if let Some(place) = list.running.get_mut(&number) {
            *place = Some(task);
        }
    }

    /// Drops all tasks, as soon as they do not run at this moment.
    pub(super) fn kill(&self) {
        let mut list = self.lock();
        self.killed.store(true, Ordering::Release);
        let running: Vec<_> = list.running.values_mut().filter_map(Option::take).collect();
        let children = std::mem::take(&mut list.children);
        drop(list);
        running.iter().for_each(AbortHandle::abort);
        children.iter().filter_map(Weak::upgrade).for_each(|child| child.kill());
    }

    /// How many tasks were dropped so far.
    pub(super) fn aborted(&self) -> usize {
        self.aborted.load(Ordering::Relaxed)
    }

    fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn is_small(&self) -> bool {
        let list = self.lock();
        list.running.is_empty() && list.children.len() < 16
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one task, which holds it.
#[derive(Debug)]
pub(super) struct Place {
    live: Arc<Live>,
    number: u64,
    ended: bool,
}

impl Place {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the task is to be dropped before it has begun.
    pub(super) fn is_killed(&self) -> bool {
        self.live.is_killed()
    }

    /// The task has come to its end.
    pub(super) fn ended(&mut self) {
        self.ended = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // One that panicked was not dropped by anybody.
        if !self.ended && !std::thread::panicking() {
            self.live.aborted.fetch_add(1, Ordering::Relaxed);
        }
        drop(self.live.lock().running.remove(&self.number));
    }
}
