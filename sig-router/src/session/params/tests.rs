use proptest::prelude::*;
use serde::de::DeserializeOwned;

use super::super::parse::{read_params, read_response};
use super::*;

fn raw(text: &str) -> RawJson {
    RawJson::from_text(text).unwrap()
}

#[track_caller]
fn read<T: DeserializeOwned>(text: &str) -> T {
    read_params("m", &raw(text)).unwrap()
}

#[track_caller]
fn refused<T: DeserializeOwned + fmt::Debug>(text: &str) -> String {
    read_params::<T>("m", &raw(text)).unwrap_err().to_string()
}

fn names(events: &[EventName]) -> Vec<&str> {
    events.iter().map(EventName::as_str).collect()
}

#[test]
fn p17_events_are_a_list_or_one_value() {
    for (events, expected) in [
        (r##"["a", "#b"]"##, vec!["a", "#b"]),
        (r#""a""#, vec!["a"]),
        (r#"[null, "a", null, "b", "a"]"#, vec!["a", "b"]),
        ("[]", vec![]),
        ("null", vec![]),
    ] {
        let added: AddSender = read(&format!(r#"{{"sender": "s", "events": {events}}}"#));
        assert_eq!(names(&added.events), expected, "{events}");
    }
    assert!(read::<AddSender>(r#"{"sender": "s"}"#).events.is_empty());
}

#[test]
fn p34_p51_requests_are_methods_with_null_for_the_default() {
    let added: AddSender = read(r#"{"sender": "s", "events": [], "requests": ["add", null]}"#);
    assert_eq!(added.requests, Some(vec![Some("add".to_owned()), None]));
    for text in [r#"{"sender": "s", "requests": null}"#, r#"{"sender": "s"}"#] {
        assert_eq!(read::<AddSender>(text).requests, None);
    }
    let none: AddSender = read(r#"{"sender": "s", "requests": []}"#);
    assert_eq!(none.requests, Some(Vec::new()));
}

#[test]
fn p40_params_that_are_null_are_empty_and_others_must_be_an_object() {
    assert_eq!(read::<ListSenders>("null"), ListSenders { list_events: false });
    let everything: AddListener = read("null");
    assert_eq!(everything, AddListener::new(None, &Topic::Router));
    for text in ["[true]", "1", r#""x""#, "true"] {
        assert_eq!(refused::<ListSenders>(text), "m: the params must be an object, {..}");
    }
}

#[test]
fn p48_list_events_is_what_python_holds_for_true() {
    for (text, expected) in [
        ("true", true),
        ("false", false),
        ("1", true),
        ("0", false),
        ("0.0", false),
        ("null", false),
        (r#""yes""#, true),
        (r#""""#, false),
        ("[]", false),
        (r#"{"a": 1}"#, true),
    ] {
        let list: ListSenders = read(&format!(r#"{{"list_events": {text}}}"#));
        assert_eq!(list.list_events, expected, "{text}");
    }
    let listed = r#"[{"sender": null, "connected": true, "events": [{"event": null}, {"event": "e"}]},
                     {"sender": "s", "connected": false}]"#;
    let listed: Vec<ListedSender> = read_response("list_senders", &raw(listed)).unwrap();
    let text = serde_json::to_string(&listed).unwrap();
    assert_eq!(
        text,
        r#"[{"sender":null,"connected":true,"events":[{"event":null},{"event":"e"}]},{"sender":"s","connected":false}]"#
    );
}

#[test]
fn p49_p50_listeners_are_named_by_topic_and_id() {
    for topic in [
        Topic::Router,
        Topic::sender("s").unwrap(),
        Topic::channel("#c").unwrap(),
        Topic::event("s", "e").unwrap(),
    ] {
        let sent = RawJson::new(&AddListener::new(Some(3), &topic)).unwrap();
        let added: AddListener = read_params("add_listener", &sent).unwrap();
        assert_eq!(added, AddListener::new(Some(3), &topic));
    }
    // What a pysig server sees.
    let text = serde_json::to_string(&AddListener::new(None, &Topic::Router)).unwrap();
    assert_eq!(text, r#"{"sender":null,"event":null}"#);
    assert_eq!(refused::<RemoveListener>("{}"), "m: missing field `listener_id`");
}

#[test]
fn p52_p68_signals_in_both_directions() {
    let signal: SignalIn = read(r#"{"info": {"sender": "s", "event": "e", "count": 3}, "data": [1, 2]}"#);
    assert_eq!((signal.listener(), signal.data.text()), (None, "[1, 2]"));
    let signal: SignalIn = read(r#"{"listener_id": 140213, "info": {"sender": "s", "event": null}}"#);
    assert_eq!((signal.listener(), signal.info.event.clone()), (Some(140_213), None));
    assert!(signal.data.is_null());
    let odd: SignalIn = read(r#"{"listener_id": {"a": 1}, "info": {"sender": "s"}}"#);
    assert_eq!((odd.listener(), odd.listener_id), (None, Some(raw(r#"{"a": 1}"#))));
    assert_eq!(refused::<SignalIn>(r#"{"data": 1}"#), "m: missing field `info`");
    assert_eq!(
        refused::<SignalIn>(r#"{"info": {"event": "e"}}"#),
        "m: info: missing field `sender`"
    );
}

#[test]
fn p55_requests_carry_params_and_deadline() {
    let request: RequestParams = read(r#"{"sender": "s", "method": "add", "params": {"x": [1]}, "deadline_ms": 5}"#);
    assert_eq!((request.params.text(), request.deadline_ms), (r#"{"x": [1]}"#, Some(5)));
    let request: RequestParams = read(r#"{"sender": "s", "method": "add", "params": null}"#);
    assert_eq!((request.params.text(), request.deadline_ms), ("null", None));
}

#[test]
fn content_types_travel_by_number() {
    let announce: Announce = read(r#"{"alias": 1, "sender": "s", "event": "e"}"#);
    assert_eq!(announce.content_type, ContentType::JSON);
    let text = serde_json::to_string(&announce).unwrap();
    assert_eq!(text, r#"{"alias":1,"sender":"s","event":"e"}"#);
    let announce: Announce = read(r#"{"alias": 1, "sender": "s", "event": "e", "content_type": 200}"#);
    assert_eq!(announce.content_type, ContentType(200));
    assert_eq!(read::<Announce>(&serde_json::to_string(&announce).unwrap()), announce);
}

#[test]
fn aliases_are_keyed_by_event() {
    let reply = AddSenderReply {
        generation: 2,
        aliases: [(EventName::new("e").unwrap(), 7), (EventName::new("#c").unwrap(), 8)].into(),
        credit: 65_536,
    };
    let text = RawJson::new(&reply).unwrap();
    assert_eq!(
        text.text(),
        r##"{"generation":2,"aliases":{"#c":8,"e":7},"credit":65536}"##
    );
    assert_eq!(read_response("add_sender", &text), Ok(reply));
    let bad = r#"{"generation": 2, "aliases": {"e": -1}, "credit": 0}"#;
    assert_eq!(
        read_response::<AddSenderReply>("add_sender", &raw(bad))
            .unwrap_err()
            .to_string(),
        "response to add_sender: aliases.e: invalid value: integer `-1`, expected u32"
    );
}

#[test]
fn errors_name_the_field() {
    let long = "x".repeat(256);
    for (text, expected) in [
        ("{}", "m: missing field `sender`"),
        (
            r#"{"sender": 5}"#,
            "m: sender: invalid type: integer `5`, expected a string",
        ),
        (
            r#"{"sender": ""}"#,
            "m: sender: the sender name is empty; give it at least one character",
        ),
        (
            r#"{"sender": "s", "events": ["a", ""]}"#,
            "m: events[1]: the event name is empty; give it at least one character",
        ),
        (
            r#"{"sender": "s", "events": {"a": 1}}"#,
            "m: events: invalid type: map, expected a list of event names, or one",
        ),
        (
            r#"{"sender": "s", "requests": ["a", 5]}"#,
            "m: requests[1]: invalid type: integer `5`, expected a string",
        ),
        (
            &format!(r#"{{"sender": "s", "requests": ["{long}"]}}"#),
            "m: requests: 1 methods of up to 256 bytes; at most 16384 of up to 255 are allowed",
        ),
        (
            r#"{"sender": "a at line 3", "events": [" at line "], "requests": 1}"#,
            "m: requests: invalid type: integer `1`, expected a sequence",
        ),
    ] {
        assert_eq!(refused::<AddSender>(text), expected);
    }
    let method = format!(r#"{{"sender": "s", "method": "{long}"}}"#);
    assert_eq!(
        refused::<RequestParams>(&method),
        "m: method: 256 bytes; at most 255 are allowed"
    );
    let failure = sig_core::Failure::from(read_params::<Cancel>("cancel", &raw(r#"{"id": -1}"#)).unwrap_err());
    assert_eq!(failure.code.as_deref(), Some("invalid_params"));
    assert_eq!(failure.text, "cancel: id: invalid value: integer `-1`, expected u64");
}

#[test]
fn errors_are_short_and_printable_whatever_was_sent() {
    let huge = "\u{1b}é".repeat(100_000);
    for value in [
        serde_json::json!({ "sender": "s", "events": { huge.as_str(): 1 } }),
        serde_json::json!({ "sender": huge }),
        serde_json::json!({ "sender": "s", "requests": huge }),
    ] {
        let text = read_params::<AddSender>("m", &RawJson::new(&value).unwrap())
            .unwrap_err()
            .to_string();
        assert!(text.len() < 1200 && !text.contains(char::is_control), "{text:?}");
    }
    let bad_key = serde_json::json!({ "generation": 1, "aliases": { huge: "x" }, "credit": 0 });
    let error = read_response::<AddSenderReply>("m", &RawJson::new(&bad_key).unwrap()).unwrap_err();
    let text = error.to_string();
    assert!(text.len() < 1200 && !text.contains(char::is_control), "{text:?}");
}

#[test]
fn lists_are_bounded() {
    for (field, items) in [("events", "null"), ("events", r#""e""#), ("requests", "null")] {
        let list = |count: usize| format!(r#"{{"sender": "s", "{field}": [{}]}}"#, vec![items; count].join(","));
        assert!(read_params::<AddSender>("m", &raw(&list(MAX_LISTED))).is_ok());
        assert!(refused::<AddSender>(&list(MAX_LISTED + 1)).contains("16384"), "{field}");
    }
}

/// JSON that is nearly what the methods expect.
fn nearly() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Map, Value};
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z#*/\n]{0,4}".prop_map(Value::from),
    ];
    let field = "sender|events|requests|event|listener_id|info|data|method|params|deadline_ms|id|granted|alias\
                 |content_type|list_events|connected|versions|instance|token|codec|max_message|heartbeat_ms|x";
    leaf.prop_recursive(4, 40, 8, move |inner| {
        let map = prop::collection::btree_map(field, inner.clone(), 0..8);
        prop_oneof![
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
            3 => map.prop_map(|map| Value::Object(Map::from_iter(map))),
        ]
    })
}

proptest! {
    /// Anything is read or refused with the method's name; what was read is written and read back the same.
    #[test]
    fn nothing_panics_and_what_is_read_survives(value in nearly()) {
        fn check<T>(value: &RawJson) -> Result<(), TestCaseError>
        where
            T: Serialize + DeserializeOwned + PartialEq + fmt::Debug,
        {
            match read_params::<T>("m", value) {
                Ok(read) => prop_assert_eq!(read_params::<T>("m", &RawJson::new(&read).unwrap()), Ok(read)),
                Err(error) => prop_assert!(error.to_string().starts_with("m: ")),
            }
            Ok(())
        }
        let value = RawJson::new(&value).unwrap();
        check::<AddSender>(&value)?;
        check::<RemoveSender>(&value)?;
        check::<AddListener>(&value)?;
        check::<RemoveListener>(&value)?;
        check::<RequestParams>(&value)?;
        check::<Cancel>(&value)?;
        check::<Grant>(&value)?;
        check::<Announce>(&value)?;
        check::<ListSenders>(&value)?;
        check::<ListedSender>(&value)?;
        check::<SignalIn>(&value)?;
        let _ = super::super::hello::Hello::read(&value);
        let _ = read_response::<Vec<ListedSender>>("m", &value);
    }
}
