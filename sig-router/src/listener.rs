//! Listening: guards for functions, streams for tasks.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use futures::Stream;
use sig_core::Topic;

use crate::event::{Event, Lagged};
use crate::hub::{Callback, First, Hub, ListenerKey, Target};
use crate::queue::{ListenerQueue, ListenerStats, Reader};

/// A registration at a hub that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    /// Listening keeps no router alive: streams end when nobody is left who could trigger.
    hub: Weak<Hub>,
    topic: Topic,
    key: ListenerKey,
    /// Whether the listener stays when this is dropped.
    detached: bool,
}

impl Registration {
    pub(crate) fn new(hub: &Arc<Hub>, topic: Topic, target: Target, first: First) -> Self {
        let key = hub.listen(&topic, target, first);
        Self {
            hub: Arc::downgrade(hub),
            topic,
            key,
            detached: false,
        }
    }
}

impl Registration {
    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.detached {
            return;
        }
        if let Some(hub) = self.hub.upgrade() {
            hub.unlisten(&self.topic, self.key);
        }
    }
}

/// A function that listens, until this guard is dropped.
///
/// After the drop no new call begins, and what the function owns is dropped as well. A call that runs at that moment runs
/// on; [`unlisten`](Self::unlisten) waits for it, and what the function owns goes with it. Dropping the guard inside its
/// own function is fine.
#[must_use = "a listener ends when its guard is dropped; keep it, or call detach()"]
pub struct Listener {
    callback: Option<Arc<Callback>>,
    registration: Option<Registration>,
}

impl Listener {
    pub(crate) fn new(hub: &Arc<Hub>, topic: Topic, first: First, callback: Callback) -> Self {
        let callback = Arc::new(callback);
        let registration = Registration::new(hub, topic, Target::Callback(Arc::clone(&callback)), first);
        Self {
            callback: Some(callback),
            registration: Some(registration),
        }
    }

    /// What happened to it so far, as far as events came over links: its own router's senders call it on the spot.
    #[must_use]
    pub fn stats(&self) -> ListenerStats {
        self.callback
            .as_ref()
            .map_or_else(ListenerStats::default, |callback| callback.stats())
    }

    /// Lets the function listen for as long as the router lives.
    pub fn detach(mut self) {
        self.callback = None;
        if let Some(registration) = &mut self.registration {
            registration.detached = true;
        }
    }

    /// Ends the listener and waits for a call that runs at the moment.
    ///
    /// A trigger asks for its listeners once, and not before each call. So what is waited for is the end of every trigger
    /// that was calling listeners of the event when this one ended, this one or others; but for those that this very
    /// thread is in.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: no new call begins from the first poll on, only the wait is given up.
    pub async fn unlisten(mut self) {
        self.registration = None;
        if let Some(callback) = self.callback.take() {
            callback.retire();
            callback.ended().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(callback) = &self.callback {
            callback.retire();
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener")
            .field(&self.registration.as_ref().map(|registration| &registration.topic))
            .finish()
    }
}

/// The events of a topic as a [`Stream`], behind a bounded queue.
///
/// What happens when events come faster than they are taken is its [`Policy`](crate::Policy). By default it holds up to
/// 16,384 events or 4 MiB; when it is full, senders wait for it; when nothing is taken from it for five seconds, it loses
/// events instead until it is empty. Whatever was lost, here or on the way, it tells with [`Lagged`] where it is missing:
/// of each event of each sender, the events received and skipped and those reported lost are all that were triggered.
///
/// It ends with the router: when it is closed, or the last handle to it, its senders and signals is gone. Dropping it
/// unlistens.
///
/// ```
/// use sig_router::Router;
///
/// # futures::executor::block_on(async {
/// let router = Router::new();
/// let mut tics = router.listen("timer/tic")?;
/// let timer = router.add_sender("timer").event("tic").connect()?;
/// timer.signal("tic")?.try_trigger(&1_u32)?;
/// let event = tics.recv().await.expect("the router lives")?;
/// assert_eq!(event.decode::<u32>()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[must_use = "a stream that is dropped no longer listens"]
pub struct EventStream {
    reader: Reader,
    registration: Registration,
}

impl EventStream {
    pub(crate) fn new(hub: &Arc<Hub>, topic: Topic, first: First, queue: Arc<ListenerQueue>) -> Self {
        let target = Target::Outlet(Arc::clone(&queue) as _, queue.policy());
        let registration = Registration::new(hub, topic, target, first);
        Self {
            reader: Reader::new(queue),
            registration,
        }
    }

    pub(crate) fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// What happened to it so far.
    #[must_use]
    pub fn stats(&self) -> ListenerStats {
        self.reader.queue().stats()
    }

    /// Takes the next event, or the news that some were lost; `None` when the router is closed.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: no event is lost.
    #[inline]
    pub async fn recv(&mut self) -> Option<Result<Event<'static>, Lagged>> {
        self.reader.next().await
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reader.queue().len()
    }

    /// Whether no event waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Stream for EventStream {
    type Item = Result<Event<'static>, Lagged>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.reader.poll_next(cx)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        // A router may go on to hold the queue for a while: in what it resolved for the next trigger.
        self.reader.queue().discard();
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = &self.registration.topic;
        f.debug_struct("EventStream")
            .field("topic", topic)
            .field("waiting", &self.len())
            .finish()
    }
}
