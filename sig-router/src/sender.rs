//! Declaring senders, and the handle of one that is connected.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use sig_core::{EventName, NameError, Reason, SenderName};

use crate::client::Offline;
use crate::error::{AddSenderError, SignalError};
use crate::hub::{Added, Hub, NewSender, Owner, SenderRecord, new_series};
use crate::request::{Handler, HandlerError, Request, Requests};
use crate::router::Router;
use crate::signal::Signal;

/// Declares a sender: its events and the requests it answers. `connect` brings it to life.
///
/// Mistakes in names are kept and reported by `connect`.
#[must_use = "nothing is added before connect()"]
pub struct SenderBuilder<T> {
    pub(crate) target: T,
    pub(crate) declared: Result<Declared, NameError>,
}

/// What was declared so far.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) name: SenderName,
    pub(crate) events: BTreeSet<EventName>,
    /// Those that the builder was given last.
    newest: Vec<EventName>,
    /// Those whose last value is kept.
    pub(crate) keep_last: BTreeSet<EventName>,
    pub(crate) requests: Requests,
    /// Only of a remote sender.
    pub(crate) offline: Offline,
}

impl<T> SenderBuilder<T> {
    pub(crate) fn new(target: T, name: &str) -> Self {
        let declared = SenderName::new(name).map(|name| Declared {
            name,
            events: BTreeSet::new(),
            newest: Vec::new(),
            keep_last: BTreeSet::new(),
            requests: Requests::default(),
            offline: Offline::Wait,
        });
        Self { target, declared }
    }

    pub(crate) fn and(mut self, declare: impl FnOnce(&mut Declared) -> Result<(), NameError>) -> Self {
        self.declared = self
            .declared
            .and_then(|mut declared| declare(&mut declared).map(|()| declared));
        self
    }

    /// Declares an event. A name that begins with `#` is a channel.
    pub fn event(self, name: impl AsRef<str>) -> Self {
        self.events([name])
    }

    /// Declares several events.
    pub fn events<N: AsRef<str>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.and(|declared| {
            declared.newest.clear();
            for name in names {
                let name = EventName::new(name)?;
                declared.newest.push(name.clone());
                declared.events.insert(name);
            }
            Ok(())
        })
    }

    /// The router keeps the last value of the event, or events, declared right before: who listens later is given it
    /// first, with its age ([`Event::retained`](crate::Event::retained)), and [`Router::last`] tells it. It ends with the
    /// sender.
    ///
    /// ```
    /// use sig_router::Router;
    ///
    /// let router = Router::new();
    /// let door = router.add_sender("door").event("state").keep_last().connect()?;
    /// door.signal("state")?.try_trigger(&"open")?;
    /// let state = router.last("door", "state").expect("it was triggered");
    /// assert_eq!(state.decode::<String>()?, "open");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_last(self) -> Self {
        self.and(|declared| {
            declared.keep_last.extend(declared.newest.iter().cloned());
            Ok(())
        })
    }

    /// Answers a method with a function. It runs where the request arrives and should be quick; one that takes longer
    /// looks at [`Request::is_cancelled`] now and then, since a function cannot be dropped.
    ///
    /// It may block. Where a request comes over a link, on a runtime with several workers, the links go on meanwhile: the
    /// first time, and as long as it took more than 100 us the last time, its thread's other work moves to another thread.
    /// One that is quick as a rule, and takes long only once in a while, is better
    /// [asynchronous](Self::request_async) and leaves what blocks to `spawn_blocking`.
    pub fn request<R, F>(self, method: impl Into<String>, handler: F) -> Self
    where
        R: Serialize,
        F: Fn(Request) -> Result<R, HandlerError> + Send + Sync + 'static,
    {
        self.and(|declared| {
            declared.requests.set(Some(method.into()), Handler::sync(handler));
            Ok(())
        })
    }

    /// Answers a method with an asynchronous function. Its future is dropped when nobody waits for it any more: the asker
    /// gave up or is gone, the deadline has passed, or this sender leaves. What it started elsewhere can wait for
    /// [`Request::cancelled`].
    pub fn request_async<R, F, Fut>(self, method: impl Into<String>, handler: F) -> Self
    where
        R: Serialize + 'static,
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        self.and(|declared| {
            declared
                .requests
                .set(Some(method.into()), Handler::asynchronous(handler));
            Ok(())
        })
    }

    /// Answers every method that has no handler of its own (P34).
    pub fn default_request<R, F>(self, handler: F) -> Self
    where
        R: Serialize,
        F: Fn(Request) -> Result<R, HandlerError> + Send + Sync + 'static,
    {
        self.and(|declared| {
            declared.requests.set(None, Handler::sync(handler));
            Ok(())
        })
    }

    /// Answers every method that has no handler of its own, asynchronously.
    pub fn default_request_async<R, F, Fut>(self, handler: F) -> Self
    where
        R: Serialize + 'static,
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        self.and(|declared| {
            declared.requests.set(None, Handler::asynchronous(handler));
            Ok(())
        })
    }
}

impl SenderBuilder<&Router> {
    /// Connects the sender: `#connect` has reached every listener when it returns (P22).
    ///
    /// # Errors
    ///
    /// [`AddSenderError`] when a name breaks the rules, the name is taken, or nothing was declared.
    pub fn connect(self) -> Result<Sender, AddSenderError> {
        let Declared {
            name,
            events,
            keep_last,
            requests,
            ..
        } = self.declared?;
        let hub = Arc::clone(self.target.hub());
        let new = NewSender {
            name,
            events,
            requests,
            owner: Owner::Local,
            carrier: "local",
            uplink: None,
            keep_last,
            series: new_series(),
            numbers: BTreeMap::new(),
        };
        let added = hub.add_sender(new)?;
        Ok(Sender::new(hub, added))
    }
}

impl<T> fmt::Debug for SenderBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SenderBuilder").field(&self.declared).finish()
    }
}

/// A connected sender of this program. Dropping it removes it.
pub struct Sender {
    hub: Arc<Hub>,
    record: Arc<SenderRecord>,
    generation: u64,
}

impl Sender {
    pub(crate) fn new(hub: Arc<Hub>, added: Added) -> Self {
        let Added {
            sender: record,
            generation,
        } = added;
        Self {
            hub,
            record,
            generation,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &SenderName {
        &self.record.name
    }

    /// Whether it is still connected: nobody removed it by name.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.record
            .lane
            .lock()
            .as_ref()
            .is_some_and(|connection| connection.generation == self.generation)
    }

    /// One of its events, to trigger it.
    ///
    /// # Errors
    ///
    /// [`SignalError`] when it did not declare the event or is not connected any more.
    pub fn signal(&self, event: &str) -> Result<Signal, SignalError> {
        let sender = || self.name().to_string();
        if event == sig_core::CONNECT || event == sig_core::DISCONNECT {
            return Err(SignalError::Presence {
                event: event.to_owned(),
            });
        }
        let lane = self.record.lane.lock();
        let connection = lane
            .as_ref()
            .filter(|connection| connection.generation == self.generation);
        let Some(connection) = connection else {
            return Err(SignalError::SenderGone { sender: sender() });
        };
        let known = connection.declared.contains(event);
        let record = self.record.event(event).filter(|_| known);
        let Some(record) = record else {
            let known = connection.declared.iter().map(ToString::to_string).collect();
            return Err(SignalError::NoSuchEvent {
                sender: sender(),
                event: event.to_owned(),
                known,
            });
        };
        Ok(Signal::new(Arc::clone(&self.hub), record, self.generation))
    }

    /// Removes it; `#disconnect` has reached every listener when it returns. False if it was removed already (P24).
    #[expect(clippy::must_use_candidate, reason = "whether it was there is often of no interest")]
    pub fn remove(self) -> bool {
        self.leave(Reason::Removed)
    }

    fn leave(&self, reason: Reason) -> bool {
        self.hub
            .remove_sender(self.name().as_str(), None, Some(self.generation), reason)
            .is_ok()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.leave(Reason::Removed);
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("name", self.name())
            .field("connected", &self.is_connected())
            .finish()
    }
}
