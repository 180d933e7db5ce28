//! The one who takes events from a listener's queue.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::time::Sleep;

use super::chunk::Hand;
use super::{Delivery, ListenerQueue, Look, Taken};
use crate::confirm::Receipt;
use crate::wait::wait_or_look_again;

/// Takes events from a listener's queue: the only one who does.
///
/// Plain events are taken several at a time, and handed out one by one without a lock.
pub(crate) struct Reader {
    queue: Arc<ListenerQueue>,
    hand: Option<Hand>,
    /// How many events were taken so far.
    taken: u64,
    /// Wakes the reader when the time of an event has come that is held back.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What is there for somebody who takes.
enum Found {
    Delivery(Delivery, Option<Receipt>),
    /// Nothing; an event is held back until then.
    Empty(Option<Instant>),
    Closed,
}

impl Reader {
    pub(crate) fn new(queue: Arc<ListenerQueue>) -> Self {
        Self {
            queue,
            hand: None,
            taken: 0,
            timer: None,
        }
    }

    pub(crate) fn queue(&self) -> &Arc<ListenerQueue> {
        &self.queue
    }

    /// What lies in the hand; nothing is asked of the queue.
    #[inline]
    fn take_from_hand(&mut self) -> Option<Delivery> {
        let Some(event) = self.hand.as_mut()?.take() else {
            self.hand = None;
            return None;
        };
        self.took_one();
        Some(Ok(event))
    }

    #[inline]
    fn took_one(&mut self) {
        self.taken += 1;
        self.queue.taken.store(self.taken, Ordering::Relaxed);
    }

    fn find(&mut self) -> Found {
        loop {
            if let Some(delivery) = self.take_from_hand() {
                return Found::Delivery(delivery, None);
            }
            match self.queue.look() {
                Look::Taken(Taken::Several(chunk)) => self.hand = Some(Hand::of(chunk)),
                Look::Taken(Taken::One(event, receipt)) => {
                    self.took_one();
                    let kept = match receipt {
                        Some(receipt) if !self.queue.keeps_receipts => {
                            receipt.delivered();
                            None
                        }
                        receipt => receipt,
                    };
                    return Found::Delivery(Ok(event), kept);
                }
                Look::Lagged(lagged) => return Found::Delivery(Err(lagged), None),
                Look::Empty(due) => return Found::Empty(due),
                Look::Closed => return Found::Closed,
            }
        }
    }

    /// Takes the next delivery, if one is there.
    pub(crate) fn take_now(&mut self) -> Option<(Delivery, Option<Receipt>)> {
        if let Some(delivery) = self.take_from_hand() {
            return Some((delivery, None));
        }
        self.queue.pull();
        match self.find() {
            Found::Delivery(delivery, receipt) => Some((delivery, receipt)),
            Found::Empty(_) | Found::Closed => None,
        }
    }

    /// Waits on this thread for the next delivery, until the deadline; `Some(None)` when the queue is closed and empty.
    ///
    /// Not the same as to wait for [`next`](Self::next): the thread keeps the time itself, with no timer of a runtime,
    /// which may not be there, or be this very thread's.
    pub(crate) fn take_on_thread(&mut self, deadline: Option<Instant>) -> Option<Option<Delivery>> {
        if let Some(delivery) = self.take_from_hand() {
            return Some(Some(delivery));
        }
        wait_or_look_again(deadline, |cx| {
            self.queue.pull();
            // Once more when it is known whom to wake.
            let mut found = self.find();
            if matches!(found, Found::Empty(_)) {
                self.queue.ready.register(cx.waker());
                found = self.find();
            }
            match found {
                Found::Delivery(delivery, _) => (Poll::Ready(Some(delivery)), None),
                Found::Closed => (Poll::Ready(None), None),
                Found::Empty(due) => (Poll::Pending, due),
            }
        })
    }

    /// Takes the next delivery without waiting; `Ready(None)` when the queue is closed and empty.
    #[inline]
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        match self.take_from_hand() {
            Some(delivery) => Poll::Ready(Some(delivery)),
            None => self.poll_kept(cx).map(|taken| taken.map(|(delivery, _)| delivery)),
        }
    }

    /// Apart, so that [`poll_next`](Self::poll_next) is small: what it gives is made where it is wanted then, and not moved.
    #[inline(never)]
    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Delivery, Option<Receipt>)>> {
        if let Some(taken) = self.take_now() {
            return Poll::Ready(Some(taken));
        }
        self.queue.ready.register(cx.waker());
        loop {
            match self.find() {
                Found::Delivery(delivery, receipt) => return Poll::Ready(Some((delivery, receipt))),
                Found::Closed => return Poll::Ready(None),
                Found::Empty(None) => return Poll::Pending,
                Found::Empty(Some(due)) if self.poll_timer(due, cx).is_pending() => return Poll::Pending,
                Found::Empty(Some(_)) => {}
            }
        }
    }

    /// Ready when the time has come. Without a runtime there are no timers: the next event then brings the one that is
    /// held back along.
    fn poll_timer(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if Handle::try_current().is_err() {
            return Poll::Pending;
        }
        let due = due.into();
        let sleep = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        sleep.as_mut().poll(cx)
    }

    /// Waits for the next delivery; `None` when the queue is closed and empty.
    #[inline]
    pub(crate) fn next(&mut self) -> Next<'_> {
        Next(self)
    }

    /// As [`next`](Self::next), with what is to be kept until the event is dealt with.
    pub(crate) async fn next_kept(&mut self) -> Option<(Delivery, Option<Receipt>)> {
        std::future::poll_fn(|cx| self.poll_kept(cx)).await
    }
}

/// Waits for the next delivery.
pub(crate) struct Next<'a>(&'a mut Reader);

impl Future for Next<'_> {
    type Output = Option<Delivery>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_next(cx)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queue.fmt(f)
    }
}
