//! The default codec: pysig's JSON messages.

use std::borrow::Cow;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Deserializer, Serialize};

use super::Codec;
use crate::error::CodecError;
use crate::message::{Call, EventMessage, Failure, Message, MessageId, Outcome, Reply};
use crate::payload::Payload;
use crate::raw_json::RawJson;

/// The method name under which an event travels as JSON.
const EVENT: &str = "event";

/// pysig's JSON messages (P37 to P40), and events as `{"method":"event","params":{"alias","number","data"}}`.
///
/// What counts as a reply is decided as in pysig: a `status` that is not null (P39).
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

#[derive(Serialize)]
struct CallOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    params: &'a RawJson,
}

#[derive(Serialize)]
struct ReplyOut<'a> {
    id: &'a MessageId,
    status: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a RawJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

#[derive(Serialize)]
struct EventOut<'a> {
    method: &'a str,
    params: EventParams<'a>,
}

#[derive(Serialize, Deserialize)]
struct EventParams<'a> {
    alias: u32,
    number: u64,
    #[serde(default, skip_serializing_if = "str::is_empty", borrow)]
    ext: Cow<'a, str>,
    data: RawJson,
}

/// Any message, before it is known which.
#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(default, deserialize_with = "present")]
    id: Option<MessageId>,
    #[serde(default, borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(default)]
    params: Option<RawJson>,
    #[serde(default)]
    status: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    response: Option<RawJson>,
    #[serde(default, borrow)]
    exception: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    code: Option<Cow<'a, str>>,
}

/// Keeps `null` apart from absent: a peer's `"id": null` is echoed as null.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn write<T: Serialize>(value: &T, out: &mut BytesMut) -> Result<(), CodecError> {
    Ok(serde_json::to_writer(out.writer(), value)?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Bytes, CodecError> {
    let bad = || CodecError::Shape("ext is not an even number of hexadecimal digits".to_owned());
    if text.len() % 2 != 0 || !text.is_ascii() {
        return Err(bad());
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).map_err(|_| bad()))
        .collect()
}

impl Codec for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn pack(&self, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        match message {
            Message::Call(Call { id, method, params }) => write(
                &CallOut {
                    id: id.as_ref(),
                    method: method.as_deref(),
                    params,
                },
                out,
            ),
            Message::Reply(Reply { id, outcome }) => {
                let (status, response, failure) = match outcome {
                    Outcome::Done(response) => (0, Some(response), None),
                    Outcome::UnknownMethod => (-1, None, None),
                    Outcome::Failed(failure) => (-2, None, Some(failure)),
                    Outcome::NoMethod => (-3, None, None),
                };
                let exception = failure.map(|failure| failure.text.as_str());
                let code = failure.and_then(|failure| failure.code.as_deref());
                write(
                    &ReplyOut {
                        id,
                        status,
                        response,
                        exception,
                        code,
                    },
                    out,
                )
            }
            Message::Event(event) => {
                let data = RawJson::from_text(event.payload.json_text()?)?;
                let params = EventParams {
                    alias: event.alias,
                    number: event.number,
                    ext: hex(&event.ext).into(),
                    data,
                };
                write(&EventOut { method: EVENT, params }, out)
            }
        }
    }

    fn unpack(&self, frame: Bytes) -> Result<Message, CodecError> {
        // serde reads a list as an object whose fields come in order: not here.
        if frame.trim_ascii_start().first() == Some(&b'[') {
            return Err(CodecError::Shape("a message is a JSON object, not a list".to_owned()));
        }
        let incoming: Incoming<'_> = serde_json::from_slice(&frame)?;
        if let Some(status) = incoming.status {
            return reply(incoming, status).map(Message::Reply);
        }
        if incoming.id.is_none() && incoming.method.as_deref() == Some(EVENT) {
            let params = incoming.params.unwrap_or_default();
            return event(&params).map(Message::Event);
        }
        Ok(Message::Call(Call {
            id: incoming.id,
            method: incoming.method.map(|method| Cow::Owned(method.into_owned())),
            params: incoming.params.unwrap_or_default(),
        }))
    }
}

fn reply(incoming: Incoming<'_>, status: i64) -> Result<Reply, CodecError> {
    let id = incoming
        .id
        .ok_or_else(|| CodecError::Shape("a reply without an id".to_owned()))?;
    let outcome = match status {
        0 => Outcome::Done(incoming.response.unwrap_or_default()),
        -1 => Outcome::UnknownMethod,
        -3 => Outcome::NoMethod,
        -2 => Outcome::Failed(Failure {
            code: incoming.code.map(|code| Cow::Owned(code.into_owned())),
            text: incoming.exception.map(Cow::into_owned).unwrap_or_default(),
        }),
        other => return Err(CodecError::Shape(format!("a reply with the unknown status {other}"))),
    };
    Ok(Reply { id, outcome })
}

fn event(params: &RawJson) -> Result<EventMessage, CodecError> {
    let params: EventParams<'_> = serde_json::from_str(params.text())?;
    Ok(EventMessage {
        alias: params.alias,
        number: params.number,
        ext: unhex(&params.ext)?,
        payload: Payload::from_json_text(params.data.text().to_owned()),
    })
}
