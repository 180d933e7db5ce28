//! Parameters and responses of the control methods, tolerant where pysig is.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Duration;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sig_core::{ContentType, EventName, MAX_NAME, RawJson, SenderName, Topic};

use super::parse::text;
use crate::policy::PolicyParams;
use crate::request::DEFAULT_TIMEOUT;

/// Most events, and most methods, that one sender may list.
pub(crate) const MAX_LISTED: usize = 16_384;

/// `add_sender` (P51).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddSender {
    /// Its name.
    pub(crate) sender: SenderName,
    /// Its events. pysig sends a list, or one single value (P17); null stands for none, inside a list as well, and
    /// repetitions are dropped.
    #[serde(default, deserialize_with = "events")]
    pub(crate) events: Vec<EventName>,
    /// The methods that it answers, `None` among them for all others (P34); no list where it answers none.
    #[serde(default, deserialize_with = "methods", skip_serializing_if = "Option::is_none")]
    pub(crate) requests: Option<Vec<Option<String>>>,
    /// Those of its events whose last one the router keeps for those who come late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) keep_last: Vec<EventName>,
    /// Names the run of the numbers of its events; as long as it is the same, they go on. A new one where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) series: Option<u64>,
    /// Of each event, the number before the next one that will come; but for those that were never triggered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) numbers: BTreeMap<EventName, u64>,
}

/// Response to `add_sender`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddSenderReply {
    /// Counts how often the name was taken.
    pub(crate) generation: u64,
    /// The alias of each event.
    pub(crate) aliases: BTreeMap<EventName, u32>,
    /// What may be sent, in bytes from the beginning.
    pub(crate) credit: u64,
}

/// `remove_sender` (P57).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RemoveSender {
    /// Its name.
    pub(crate) sender: SenderName,
}

/// `add_listener` (P49).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AddListener {
    /// The id that the client chose; a pysig client leaves it to the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listener_id: Option<u64>,
    /// Whose events; `None` for everybody's.
    #[serde(default)]
    pub(crate) sender: Option<SenderName>,
    /// Which event; `None` for all.
    #[serde(default)]
    pub(crate) event: Option<EventName>,
    /// What happens when events come faster than they are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<PolicyParams>,
    /// Whether to tell first which senders are there, for a listener that is told of presence.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) snapshot: bool,
    /// Whether the client had the topic over a former link: it is told where the numbers are, to see what it missed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) again: bool,
}

impl AddListener {
    /// The listener of a topic.
    pub(crate) fn new(listener_id: Option<u64>, topic: &Topic) -> Self {
        Self {
            listener_id,
            sender: topic.sender_name().cloned(),
            event: topic.event_name().cloned(),
            policy: None,
            snapshot: false,
            again: false,
        }
    }
}

/// Response to `add_listener`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddListenerReply {
    /// The client's id, or the one that the router chose.
    pub(crate) listener_id: u64,
}

/// `remove_listener` (P50).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RemoveListener {
    /// Its id.
    pub(crate) listener_id: u64,
}

/// `request` (P55), in both directions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestParams {
    /// Who is asked.
    pub(crate) sender: SenderName,
    /// For what.
    #[serde(deserialize_with = "text::<MAX_NAME, _>")]
    pub(crate) method: String,
    /// With what.
    #[serde(default)]
    pub(crate) params: RawJson,
    /// How long the answer is of use, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deadline_ms: Option<u64>,
}

impl RequestParams {
    /// How long the answer is waited for.
    pub(crate) fn timeout(&self) -> Duration {
        self.deadline_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis)
    }
}

/// `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cancel {
    /// The id of the call that is taken back.
    pub(crate) id: u64,
}

/// `credit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// For whom.
    pub(crate) sender: SenderName,
    /// What may be sent, in bytes from the beginning.
    pub(crate) granted: u64,
}

/// `announce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announce {
    /// Stands for the sender and event from here on.
    pub(crate) alias: u32,
    /// The sender.
    pub(crate) sender: SenderName,
    /// The event.
    pub(crate) event: EventName,
    /// What its payloads are, by number; JSON when it is not said.
    #[serde(
        default,
        serialize_with = "content_type_out",
        deserialize_with = "content_type_in",
        skip_serializing_if = "is_json"
    )]
    pub(crate) content_type: ContentType,
    /// Names the run of its numbers; 0 for presence, which is not numbered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) series: u64,
    /// The number of the event before the next one that comes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) number: u64,
    /// Whether the last one is kept for those who come late.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) keep_last: bool,
}

/// `last`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastParams {
    /// Whose.
    pub(crate) sender: SenderName,
    /// Of which event.
    pub(crate) event: EventName,
}

/// Response to `last`, where there is a last value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastReply {
    /// Its number.
    pub(crate) number: u64,
    /// How old it is, in milliseconds.
    pub(crate) age_ms: u64,
    /// The data, bytes as `{"$bytes": base64}`.
    #[serde(default)]
    pub(crate) data: RawJson,
}

/// `forget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forget {
    /// These stand for nothing any more.
    pub(crate) aliases: Vec<u32>,
}

/// `list_senders` (P48).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListSenders {
    /// Whether to list the events as well; anything that Python holds for true.
    #[serde(default, deserialize_with = "truthy")]
    pub(crate) list_events: bool,
}

/// One sender in the response to `list_senders`, which is a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedSender {
    /// Its name; `None` for the broadcast sender.
    #[serde(default)]
    pub(crate) sender: Option<SenderName>,
    /// Whether it is there, or only listened for.
    pub(crate) connected: bool,
    /// Its events, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) events: Option<Vec<ListedEvent>>,
}

/// One event of a listed sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedEvent {
    /// Its name; `None` for the broadcast event.
    #[serde(default)]
    pub(crate) event: Option<EventName>,
}

/// `signal`: an event in pysig's dialect, to its server (P52) and to its client (P68).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignalIn {
    /// Whose listener it is for; only towards a client. Any JSON value: see [`listener`](Self::listener).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listener_id: Option<RawJson>,
    /// What happened.
    pub(crate) info: SignalInfo,
    /// The data.
    #[serde(default)]
    pub(crate) data: RawJson,
}

impl SignalIn {
    /// The listener's id, where it is one that this side could have given or got.
    pub(crate) fn listener(&self) -> Option<u64> {
        self.listener_id.as_ref()?.parse().ok()
    }
}

/// Which event a signal is. pysig's users may add fields (P30), which are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignalInfo {
    /// Who triggered it.
    pub(crate) sender: SenderName,
    /// Which it is; `None` for pysig's broadcast signal (P28).
    #[serde(default)]
    pub(crate) event: Option<EventName>,
}

/// Reads a list of events, one event, or null.
fn events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EventName>, D::Error> {
    struct Events;

    impl<'de> Visitor<'de> for Events {
        type Value = Vec<EventName>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of event names, or one")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
            EventName::new(name).map(|name| vec![name]).map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let (mut events, mut known) = (Vec::new(), HashSet::new());
            let mut count = 0;
            while let Some(event) = list.next_element::<Option<EventName>>()? {
                count += 1;
                if count > MAX_LISTED {
                    return Err(A::Error::custom(format_args!("more than {MAX_LISTED} events")));
                }
                events.extend(event.filter(|event| known.insert(event.clone())));
            }
            Ok(events)
        }
    }

    deserializer.deserialize_any(Events)
}

/// Reads a list of methods, which is bounded.
pub(crate) fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Option<String>>>, D::Error> {
    let Some(methods) = Option::<Vec<Option<String>>>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let longest = methods.iter().flatten().map(String::len).max().unwrap_or_default();
    if methods.len() > MAX_LISTED || longest > MAX_NAME {
        let count = methods.len();
        let problem =
            format!("{count} methods of up to {longest} bytes; at most {MAX_LISTED} of up to {MAX_NAME} are allowed");
        return Err(D::Error::custom(problem));
    }
    Ok(Some(methods))
}

/// Reads what Python holds for true or false.
fn truthy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    use serde_json::Value;
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => false,
        Value::Bool(value) => value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_json(content_type: &ContentType) -> bool {
    *content_type == ContentType::JSON
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn content_type_out<S: Serializer>(content_type: &ContentType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(content_type.0)
}

fn content_type_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ContentType, D::Error> {
    u8::deserialize(deserializer).map(ContentType)
}
