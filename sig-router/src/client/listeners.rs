//! Listeners of this program to remote senders.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::{FutureExt as _, Stream};
use sig_core::{EventName, Topic};
use tokio::sync::watch;

use super::ClientRouter;
use super::call::{CallError, PendingCall};
use super::link::Link;
use super::shared::Shared;
use super::state::LinkState;
use crate::error::ListenError;
use crate::event::{Event, Lagged};
use crate::hub::{Callback, First};
use crate::listen::Listen;
use crate::listener::{EventStream, Listener};
use crate::queue::{ListenerQueue, ListenerStats, Reader, Settings};
use crate::request::DEFAULT_TIMEOUT;
use crate::session::params::{AddListener, RemoveListener};
use crate::session::{Change, WantState, Wish, methods};

/// One topic that this program wants from the router, for any number of listeners.
#[derive(Debug)]
pub(super) struct Subscription {
    states: watch::Sender<SubscriptionState>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum SubscriptionState {
    Pending,
    Live,
    Refused(String),
    Closed,
}

impl Subscription {
    fn new() -> Self {
        Self {
            states: watch::Sender::new(SubscriptionState::Pending),
        }
    }

    /// There is no link any more.
    pub(super) fn offline(&self) {
        self.states.send_if_modified(|state| {
            let is_open = *state != SubscriptionState::Closed;
            if is_open {
                *state = SubscriptionState::Pending;
            }
            is_open
        });
    }

    pub(super) fn close(&self) {
        self.states.send_replace(SubscriptionState::Closed);
    }

    /// There will be no link.
    pub(super) fn refuse(&self, text: &str) {
        self.states.send_replace(SubscriptionState::Refused(text.to_owned()));
    }

    /// Asks the router for the topic.
    pub(super) fn send(&self, link: &Arc<Link>, topic: &Topic, want: &AddListener) -> Result<PendingCall, CallError> {
        if link.is_pysig() {
            return link.call_for_listener(&AddListener::new(None, topic), topic.clone(), DEFAULT_TIMEOUT);
        }
        link.call(methods::ADD_LISTENER, want, DEFAULT_TIMEOUT)
    }

    /// The router is asked again, under other terms.
    fn pend(&self) {
        self.states.send_if_modified(|state| {
            let was_live = *state == SubscriptionState::Live;
            if was_live {
                *state = SubscriptionState::Pending;
            }
            was_live
        });
    }

    /// Waits for the router's answer and acts on it, unless the link is down by then: the next one begins anew.
    pub(super) async fn finish(&self, link: &Arc<Link>, id: u64, pending: Result<PendingCall, CallError>) {
        let answer = match pending {
            Ok(pending) => pending.response().await,
            Err(error) => Err(error),
        };
        let (want, state) = match answer {
            Ok(_) => (WantState::Live, SubscriptionState::Live),
            Err(CallError::NotConnected) => return,
            Err(error @ CallError::TimedOut) => return link.give_up(&error),
            Err(error) => {
                let text = error.to_string();
                (
                    WantState::Refused { text: text.clone() },
                    SubscriptionState::Refused(text),
                )
            }
        };
        let mut ledger = link.shared().ledger.lock();
        if link.shared().is_current(link) && ledger.set_listener_state(id, want) {
            self.states.send_replace(state);
        }
    }

    /// Waits until the router has the topic.
    async fn live(&self) -> Result<(), ListenError> {
        let mut states = self.states.subscribe();
        loop {
            match states.borrow_and_update().clone() {
                SubscriptionState::Live => return Ok(()),
                SubscriptionState::Pending => {}
                SubscriptionState::Refused(text) => return Err(ListenError::Refused(text)),
                SubscriptionState::Closed => return Err(ListenError::Closed),
            }
            states.changed().await.map_err(|_| ListenError::Closed)?;
        }
    }
}

/// One listener's share in a subscription, until it is dropped.
#[derive(Debug)]
struct Share {
    shared: Weak<Shared>,
    topic: Topic,
    wish: Wish,
    subscription: Arc<Subscription>,
    /// Whether it was given up already, or is never to be.
    settled: bool,
    /// For one that names `#disconnect`: the same for `#connect`, or nobody knows whose link is lost with the own. For one
    /// that names `#connect` the other way round, or nobody knows who is there still when the next one asks.
    companion: Option<Box<Self>>,
}

impl Share {
    fn take(shared: &Arc<Shared>, topic: &Topic, wish: Wish) -> Result<Self, ListenError> {
        if shared.is_closing() {
            return Err(ListenError::Closed);
        }
        let mut ledger = shared.ledger.lock();
        let (id, change) = ledger.add_listener(topic, wish);
        let entry = shared.subscriptions.entry(topic.clone());
        let subscription = Arc::clone(&entry.or_insert_with(|| Arc::new(Subscription::new())));
        if let (Change::Listen(want), Some(link)) = (change, shared.link()) {
            subscription.pend();
            let (pending, subscription) = (subscription.send(&link, topic, &want), Arc::clone(&subscription));
            shared.tasks.spawn(
                "registering",
                async move { subscription.finish(&link, id, pending).await },
            );
        }
        drop(ledger);
        let share = Self {
            shared: Arc::downgrade(shared),
            topic: topic.clone(),
            wish,
            subscription,
            settled: false,
            companion: None,
        };
        // After it was entered: what ends all of them either finds it, or is seen here.
        match &*shared.states.borrow() {
            LinkState::Refused { text, .. } => Err(ListenError::Refused(text.clone())),
            LinkState::Closed => Err(ListenError::Closed),
            LinkState::Connecting | LinkState::Connected | LinkState::Waiting { .. } => Ok(share),
        }
    }

    /// It is never to be given up.
    fn settle(&mut self) {
        self.settled = true;
        if let Some(companion) = &mut self.companion {
            companion.settle();
        }
    }

    /// A listener's share, and what goes with it.
    fn of(shared: &Arc<Shared>, wanted: &Listen) -> Result<Self, ListenError> {
        let wish = Wish {
            policy: wanted.policy,
            snapshot: wanted.snapshot,
        };
        let mut share = Self::take(shared, &wanted.topic, wish)?;
        let other = wanted.topic.event_name().and_then(|event| match event.as_str() {
            sig_core::CONNECT => Some(EventName::disconnect()),
            sig_core::DISCONNECT => Some(EventName::connect()),
            _ => None,
        });
        let companion = other.map(|event| match wanted.topic.sender_name() {
            Some(sender) => Topic::Event(sender.clone(), event),
            None => Topic::Channel(event),
        });
        if let Some(topic) = companion {
            share.companion = Some(Box::new(Self::take(shared, &topic, wish)?));
        }
        Ok(share)
    }

    /// Waits until the router has the topic.
    async fn live(&self) -> Result<(), ListenError> {
        if let Some(companion) = &self.companion {
            companion.subscription.live().await?;
        }
        self.subscription.live().await
    }

    /// Gives the share up; the last one takes the subscription along.
    fn give_up(&mut self) -> Option<PendingCall> {
        if std::mem::replace(&mut self.settled, true) {
            return None;
        }
        self.companion = None;
        let shared = self.shared.upgrade()?;
        let mut ledger = shared.ledger.lock();
        let id = match ledger.remove_listener(&self.topic, self.wish) {
            Change::None => return None,
            Change::Listen(want) => {
                // More may be left out from now on. Where that is not possible, each listener does so by itself.
                let link = shared.link().filter(|link| !link.is_pysig())?;
                drop(self.subscription.send(&link, &self.topic, &want));
                return None;
            }
            Change::Unlisten(id) => id,
        };
        shared.subscriptions.remove(&self.topic);
        let link = shared.link()?;
        let id = match link.pysig() {
            Some(pysig) => pysig.forget_listener(&self.topic)?,
            None => id,
        };
        link.call(
            methods::REMOVE_LISTENER,
            &RemoveListener { listener_id: id },
            DEFAULT_TIMEOUT,
        )
        .ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        drop(self.give_up());
    }
}

/// A function that listens to remote senders, until this guard is dropped.
///
/// After the drop no new call begins. A call that runs at that moment runs on; [`unlisten`](Self::unlisten) waits for it.
#[must_use = "a listener ends when its guard is dropped; keep it, or call detach()"]
pub struct RemoteListener {
    // Dropped in this order: first the function is called no more, then the router is told.
    listener: Listener,
    share: Share,
}

impl RemoteListener {
    /// What happened to it so far.
    #[must_use]
    pub fn stats(&self) -> ListenerStats {
        self.listener.stats()
    }

    /// Lets the function listen for as long as the client router lives.
    pub fn detach(mut self) {
        self.share.settle();
        self.listener.detach();
    }

    /// Ends the listener, waits for a call that runs at the moment, and for the router to know.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: no new call begins from the first poll on, only the wait is given up.
    pub async fn unlisten(self) {
        self.listener.unlisten().await;
        finish(self.share).await;
    }
}

/// Gives a share up and waits for the router to know.
async fn finish(mut share: Share) {
    let pending = share.give_up();
    if let Some(pending) = pending {
        // Without an answer the link is down, and with it the subscription.
        let _ = pending.response().await;
    }
}

impl fmt::Debug for RemoteListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteListener").field(&self.share.topic).finish()
    }
}

/// The events of a topic of remote senders as a [`Stream`], behind a bounded queue; see [`EventStream`].
#[must_use = "a stream that is dropped no longer listens"]
pub struct RemoteEventStream {
    stream: EventStream,
    share: Share,
}

impl RemoteEventStream {
    pub(crate) fn reader(&mut self) -> &mut Reader {
        self.stream.reader()
    }

    /// Takes the next event, or the news that some were lost; `None` when the client router is closed.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: no event is lost.
    #[inline]
    pub async fn recv(&mut self) -> Option<Result<Event<'static>, Lagged>> {
        self.stream.recv().await
    }

    /// What happened to it so far.
    #[must_use]
    pub fn stats(&self) -> ListenerStats {
        self.stream.stats()
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stream.len()
    }

    /// Whether no event waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stream.is_empty()
    }

    /// Ends the stream and waits for the router to know.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: the stream ends all the same.
    pub async fn unlisten(self) {
        drop(self.stream);
        finish(self.share).await;
    }
}

impl Stream for RemoteEventStream {
    type Item = Result<Event<'static>, Lagged>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.stream).poll_next(cx)
    }
}

impl fmt::Debug for RemoteEventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteEventStream")
            .field("topic", &self.share.topic)
            .field("waiting", &self.len())
            .finish()
    }
}

impl ClientRouter {
    /// Calls a function for every event of a topic of remote senders, until the guard is dropped.
    ///
    /// When it returns the router has the subscription: an event triggered afterwards is not missed. Waits while there
    /// is no link: programs may start in any order. From then on it is registered again after every reconnect. The
    /// function runs on a task of its own; what [`Router::add_listener`](crate::Router::add_listener) says of panics and
    /// of what it may do holds here too.
    ///
    /// # Errors
    ///
    /// [`ListenError`] when the topic breaks the rules or the router refuses it.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: the listener is then not added.
    #[track_caller]
    pub fn add_remote_listener<T>(
        &self,
        topic: T,
        function: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> BoxFuture<'static, Result<RemoteListener, ListenError>>
    where
        T: TryInto<Listen>,
        ListenError: From<T::Error>,
    {
        // Not an async fn: the caller's place is where the listener is added, not where its future is polled.
        let wanted = topic.try_into().map_err(ListenError::from).and_then(Listen::checked);
        let place = Location::caller();
        let shared = Arc::clone(self.shared());
        async move {
            let wanted = wanted?;
            let callback = Callback::new(Box::new(function), Settings::of(&wanted), place);
            listen(shared, wanted, callback).await
        }
        .boxed()
    }

    /// The events of a topic of remote senders as a stream.
    ///
    /// When it returns the router has the subscription: an event triggered afterwards is not missed. Waits while there
    /// is no link. From then on it is registered again after every reconnect.
    ///
    /// # Errors
    ///
    /// [`ListenError`] when the topic breaks the rules or the router refuses it.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: the listener is then not added.
    #[track_caller]
    pub fn listen_remote<T>(
        &self,
        topic: T,
    ) -> impl Future<Output = Result<RemoteEventStream, ListenError>> + Send + use<T>
    where
        T: TryInto<Listen>,
        ListenError: From<T::Error>,
    {
        // Not an async fn, for the same reason.
        let wanted = topic.try_into().map_err(ListenError::from).and_then(Listen::checked);
        let place = Location::caller();
        stream(Arc::clone(self.shared()), wanted, place)
    }
}

/// What a new listener is given first by this side: where each event is, if others listen to the topic already. If not,
/// the router says so.
fn first(shared: &Shared, wanted: &Listen) -> First {
    let known = shared.subscriptions.get(&wanted.topic);
    First {
        positions: known.is_some_and(|known| *known.states.borrow() == SubscriptionState::Live),
        ..wanted.first()
    }
}

/// Adds a function that listens: first here, so that nothing is missed once the router has the subscription.
async fn listen(shared: Arc<Shared>, wanted: Listen, callback: Callback) -> Result<RemoteListener, ListenError> {
    let first = first(&shared, &wanted);
    let listener = Listener::new(&shared.remote, wanted.topic.clone(), first, callback);
    let share = Share::of(&shared, &wanted)?;
    share.live().await?;
    Ok(RemoteListener { listener, share })
}

/// Adds a stream, in the same order.
async fn stream(
    shared: Arc<Shared>,
    wanted: Result<Listen, ListenError>,
    place: &'static Location<'static>,
) -> Result<RemoteEventStream, ListenError> {
    let wanted = wanted?;
    let queue = ListenerQueue::of_stream(place, Settings::of(&wanted), Arc::clone(shared.remote.stalls()));
    let first = first(&shared, &wanted);
    let stream = EventStream::new(&shared.remote, wanted.topic.clone(), first, queue);
    let share = Share::of(&shared, &wanted)?;
    share.live().await?;
    Ok(RemoteEventStream { stream, share })
}
