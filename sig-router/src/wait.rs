//! Waiting on a thread, with or without a deadline.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::task::coop::unconstrained;

/// Wakes a thread that parks.
struct Unpark {
    thread: Thread,
    /// Beside the thread's own token: what runs while the future is polled may park as well, and take that.
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// A thread that waits, and whom to wake.
struct Parked {
    unpark: Arc<Unpark>,
    waker: Waker,
}

impl Parked {
    fn new() -> Self {
        let unpark = Arc::new(Unpark {
            thread: thread::current(),
            woken: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&unpark));
        Self { unpark, waker }
    }

    fn poll<R>(&self, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        self.unpark.woken.store(false, Ordering::SeqCst);
        poll(&mut Context::from_waker(&self.waker))
    }

    /// Parks, for so long at most, unless it was woken since it polled.
    fn park(&self, limit: Option<Duration>) {
        if self.unpark.woken.load(Ordering::SeqCst) {
            return;
        }
        match limit {
            Some(limit) => thread::park_timeout(limit),
            None => thread::park(),
        }
    }
}

/// Runs `future` on this thread, parking it in between. Needs no runtime and works inside one too.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    // Without a budget: a task's own would run out, and what keeps to it then only asks to be polled again.
    let mut future = pin!(unconstrained(future));
    let parked = Parked::new();
    loop {
        match parked.poll(|cx| future.as_mut().poll(cx)) {
            Poll::Ready(output) => return output,
            Poll::Pending => parked.park(None),
        }
    }
}

/// As [`wait`], until the deadline. The future is polled once at least.
pub(crate) fn wait_until<T>(future: impl Future<Output = T>, deadline: Instant) -> Option<T> {
    let mut future = pin!(unconstrained(future));
    wait_or_look_again(Some(deadline), |cx| (future.as_mut().poll(cx), None))
}

/// Parks this thread until `poll` has something, or the deadline. In vain, `poll` may tell when it wants to be called
/// again although nobody wakes it.
pub(crate) fn wait_or_look_again<T>(
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> (Poll<T>, Option<Instant>),
) -> Option<T> {
    let parked = Parked::new();
    loop {
        let (polled, again) = parked.poll(&mut poll);
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        let now = Instant::now();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return None;
        }
        let until = again.into_iter().chain(deadline).min();
        parked.park(until.map(|until| until.saturating_duration_since(now)));
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::sync::oneshot;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn a_wake_during_the_poll_counts_although_somebody_took_the_token() {
        let mut polls = 0;
        let future = poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            // What a handler does that waits for something of its own.
            thread::park_timeout(SOON);
            Poll::Pending
        });
        let began = Instant::now();
        assert_eq!(wait_until(future, began + SOON), Some(()));
        assert!(began.elapsed() < SOON / 2, "{:?}", began.elapsed());
    }

    #[test]
    fn it_ends_at_the_deadline_and_looks_once_even_after_it() {
        let began = Instant::now();
        let deadline = began + Duration::from_millis(50);
        assert_eq!(wait_until(std::future::pending::<()>(), deadline), None);
        assert!(began.elapsed() >= Duration::from_millis(50));
        assert_eq!(wait_until(std::future::ready(1), began), Some(1));
        assert_eq!(wait_until(std::future::pending::<()>(), began), None);
    }

    #[test]
    fn another_thread_wakes_it() {
        let (tell, told) = oneshot::channel();
        let teller = thread::spawn(move || tell.send(7));
        assert_eq!(wait(told), Ok(7));
        teller.join().unwrap().unwrap();
    }

    /// A task may do so much before it has to let others run; beyond that, everything of tokio's is "not ready yet".
    #[tokio::test]
    async fn it_may_be_used_any_number_of_times_inside_one_task() {
        for n in 0..10_000 {
            let (tell, told) = oneshot::channel();
            tell.send(n).unwrap();
            assert_eq!(wait_until(told, Instant::now() + SOON), Some(Ok(n)));
        }
    }
}
