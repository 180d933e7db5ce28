//! The one owner of background tasks.

mod live;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use live::Live;

/// No tokio runtime was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no tokio runtime here; call this inside #[tokio::main] or Runtime::block_on")]
pub struct NoRuntime;

/// How long tasks that are dropped are waited for. One that blocks its thread cannot be dropped before it is done.
const DROPPING: Duration = Duration::from_millis(25);

/// Owns tasks, so that shutdown can wait for every one of them.
///
/// Clones share the same tasks. Shutdown is ordered: [`stop`](Self::stop) asks, [`shutdown`](Self::shutdown) waits and
/// finally drops what has not ended by itself.
#[derive(Clone)]
pub struct Tasks {
    runtime: Handle,
    tracker: TaskTracker,
    stop: CancellationToken,
    live: Arc<Live>,
}

impl Tasks {
    /// A new owner on the runtime of the caller.
    ///
    /// # Errors
    ///
    /// [`NoRuntime`] outside a tokio runtime.
    pub fn new() -> Result<Self, NoRuntime> {
        Ok(Self {
            runtime: Handle::try_current().map_err(|_| NoRuntime)?,
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            live: Arc::default(),
        })
    }

    /// An owner of its own that is stopped together with this one, but can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            runtime: self.runtime.clone(),
            tracker: TaskTracker::new(),
            stop: self.stop.child_token(),
            live: self.live.child(),
        }
    }

    /// Runs `future` in the background, in a tracing span of this name. After [`shutdown`](Self::shutdown) it is
    /// dropped at once instead.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let mut place = self.live.enter();
        let number = place.number();
        // In a box of its own: what is around it would make room for all of it twice.
        let future = Box::pin(future);
        let task = async move {
            if !place.is_killed() {
                // The span is made where the task runs: whoever spawns may hold a lock.
                future.instrument(tracing::debug_span!("task", name)).await;
                place.ended();
            }
        };
        let task = self.tracker.spawn_on(task, &self.runtime);
        self.live.started(number, task.abort_handle());
    }

    /// Asks every task to end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// The token that [`stop`](Self::stop) cancels.
    #[must_use]
    pub fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Whether the tasks have been asked to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// How many tasks run now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tracker.len()
    }

    /// Asks every task to end, waits up to `grace`, then drops those that are left. Returns how many that were; one
    /// that blocks its thread is among them, and is dropped as soon as it does so no more.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel and to call again: the tasks stay asked to end.
    pub async fn shutdown(&self, grace: Duration) -> usize {
        self.stop();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_ok() {
            return 0;
        }
        let before = self.live.aborted();
        self.live.kill();
        let _ = tokio::time::timeout(DROPPING, self.tracker.wait()).await;
        self.live.aborted() - before + self.count()
    }

    /// Drops every task at once, without waiting. For `Drop` implementations.
    pub fn abort(&self) {
        self.stop.cancel();
        self.live.kill();
        self.tracker.close();
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("running", &self.count())
            .field("stopped", &self.is_stopped())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_tasks_without_a_runtime() {
        assert_eq!(Tasks::new().unwrap_err(), NoRuntime);
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_waits_for_the_willing_and_drops_the_rest() {
        let tasks = Tasks::new().unwrap();
        let token = tasks.stop_token().clone();
        tasks.spawn("willing", async move { token.cancelled().await });
        assert_eq!(tasks.shutdown(Duration::from_secs(1)).await, 0);

        let tasks = Tasks::new().unwrap();
        tasks.spawn("deaf", std::future::pending());
        assert_eq!(tasks.shutdown(Duration::from_secs(1)).await, 1);
        assert_eq!(tasks.count(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn shutdown_does_not_wait_for_a_task_that_blocks_its_thread() {
        let tasks = Tasks::new().unwrap();
        let (done, wait) = std::sync::mpsc::sync_channel::<()>(1);
        let (begun, begins) = tokio::sync::oneshot::channel();
        tasks.spawn("blocking", async move {
            let _ = begun.send(());
            let _ = wait.recv();
        });
        begins.await.unwrap();
        let began = std::time::Instant::now();
        assert_eq!(tasks.shutdown(Duration::from_millis(10)).await, 1);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        drop(done);
    }

    #[tokio::test]
    async fn a_child_stops_alone_or_with_its_parent() {
        let parent = Tasks::new().unwrap();
        let (one, two) = (parent.child(), parent.child());
        one.stop();
        assert!(one.is_stopped() && !parent.is_stopped() && !two.is_stopped());
        parent.stop();
        assert!(two.is_stopped());
    }

    #[tokio::test]
    async fn tasks_of_a_child_are_dropped_with_those_of_its_parent() {
        let parent = Tasks::new().unwrap();
        let (one, two) = (parent.child(), parent.child());
        for tasks in [&parent, &one, &one, &two] {
            tasks.spawn("deaf", std::future::pending());
        }
        two.abort();
        assert_eq!(two.shutdown(DROPPING).await, 0);
        assert_eq!((parent.count(), one.count()), (1, 2));
        parent.abort();
        assert_eq!((parent.shutdown(DROPPING).await, one.shutdown(DROPPING).await), (0, 0));
        let orphan = one.child();
        orphan.spawn("deaf", std::future::pending());
        assert_eq!(orphan.shutdown(DROPPING).await, 0, "there is nothing to wait for");
    }

    #[tokio::test]
    async fn what_is_spawned_too_late_is_dropped_unseen() {
        let tasks = Tasks::new().unwrap();
        tasks.abort();
        let held = Arc::new(());
        let holder = Arc::clone(&held);
        tasks.spawn("late", async move { panic!("runs with {holder:?}") });
        assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, 0);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_tasks_and_children_that_have_ended() {
        let tasks = Tasks::new().unwrap();
        for _ in 0..1000 {
            tasks.spawn("short", async {});
            let child = tasks.child();
            child.spawn("short", async {});
            child.shutdown(Duration::from_secs(5)).await;
        }
        assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, 0);
        assert!(tasks.live.is_small());
    }
}
