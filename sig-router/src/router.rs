//! The router inside one process.

use std::fmt;
use std::future::{Future, IntoFuture, ready};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Serialize;
use sig_core::{CancellationToken, CodecError, RawJson, Reason, SenderName};
use tokio::runtime::Handle;

use crate::error::{ListenError, RequestError};
use crate::event::Event;
use crate::hub::{Callback, Hub, Owner, SenderInfo};
use crate::inspect::{Inspection, Inspector};
use crate::listen::Listen;
use crate::listener::{EventStream, Listener};
use crate::queue::{ListenerQueue, Settings};
use crate::request::{DEFAULT_TIMEOUT, Question};
use crate::sender::SenderBuilder;

/// Dispatches events and requests inside one process. Cloning is cheap; clones are the same router.
///
/// ```
/// use sig_router::{Event, Router};
///
/// let router = Router::new();
/// // A listener may be there before its sender.
/// let _listener = router.add_listener("timer/tic", |event: &Event<'_>| println!("{event:?}"))?;
/// let timer = router
///     .add_sender("timer")
///     .event("tic")
///     .request("period", |_| Ok(1.0))
///     .connect()?;
/// timer.signal("tic")?.try_trigger(&"now")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Triggering needs no runtime. Requests need tokio's, for their deadline.
#[derive(Clone)]
pub struct Router {
    hub: Arc<Hub>,
}

impl Router {
    /// A router without senders and listeners.
    #[must_use]
    pub fn new() -> Self {
        let hub = Hub::new(None);
        Inspection::install(&hub, None);
        Self { hub }
    }

    pub(crate) fn with_hub(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Begins to declare a sender.
    pub fn add_sender(&self, name: impl AsRef<str>) -> SenderBuilder<&Self> {
        SenderBuilder::new(self, name.as_ref())
    }

    /// Removes a sender of this program by name. False if there is none that is connected (P24).
    #[must_use]
    pub fn remove_sender(&self, name: impl AsRef<str>) -> bool {
        self.hub
            .remove_sender(name.as_ref(), Some(Owner::Local), None, Reason::Removed)
            .is_ok()
    }

    /// Calls a function for every event of a topic, until the guard is dropped.
    ///
    /// Events of this router's own senders call it on the spot, on the thread that triggers; events from links call it
    /// on a task of its own. A panic is caught and reported; the other listeners still get the event. From inside the
    /// function everything is allowed: trigger, request, listen, unlisten. The sender need not exist yet (P9), and may
    /// leave and return; an event that it does not declare is waited for.
    ///
    /// # Errors
    ///
    /// [`ListenError::Name`] when the topic breaks the rules, [`ListenError::Policy`] when the policy cannot be kept.
    #[track_caller]
    pub fn add_listener<T>(
        &self,
        topic: T,
        function: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<Listener, ListenError>
    where
        T: TryInto<Listen>,
        ListenError: From<T::Error>,
    {
        let listen = topic.try_into()?.checked()?;
        Ok(self.add_listener_at(listen, Box::new(function), Location::caller()))
    }

    /// As [`add_listener`](Self::add_listener), for one that was asked for at this place.
    pub(crate) fn add_listener_at(
        &self,
        listen: Listen,
        function: Box<dyn Fn(&Event<'_>) + Send + Sync>,
        place: &'static Location<'static>,
    ) -> Listener {
        let callback = Callback::new(function, Settings::of(&listen), place);
        let first = listen.first();
        Listener::new(&self.hub, listen.topic, first, callback)
    }

    /// The events of a topic as a stream. Every event triggered from now on is in it, unless the policy that it was asked
    /// for with ([`Listen`]) leaves it out.
    ///
    /// # Errors
    ///
    /// [`ListenError::Name`] when the topic breaks the rules, [`ListenError::Policy`] when the policy cannot be kept.
    #[track_caller]
    pub fn listen<T>(&self, topic: T) -> Result<EventStream, ListenError>
    where
        T: TryInto<Listen>,
        ListenError: From<T::Error>,
    {
        let listen = topic.try_into()?.checked()?;
        let queue = ListenerQueue::new(Settings::of(&listen), Arc::clone(self.hub.stalls()));
        let first = listen.first();
        Ok(EventStream::new(&self.hub, listen.topic, first, queue))
    }

    /// The last value of an event that keeps it ([`SenderBuilder::keep_last`]), without listening: it tells its age
    /// ([`Event::retained`]). None while its sender is not there, or has not triggered it yet.
    #[must_use]
    pub fn last(&self, sender: impl AsRef<str>, event: impl AsRef<str>) -> Option<Event<'static>> {
        self.hub.last(sender.as_ref(), event.as_ref())
    }

    /// Asks a sender; await the result. The deadline is ten seconds unless set otherwise.
    ///
    /// The handler of a sender of this program runs on the task that awaits. One that is a plain function and blocks
    /// blocks the asker, beyond its deadline too.
    ///
    /// # Errors
    ///
    /// Awaiting it gives a [`RequestError`]: [`NoSuchSender`](RequestError::NoSuchSender),
    /// [`NotSupported`](RequestError::NotSupported) or [`NoSuchMethod`](RequestError::NoSuchMethod) when nobody answers
    /// that; [`SenderGone`](RequestError::SenderGone) as soon as the sender leaves; [`TimedOut`](RequestError::TimedOut)
    /// at the deadline; [`HandlerFailed`](RequestError::HandlerFailed) when the handler says so or panics;
    /// [`Codec`](RequestError::Codec) when the parameters or the response cannot be packed or are too large;
    /// [`Refused`](RequestError::Refused) without a tokio runtime, and where handlers ask each other 128 deep. From a
    /// sender of a client also [`Busy`](RequestError::Busy), where more requests are under way than it takes, and
    /// whatever its own router reports.
    ///
    /// # Cancel safety
    ///
    /// Giving up the wait gives up the request: the handler's future is dropped, over every hop.
    ///
    /// ```
    /// use sig_router::Router;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let router = Router::new();
    /// let _adder = router
    ///     .add_sender("adder")
    ///     .request("add", |request| Ok(request.params::<(i64, i64)>().map(|(a, b)| a + b)?))
    ///     .connect()?;
    /// let sum: i64 = router.request("adder", "add", &(20, 22)).await?.parse()?;
    /// assert_eq!(sum, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn request<P: Serialize + ?Sized>(
        &self,
        sender: impl Into<String>,
        method: impl Into<String>,
        params: &P,
    ) -> PendingRequest<'_> {
        let hub = Arc::clone(&self.hub);
        let (sender, method) = (sender.into(), method.into());
        PendingRequest::new(RawJson::new(params), move |params, timeout| {
            // No sender has a name that breaks the rules.
            let Ok(name) = SenderName::new(&sender) else {
                return ready(Err(RequestError::NoSuchSender { sender })).boxed();
            };
            hub.request(Question {
                sender: name,
                method,
                params,
                timeout,
                asker: CancellationToken::new(),
                turns: None,
            })
        })
    }

    /// What is known of every sender, by name. The router's own sender, `#router`, is not among them.
    #[must_use]
    pub fn senders(&self) -> Vec<SenderInfo> {
        self.hub.senders()
    }

    /// How the router fares: what its sender `#router` answers, for this program.
    #[must_use]
    pub fn inspect(&self) -> Inspector {
        Inspector::of(&self.hub)
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hub.fmt(f)
    }
}

/// The topology: every sender, its events and who listens to them (P31). With `{:#}` the router's own sender too.
impl fmt::Display for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.hub, f)
    }
}

type Ask<'a> = Box<dyn FnOnce(RawJson, Duration) -> BoxFuture<'a, Result<RawJson, RequestError>> + Send + 'a>;

/// A request that is sent when it is awaited.
///
/// Yields the response, or a [`RequestError`] at the deadline at the latest. Dropping it gives the request up, and drops
/// the handler's future, wherever that is. A request that was given up may have had its effect all the same: only a
/// response tells.
#[must_use = "a request is sent when it is awaited"]
pub struct PendingRequest<'a> {
    params: Result<RawJson, CodecError>,
    timeout: Duration,
    ask: Ask<'a>,
}

impl<'a> PendingRequest<'a> {
    pub(crate) fn new(
        params: Result<RawJson, CodecError>,
        ask: impl FnOnce(RawJson, Duration) -> BoxFuture<'a, Result<RawJson, RequestError>> + Send + 'a,
    ) -> Self {
        Self {
            params,
            timeout: DEFAULT_TIMEOUT,
            ask: Box::new(ask),
        }
    }

    /// Sets the deadline, counted from when the request is awaited.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

impl<'a> IntoFuture for PendingRequest<'a> {
    type Output = Result<RawJson, RequestError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let Self { params, timeout, ask } = self;
            within(timeout, ask(params?, timeout)).await
        }
        .boxed()
    }
}

impl fmt::Debug for PendingRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingRequest")
            .field("params", &self.params)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Bounds an answer by its deadline.
pub(crate) async fn within(
    timeout: Duration,
    answer: impl Future<Output = Result<RawJson, RequestError>>,
) -> Result<RawJson, RequestError> {
    if Handle::try_current().is_err() {
        return Err(RequestError::Refused(
            "requests need a tokio runtime, for their deadline".to_owned(),
        ));
    }
    let late = |_| Err(RequestError::TimedOut { after: timeout });
    tokio::time::timeout(timeout, answer).await.unwrap_or_else(late)
}
