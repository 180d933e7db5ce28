//! What a listener is given.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sig_core::{CodecError, ContentType, EventName, Payload, SenderName, Value};

use crate::clock;

/// Which event of which sender it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct EventId {
    pub(crate) sender: SenderName,
    pub(crate) event: EventName,
}

/// One event, as a listener is given it.
///
/// A listener called on the spot borrows what the sender triggered with; one behind a queue or a link holds the packed
/// data (`Event<'static>`). [`decode`](Self::decode) works for both.
///
/// ```
/// use sig_router::{Event, Router};
///
/// let router = Router::new();
/// let timer = router.add_sender("timer").event("tic").connect()?;
/// let _listener = router.add_listener("timer/tic", |event: &Event<'_>| {
///     assert_eq!((event.sender().as_str(), event.name().as_str()), ("timer", "tic"));
///     assert_eq!(event.value::<u32>(), Some(&7));
///     assert_eq!(event.decode::<u64>().unwrap(), 7);
/// })?;
/// timer.signal("tic")?.try_trigger(&7_u32)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Event<'a> {
    number: u64,
    /// What is seldom said of an event. Apart, so that events are small: they change hands often.
    more: Option<Box<More>>,
    data: Data<'a>,
}

#[derive(Debug, Clone, Copy, Default)]
struct More {
    skipped: u64,
    lost: u64,
    /// Since when it is the last value, if it is given as such.
    retained: Option<Instant>,
}

#[derive(Clone)]
enum Data<'a> {
    Value(&'a EventId, &'a dyn Value),
    Packed(Arc<EventId>, Payload),
    /// A part of several that came together.
    Part(Arc<Together>, Range<u32>),
}

/// The data of several events of one kind in one piece of memory, which each of them keeps alive.
#[derive(Debug)]
pub(crate) struct Together {
    pub(crate) id: Arc<EventId>,
    pub(crate) content_type: ContentType,
    pub(crate) bytes: Bytes,
}

impl Together {
    fn payload(&self, part: &Range<u32>) -> Payload {
        Payload::new(self.content_type, self.bytes.slice(place(part)))
    }

    fn data(&self, part: &Range<u32>) -> &[u8] {
        self.bytes.get(place(part)).unwrap_or_default()
    }
}

fn place(part: &Range<u32>) -> Range<usize> {
    part.start as usize..part.end as usize
}

impl<'a> Event<'a> {
    /// An event whose value is at hand.
    pub(crate) fn borrowed(id: &'a EventId, number: u64, value: &'a dyn Value) -> Self {
        Self {
            number,
            more: None,
            data: Data::Value(id, value),
        }
    }

    /// An event with packed data.
    pub(crate) fn packed(id: Arc<EventId>, number: u64, payload: Payload) -> Event<'static> {
        Event {
            number,
            more: None,
            data: Data::Packed(id, payload),
        }
    }

    /// One of several that came together, whose data is this part of theirs.
    pub(crate) fn part(together: &Arc<Together>, number: u64, part: Range<u32>) -> Event<'static> {
        Event {
            number,
            more: None,
            data: Data::Part(Arc::clone(together), part),
        }
    }

    /// The event, before which so many were left out.
    pub(crate) fn with_skipped(self, skipped: u64) -> Self {
        if skipped == self.skipped() {
            return self;
        }
        self.with(|more| more.skipped = skipped)
    }

    /// The event, before which so many were lost.
    pub(crate) fn with_lost(self, lost: u64) -> Self {
        if lost == self.lost() {
            return self;
        }
        self.with(|more| more.lost = lost)
    }

    /// The event, as the last value of a sender that triggered it at that time.
    pub(crate) fn with_retained(self, since: Option<Instant>) -> Self {
        if since.is_none() {
            return self;
        }
        self.with(|more| more.retained = since)
    }

    fn with(mut self, say: impl FnOnce(&mut More)) -> Self {
        say(self.more.get_or_insert_default());
        self
    }

    /// Which event it is, to be kept.
    pub(crate) fn shared_id(&self) -> Arc<EventId> {
        match &self.data {
            Data::Value(id, _) => Arc::new((*id).clone()),
            Data::Packed(id, _) => Arc::clone(id),
            Data::Part(together, _) => Arc::clone(&together.id),
        }
    }

    fn id(&self) -> &EventId {
        match &self.data {
            Data::Value(id, _) => id,
            Data::Packed(id, _) => id,
            Data::Part(together, _) => &together.id,
        }
    }

    /// Who triggered it.
    #[must_use]
    pub fn sender(&self) -> &SenderName {
        &self.id().sender
    }

    /// Which event it is.
    #[must_use]
    pub fn name(&self) -> &EventName {
        &self.id().event
    }

    /// The how-manieth of this event since its sender was added, from 1. It goes on when a link was cut and healed.
    ///
    /// `#connect` and `#disconnect` have the sender's generation in its place.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many of this event a policy has left out right before this one.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.more.as_ref().map_or(0, |more| more.skipped)
    }

    /// How many of this event were lost right before this one: for functions. A stream yields [`Lagged`] instead, and
    /// this is 0.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.more.as_ref().map_or(0, |more| more.lost)
    }

    /// How old the event is, if it is no live one but the last value, or a sender that was there, which a new listener
    /// is given first.
    #[must_use]
    pub fn retained(&self) -> Option<Duration> {
        let since = self.more.as_ref().and_then(|more| more.retained);
        since.map(|since| clock::now().saturating_duration_since(since))
    }

    /// The very value that was triggered with, if this listener is called on the spot and the value is a `T`.
    #[must_use]
    pub fn value<T: 'static>(&self) -> Option<&T> {
        match &self.data {
            Data::Value(_, value) => value.as_any().downcast_ref(),
            Data::Packed(..) | Data::Part(..) => None,
        }
    }

    /// The data as it travels. A borrowed value is packed on each call.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON.
    pub fn payload(&self) -> Result<Cow<'_, Payload>, CodecError> {
        match &self.data {
            Data::Value(_, value) => match value.as_payload() {
                Some(payload) => Ok(Cow::Borrowed(payload)),
                None => value.pack().map(Cow::Owned),
            },
            Data::Packed(_, payload) => Ok(Cow::Borrowed(payload)),
            Data::Part(together, part) => Ok(Cow::Owned(together.payload(part))),
        }
    }

    /// The bytes of the data as they travel, which [`payload`](Self::payload) says more of. A borrowed value is packed on
    /// each call.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>, CodecError> {
        match &self.data {
            Data::Value(_, value) => match value.as_payload() {
                Some(payload) => Ok(Cow::Borrowed(payload.bytes())),
                None => Ok(Cow::Owned(value.pack()?.bytes().to_vec())),
            },
            Data::Packed(_, payload) => Ok(Cow::Borrowed(payload.bytes())),
            Data::Part(together, part) => Ok(Cow::Borrowed(together.data(part))),
        }
    }

    /// The data as a `T`.
    ///
    /// # Errors
    ///
    /// When the data is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        self.payload()?.decode()
    }

    /// The event with its data packed, to be kept. The data then is in a piece of memory of its own: small events that came
    /// together share one of up to 8 KiB, which each of them keeps alive.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON.
    pub fn into_owned(self) -> Result<Event<'static>, CodecError> {
        let (payload, id) = (self.payload()?, self.shared_id());
        let payload = match &self.data {
            Data::Part(..) => Payload::new(payload.content_type(), Bytes::copy_from_slice(payload.bytes())),
            Data::Value(..) | Data::Packed(..) => payload.into_owned(),
        };
        Ok(Event {
            more: self.more,
            ..Event::packed(id, self.number, payload)
        })
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} #{} ", self.sender(), self.name(), self.number)?;
        match self.payload() {
            Ok(payload) => payload.fmt(f),
            Err(error) => write!(f, "({error})"),
        }
    }
}

/// What `#connect` and `#disconnect` carry: pysig's payload (P22, P23) and more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Presence {
    /// The sender's events, `#connect` and `#disconnect` among them.
    pub events: Vec<EventName>,
    /// The methods it answers; an entry of `None` is a default handler. `None` when it answers none at all.
    pub requests: Option<Vec<Option<String>>>,
    /// Why it left: `removed`, `closed`, `link_lost`, `timeout`, `replaced`, `kicked`. `None` in `#connect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Counts the senders that connected to the router; grows with every one.
    #[serde(default)]
    pub generation: u64,
    /// The carrier that brought it: `tcp`, or `local` for the router's own.
    #[serde(default)]
    pub carrier: String,
}

/// Some events of one kind were lost: the listener did not keep up, or a link was cut.
///
/// A stream yields it where they are missing, right before the next one of the kind, or when nothing else waits.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{count} of the events {} of sender {} were lost to this listener", id.event, id.sender)]
pub struct Lagged {
    id: Arc<EventId>,
    count: u64,
}

impl Lagged {
    pub(crate) fn new(id: Arc<EventId>, count: u64) -> Self {
        Self { id, count }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whose events.
    #[must_use]
    pub fn sender(&self) -> &SenderName {
        &self.id.sender
    }

    /// Which events.
    #[must_use]
    pub fn name(&self) -> &EventName {
        &self.id.event
    }

    pub(crate) fn id(&self) -> &Arc<EventId> {
        &self.id
    }
}

impl fmt::Debug for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lagged({} of {}/{})", self.count, self.sender(), self.name())
    }
}
