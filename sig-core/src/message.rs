//! What two routers say to each other.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::payload::Payload;
use crate::raw_json::RawJson;

/// One message between two routers.
///
/// Calls and replies have the form of pysig's (P37): `{"id","method","params"}` and
/// `{"id","status","response"|"exception"}`. A call without an id wants no reply. Events name their topic by alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Asks the peer to do something.
    Call(Call),
    /// Answers a call.
    Reply(Reply),
    /// Carries an event.
    Event(EventMessage),
}

/// Asks the peer to do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Comes back in the reply. Without one, no reply is wanted.
    pub id: Option<MessageId>,
    /// What to do; `None` is answered with [`Outcome::NoMethod`] (P38).
    pub method: Option<Cow<'static, str>>,
    /// With what. `null` counts as an empty object (P40).
    pub params: RawJson,
}

/// Answers a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The call's id, as it was sent (P39).
    pub id: MessageId,
    /// How it went.
    pub outcome: Outcome,
}

/// How a call went: pysig's four statuses (P38).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Status 0: it was done, and this came of it.
    Done(RawJson),
    /// Status -1: the peer knows no such method.
    UnknownMethod,
    /// Status -2: it went wrong.
    Failed(Failure),
    /// Status -3: the call names no method.
    NoMethod,
}

/// What went wrong in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A word for programs, such as `no_such_sender`; absent from pysig peers.
    pub code: Option<Cow<'static, str>>,
    /// The reason for people; pysig's `exception`.
    pub text: String,
}

/// Carries an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMessage {
    /// Names the sender and event, as announced on this link.
    pub alias: u32,
    /// Counts per sender generation and event.
    pub number: u64,
    /// Extensions (sig/1 TLVs), passed on as they are.
    pub ext: Bytes,
    /// The data.
    pub payload: Payload,
}

/// The id of a call, chosen by its sender and echoed in the reply.
///
/// This side always chooses numbers. A peer may use any JSON value (P39), which is echoed as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageId {
    /// A number.
    Number(u64),
    /// Anything else, as its text: a number may lose digits when it is read.
    Other(RawJson),
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => number.serialize(serializer),
            Self::Other(other) => other.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = RawJson::deserialize(deserializer)?;
        Ok(id.text().parse().map_or(Self::Other(id), Self::Number))
    }
}

impl MessageId {
    /// The number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Other(other) => write!(f, "{other}"),
        }
    }
}

impl Call {
    /// A call that wants a reply.
    #[must_use]
    pub fn new(id: u64, method: impl Into<Cow<'static, str>>, params: RawJson) -> Self {
        Self {
            id: Some(MessageId::Number(id)),
            method: Some(method.into()),
            params,
        }
    }

    /// A call that wants no reply.
    #[must_use]
    pub fn notice(method: impl Into<Cow<'static, str>>, params: RawJson) -> Self {
        Self {
            id: None,
            method: Some(method.into()),
            params,
        }
    }
}

impl Failure {
    /// A failure with a word for programs and a text for people.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self {
            code: Some(code.into()),
            text: text.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Call> for Message {
    fn from(call: Call) -> Self {
        Self::Call(call)
    }
}

impl From<Reply> for Message {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<EventMessage> for Message {
    fn from(event: EventMessage) -> Self {
        Self::Event(event)
    }
}
