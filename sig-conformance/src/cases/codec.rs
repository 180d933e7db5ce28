//! What `pack` and `unpack` make of messages.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use serde_json::Value;
use sig_core::bytes::{BufMut as _, Bytes, BytesMut};
use sig_core::{
    Call, Carrier, ContentType, Encoding, EventMessage, Failure, Message, MessageId, Outcome as Reached, Payload,
    PeerInfo, RawJson, Reply,
};

use super::Judged;
use crate::{Finding, Fixture, Outcome};

/// How many messages are tried.
const TRIES: u32 = 512;

/// What is in the buffer when `pack` is called.
const BEFORE: &[u8] = b"in front of it";

pub(super) async fn codec_round_trip<F: Fixture>(fixture: &F) -> Judged {
    let (listener, address) = fixture.listener();
    for carrier in [listener, fixture.dialler(&address)] {
        for encoding in [Encoding::Packed, Encoding::Sig1] {
            let peer = PeerInfo::new("test://peer", encoding);
            try_all(&message(), |message| round_trip(&carrier, &peer, &message))?;
            tokio::task::yield_now().await;
        }
    }
    Ok(Outcome::Kept)
}

pub(super) async fn unpack_survives_anything<F: Fixture>(fixture: &F) -> Judged {
    let (carrier, _address) = fixture.listener();
    let peer = PeerInfo::new("test://peer", Encoding::Packed);
    let spoiled = (
        message(),
        any::<prop::sample::Index>(),
        any::<u8>(),
        any::<prop::sample::Index>(),
    );
    try_all(&prop::collection::vec(any::<u8>(), 0..64), |bytes| {
        survives(&carrier, &peer, bytes)
    })?;
    tokio::task::yield_now().await;
    try_all(&spoiled, |(message, at, byte, end)| {
        let mut bytes = BytesMut::new();
        if carrier.pack(&peer, &message, &mut bytes).is_err() || bytes.is_empty() {
            return Ok(());
        }
        let mut bytes = bytes.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        survives(&carrier, &peer, bytes.clone())?;
        bytes.truncate(end.index(bytes.len()));
        survives(&carrier, &peer, bytes)
    })?;
    Ok(Outcome::Kept)
}

fn try_all<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) -> Result<(), Finding> {
    let config = Config {
        cases: TRIES,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config).run(strategy, test).map_err(|error| {
        Finding::new(match error {
            TestError::Fail(why, value) => format!("{why}; the smallest example is {value:?}"),
            TestError::Abort(why) => why.to_string(),
        })
    })
}

fn survives(carrier: &Arc<dyn Carrier>, peer: &PeerInfo, bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let frame = Bytes::from(bytes);
    let shown = frame.escape_ascii().to_string();
    // Whether it is an error does not matter: some spoiled messages are messages.
    let unpacked = catch_unwind(AssertUnwindSafe(|| carrier.unpack(peer, frame).is_ok()));
    match unpacked {
        Ok(_message_or_not) => Ok(()),
        Err(_) => Err(TestCaseError::fail(format!("unpack panicked on the bytes \"{shown}\""))),
    }
}

fn round_trip(carrier: &Arc<dyn Carrier>, peer: &PeerInfo, message: &Message) -> Result<(), TestCaseError> {
    let fail = |why: String| Err(TestCaseError::fail(why));
    let mut out = BytesMut::new();
    out.put_slice(BEFORE);
    if let Err(error) = carrier.pack(peer, message, &mut out) {
        return fail(format!("pack failed: {error}"));
    }
    if !out.starts_with(BEFORE) {
        return fail("pack changed what was in its buffer before; it has to append".to_owned());
    }
    match carrier.unpack(peer, out.freeze().slice(BEFORE.len()..)) {
        Ok(got) if means_the_same(&got, message) => Ok(()),
        Ok(got) => fail(format!("unpack(pack(message)) is another message: {got:?}")),
        Err(error) => fail(format!("unpack does not read what pack wrote: {error}")),
    }
}

/// JSON may be written in another way, so it is compared as what it means.
fn means_the_same(a: &Message, b: &Message) -> bool {
    match (a, b) {
        (Message::Call(a), Message::Call(b)) => {
            a.id == b.id && a.method == b.method && json(&a.params) == json(&b.params)
        }
        (Message::Reply(a), Message::Reply(b)) => {
            a.id == b.id
                && match (&a.outcome, &b.outcome) {
                    (Reached::Done(a), Reached::Done(b)) => json(a) == json(b),
                    (a, b) => a == b,
                }
        }
        (Message::Event(a), Message::Event(b)) => {
            let same_data = a.payload == b.payload
                || (a.payload.content_type() == b.payload.content_type()
                    && a.payload.content_type() == ContentType::JSON
                    && a.payload.decode::<Value>().ok() == b.payload.decode::<Value>().ok());
            (a.alias, a.number, &a.ext) == (b.alias, b.number, &b.ext) && same_data
        }
        _ => false,
    }
}

fn json(json: &RawJson) -> Option<Value> {
    json.parse().ok()
}

/// Any message that a router sends.
fn message() -> impl Strategy<Value = Message> {
    let id = any::<u64>().prop_map(MessageId::Number);
    let call = (prop::option::of(id.clone()), "[a-z_]{1,12}", value()).prop_map(|(id, method, params)| {
        Message::Call(Call {
            id,
            // So that it is not the notice that is an event.
            method: Some(format!("m_{method}").into()),
            params,
        })
    });
    let outcome = prop_oneof![
        value().prop_map(Reached::Done),
        Just(Reached::UnknownMethod),
        Just(Reached::NoMethod),
        (prop::option::of("[a-z_]{1,12}"), ".{0,40}").prop_map(|(code, text)| {
            Reached::Failed(Failure {
                code: code.map(Into::into),
                text,
            })
        }),
    ];
    let reply = (id, outcome).prop_map(|(id, outcome)| Message::Reply(Reply { id, outcome }));
    let bytes = || prop::collection::vec(any::<u8>(), 0..64);
    let payload = prop_oneof![
        bytes().prop_map(Payload::from_bytes),
        value().prop_map(|value| Payload::new(ContentType::JSON, value.text().to_owned())),
    ];
    let event = (any::<u32>(), any::<u64>(), bytes(), payload).prop_map(|(alias, number, ext, payload)| {
        Message::Event(EventMessage {
            alias,
            number,
            ext: ext.into(),
            payload,
        })
    });
    prop_oneof![call, reply, event]
}

/// Any JSON value.
fn value() -> impl Strategy<Value = RawJson> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1.0e9..1.0e9f64).prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z\"\\\\]{0,6}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    value.prop_map(|value| RawJson::new(&value).unwrap_or_else(|_| RawJson::null()))
}
