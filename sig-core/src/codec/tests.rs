use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{Codec as _, Json};
use crate::{Call, EventMessage, Failure, Message, MessageId, Outcome, Payload, RawJson, Reply};

fn pack(message: &Message) -> String {
    let mut out = BytesMut::new();
    Json.pack(message, &mut out).unwrap();
    String::from_utf8(out.to_vec()).unwrap()
}

fn unpack(text: &str) -> Message {
    Json.unpack(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

#[test]
fn p37_calls_and_replies_have_pysigs_form() {
    let call = Message::Call(Call::new(
        7,
        "add_listener",
        RawJson::from_text(r#"{"sender":"s"}"#).unwrap(),
    ));
    assert_eq!(
        pack(&call),
        r#"{"id":7,"method":"add_listener","params":{"sender":"s"}}"#
    );
    let done = Reply {
        id: MessageId::Number(7),
        outcome: Outcome::Done(RawJson::null()),
    };
    assert_eq!(pack(&done.into()), r#"{"id":7,"status":0,"response":null}"#);
    let failure = Failure {
        code: None,
        text: "no".to_owned(),
    };
    let failed = Reply {
        id: MessageId::Number(7),
        outcome: Outcome::Failed(failure),
    };
    assert_eq!(pack(&failed.into()), r#"{"id":7,"status":-2,"exception":"no"}"#);
}

#[test]
fn p38_the_four_statuses() {
    for (status, outcome) in [(-1, Outcome::UnknownMethod), (-3, Outcome::NoMethod)] {
        let reply = Message::Reply(Reply {
            id: MessageId::Number(1),
            outcome,
        });
        assert_eq!(pack(&reply), format!(r#"{{"id":1,"status":{status}}}"#));
        assert_eq!(unpack(&pack(&reply)), reply);
    }
    assert!(Json.unpack(Bytes::from_static(br#"{"id":1,"status":5}"#)).is_err());
}

#[test]
fn p39_an_id_is_echoed_as_it_came() {
    for id in [
        r#""a""#,
        "null",
        r#"{"n":1}"#,
        "3",
        "-4",
        "1.5",
        "0.000000000000000000000002",
    ] {
        let Message::Call(call) = unpack(&format!(r#"{{"id":{id},"method":"m"}}"#)) else {
            panic!("not a call")
        };
        let reply = Reply {
            id: call.id.unwrap(),
            outcome: Outcome::UnknownMethod,
        };
        assert_eq!(pack(&reply.into()), format!(r#"{{"id":{id},"status":-1}}"#));
    }
}

#[test]
fn p40_missing_params_are_null_and_a_missing_method_is_kept() {
    let Message::Call(call) = unpack(r#"{"id":1}"#) else {
        panic!("not a call")
    };
    assert!(call.method.is_none() && call.params.is_null());
}

#[test]
fn p41_a_message_with_status_and_method_is_a_reply_and_arrays_are_errors() {
    assert!(matches!(
        unpack(r#"{"id":1,"status":0,"method":"m"}"#),
        Message::Reply(_)
    ));
    assert!(matches!(
        unpack(r#"{"id":1,"status":null,"method":"m"}"#),
        Message::Call(_)
    ));
    for list in [&b"[1,2]"[..], br#"[1,"get_version"]"#, br#" [[[1]]]"#] {
        assert!(Json.unpack(Bytes::from_static(list)).is_err(), "{list:?}");
    }
}

#[test]
fn escaped_text_is_read() {
    let Message::Call(call) = unpack(r#"{"method":"caf\u00e9","params":{}}"#) else {
        panic!("not a call")
    };
    assert_eq!(call.method.as_deref(), Some("café"));
}

fn payloads() -> impl Strategy<Value = Payload> {
    prop_oneof![
        any::<Vec<i64>>().prop_map(|value| Payload::json(&value).unwrap()),
        any::<Vec<u8>>().prop_map(Payload::from_bytes),
    ]
}

fn messages() -> impl Strategy<Value = Message> {
    let json = || any::<Vec<String>>().prop_map(|value| RawJson::new(&value).unwrap());
    prop_oneof![
        (any::<Option<u64>>(), "[a-z]{0,8}", json()).prop_map(|(id, method, params)| {
            Message::Call(Call {
                id: id.map(MessageId::Number),
                method: Some(method.into()),
                params,
            })
        }),
        (any::<u64>(), json()).prop_map(|(id, response)| {
            Message::Reply(Reply {
                id: MessageId::Number(id),
                outcome: Outcome::Done(response),
            })
        }),
        (any::<u64>(), any::<String>(), any::<Option<String>>()).prop_map(|(id, text, code)| {
            let failure = Failure {
                code: code.map(Into::into),
                text,
            };
            Message::Reply(Reply {
                id: MessageId::Number(id),
                outcome: Outcome::Failed(failure),
            })
        }),
        (any::<u32>(), any::<u64>(), any::<Vec<u8>>(), payloads()).prop_map(|(alias, number, ext, payload)| {
            Message::Event(EventMessage {
                alias,
                number,
                ext: ext.into(),
                payload,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn every_message_survives_the_round_trip(message in messages()) {
        prop_assert_eq!(unpack(&pack(&message)), message);
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in any::<Vec<u8>>()) {
        let _ = Json.unpack(bytes.into());
    }
}
