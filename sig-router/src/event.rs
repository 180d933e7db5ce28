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

use crate::{burst, clock};

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
pub struct Event<'a>(Data<'a>);

/// Small, since events change hands often.
#[derive(Clone)]
enum Data<'a> {
    Value(&'a AtHand<'a>),
    Packed(Arc<Packed>),
    Part(Arc<Together>, Part),
}

/// An event whose value is at hand. Nothing is ever left out before it.
pub(crate) struct AtHand<'a> {
    pub(crate) id: &'a EventId,
    pub(crate) number: u64,
    pub(crate) value: &'a dyn Value,
}

/// An event by itself.
#[derive(Debug, Clone)]
struct Packed {
    id: Arc<EventId>,
    number: u64,
    payload: Payload,
    skipped: u64,
    lost: u64,
    /// Since when it is the last value, if it is given as such.
    retained: Option<Instant>,
}

/// Plain events of one kind that came together: their frames in one piece of memory, which each of them keeps alive.
#[derive(Debug)]
pub(crate) struct Together {
    pub(crate) id: Arc<EventId>,
    pub(crate) content_type: ContentType,
    /// The number of the first.
    pub(crate) first: u64,
    pub(crate) frames: Bytes,
}

/// One of several events that came together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// How many are before it.
    pub(crate) index: u32,
    /// Where its frame begins.
    pub(crate) at: u32,
}

impl Together {
    fn number(&self, part: Part) -> u64 {
        self.first + u64::from(part.index)
    }

    /// Where its data is.
    #[inline]
    fn place(&self, part: Part) -> Option<Range<usize>> {
        let at = part.at as usize;
        let size = burst::frame_size(self.frames.get(at..)?)?;
        Some(at + burst::head_len(self.content_type)..at + size)
    }

    fn payload(&self, part: Part) -> Payload {
        let bytes = self.place(part).map(|place| self.frames.slice(place));
        Payload::new(self.content_type, bytes.unwrap_or_default())
    }

    #[inline]
    fn data(&self, part: Part) -> &[u8] {
        let bytes = self.place(part).and_then(|place| self.frames.get(place));
        bytes.unwrap_or_default()
    }
}

impl<'a> Event<'a> {
    /// An event whose value is at hand.
    pub(crate) fn borrowed(event: &'a AtHand<'a>) -> Self {
        Self(Data::Value(event))
    }

    /// An event with packed data.
    pub(crate) fn packed(id: Arc<EventId>, number: u64, payload: Payload) -> Event<'static> {
        Event(Data::Packed(Arc::new(Packed {
            id,
            number,
            payload,
            skipped: 0,
            lost: 0,
            retained: None,
        })))
    }

    /// One of several that came together.
    #[inline]
    pub(crate) fn part(together: &Arc<Together>, part: Part) -> Event<'static> {
        Event(Data::Part(Arc::clone(together), part))
    }

    /// The event, before which so many were left out.
    pub(crate) fn with_skipped(self, skipped: u64) -> Self {
        if skipped == self.skipped() {
            return self;
        }
        self.with(|event| event.skipped = skipped)
    }

    /// The event, before which so many were lost.
    pub(crate) fn with_lost(self, lost: u64) -> Self {
        if lost == self.lost() {
            return self;
        }
        self.with(|event| event.lost = lost)
    }

    /// The event, as the last value of a sender that triggered it at that time.
    pub(crate) fn with_retained(self, since: Option<Instant>) -> Self {
        if since.is_none() {
            return self;
        }
        self.with(|event| event.retained = since)
    }

    /// What is seldom said of an event. Nothing of the kind is said of one whose value is at hand.
    fn with(self, say: impl FnOnce(&mut Packed)) -> Self {
        let mut event = match self.0 {
            Data::Value(_) => return self,
            Data::Packed(event) => event,
            Data::Part(together, part) => Arc::new(Packed {
                id: Arc::clone(&together.id),
                number: together.number(part),
                payload: together.payload(part),
                skipped: 0,
                lost: 0,
                retained: None,
            }),
        };
        say(Arc::make_mut(&mut event));
        Self(Data::Packed(event))
    }

    /// Which event it is, to be kept.
    pub(crate) fn shared_id(&self) -> Arc<EventId> {
        match &self.0 {
            Data::Value(event) => Arc::new(event.id.clone()),
            Data::Packed(event) => Arc::clone(&event.id),
            Data::Part(together, _) => Arc::clone(&together.id),
        }
    }

    fn id(&self) -> &EventId {
        match &self.0 {
            Data::Value(event) => event.id,
            Data::Packed(event) => &event.id,
            Data::Part(together, _) => &together.id,
        }
    }

    fn as_packed(&self) -> Option<&Packed> {
        match &self.0 {
            Data::Packed(event) => Some(event),
            Data::Value(_) | Data::Part(..) => None,
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
        match &self.0 {
            Data::Value(event) => event.number,
            Data::Packed(event) => event.number,
            Data::Part(together, part) => together.number(*part),
        }
    }

    /// How many of this event a policy has left out right before this one.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.as_packed().map_or(0, |event| event.skipped)
    }

    /// How many of this event were lost right before this one: for functions. A stream yields [`Lagged`] instead, and
    /// this is 0.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.as_packed().map_or(0, |event| event.lost)
    }

    /// How old the event is, if it is no live one but the last value, or a sender that was there, which a new listener
    /// is given first.
    #[must_use]
    pub fn retained(&self) -> Option<Duration> {
        let since = self.as_packed().and_then(|event| event.retained);
        since.map(|since| clock::now().saturating_duration_since(since))
    }

    /// The very value that was triggered with, if this listener is called on the spot and the value is a `T`.
    #[must_use]
    pub fn value<T: 'static>(&self) -> Option<&T> {
        match &self.0 {
            Data::Value(event) => event.value.as_any().downcast_ref(),
            Data::Packed(_) | Data::Part(..) => None,
        }
    }

    /// The data as it travels. A borrowed value is packed on each call.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON.
    pub fn payload(&self) -> Result<Cow<'_, Payload>, CodecError> {
        match &self.0 {
            Data::Value(event) => match event.value.as_payload() {
                Some(payload) => Ok(Cow::Borrowed(payload)),
                None => event.value.pack().map(Cow::Owned),
            },
            Data::Packed(event) => Ok(Cow::Borrowed(&event.payload)),
            Data::Part(together, part) => Ok(Cow::Owned(together.payload(*part))),
        }
    }

    /// The bytes of the data as they travel, which [`payload`](Self::payload) says more of. A borrowed value is packed on
    /// each call.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON.
    #[inline]
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>, CodecError> {
        match &self.0 {
            Data::Part(together, part) => Ok(Cow::Borrowed(together.data(*part))),
            Data::Packed(event) => Ok(Cow::Borrowed(event.payload.bytes())),
            Data::Value(event) => event.bytes(),
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
        let (id, number) = (self.shared_id(), self.number());
        let payload = match self.0 {
            Data::Packed(event) => return Ok(Event(Data::Packed(event))),
            Data::Part(together, part) => {
                Payload::new(together.content_type, Bytes::copy_from_slice(together.data(part)))
            }
            Data::Value(_) => self.payload()?.into_owned(),
        };
        Ok(Event::packed(id, number, payload))
    }
}

impl AtHand<'_> {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, CodecError> {
        match self.value.as_payload() {
            Some(payload) => Ok(Cow::Borrowed(payload.bytes())),
            None => Ok(Cow::Owned(self.value.pack()?.bytes().to_vec())),
        }
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} #{} ", self.sender(), self.name(), self.number())?;
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
