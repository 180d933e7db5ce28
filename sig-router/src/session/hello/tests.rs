use proptest::prelude::*;

use super::*;

fn offer() -> Offer {
    Offer {
        versions: [1, 3],
        capabilities: vec!["chunks".to_owned(), "tokens".to_owned()],
        codec: "json".to_owned(),
        token: None,
        max_message: 1 << 24,
        heartbeat_ms: 15_000,
        router_id: "r".to_owned(),
        epoch: 7,
    }
}

fn raw(text: &str) -> RawJson {
    RawJson::from_text(text).unwrap()
}

fn hello(text: &str) -> Hello {
    Hello::read(&raw(text)).unwrap()
}

#[test]
fn a_short_hello_gets_the_defaults() {
    let hello = hello(r#"{"versions": [1, 1], "instance": "ab12", "of_a_later_version": {"x": 1}}"#);
    assert_eq!(
        (hello.codec.as_str(), hello.max_message, hello.heartbeat_ms),
        ("json", 1 << 24, 0)
    );
    let expected = Welcome {
        version: 1,
        router_id: "r".to_owned(),
        epoch: 7,
        heartbeat_ms: 15_000,
        max_message: 1 << 24,
        capabilities: Vec::new(),
        server: format!("sig/{}", env!("CARGO_PKG_VERSION")),
    };
    assert_eq!(negotiate(&hello, &offer()), Ok(expected));
}

#[test]
fn what_both_want_is_agreed_on() {
    let hello = hello(
        r#"{"versions": [2, 9], "instance": "ab", "capabilities": ["tokens", "fly"], "max_message": 5000,
            "heartbeat_ms": 4000, "router_id": "me"}"#,
    );
    let welcome = negotiate(&hello, &offer()).unwrap();
    assert_eq!(
        (welcome.version, welcome.max_message, welcome.heartbeat_ms),
        (3, 5000, 4000)
    );
    assert_eq!(welcome.capabilities, ["tokens"]);
    let sent = RawJson::new(&welcome).unwrap();
    assert_eq!(Welcome::read(&sent, &hello), Ok(welcome));
}

#[test]
fn the_smaller_heartbeat_counts_but_not_a_hectic_one() {
    for (theirs, ours, agreed) in [
        (0, 0, 0),
        (0, 15_000, 15_000),
        (20_000, 0, 20_000),
        (20_000, 15_000, 15_000),
        (4000, 15_000, 4000),
        (1, 15_000, 1000),
        (1, 0, 1000),
        (1, 40, 40),
        (50, 40, 40),
    ] {
        assert_eq!(heartbeat(theirs, ours), agreed, "{theirs} and {ours}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let refused = |text: &str, offer: &Offer| negotiate(&hello(text), offer).unwrap_err();
    let old = refused(r#"{"versions": [4, 5], "instance": "a"}"#, &offer());
    assert_eq!((&*old.code, old.retry), (code::VERSION, Retry::Never));
    assert_eq!(
        old.text,
        "the client speaks sig versions 4 to 5, this router speaks 1 to 3; upgrade the older one"
    );
    let codec = refused(r#"{"versions": [1, 1], "instance": "a", "codec": "cbor"}"#, &offer());
    assert_eq!(&*codec.code, code::CODEC);
    assert!(
        codec.text.contains("\"cbor\"") && codec.text.contains("\"json\""),
        "{}",
        codec.text
    );

    let guarded = Offer {
        token: Some(Secret::from_text("sesame")),
        ..offer()
    };
    for (token, accepted) in [(r#""sesame""#, true), (r#""sesam""#, false), ("null", false)] {
        let hello = hello(&format!(r#"{{"versions": [1, 1], "instance": "a", "token": {token}}}"#));
        let answer = negotiate(&hello, &guarded);
        assert_eq!(answer.is_ok(), accepted, "{token}");
        if let Err(refuse) = answer {
            assert_eq!(&*refuse.code, code::TOKEN);
            assert!(!refuse.text.contains("sesam"));
        }
    }
}

#[test]
fn a_malformed_hello_is_refused_by_field() {
    for (text, expected) in [
        ("[1]", "hello: the params must be an object, {..}"),
        ("null", "hello: missing field `versions`"),
        (r#"{"versions": [1, 1]}"#, "hello: missing field `instance`"),
        (
            r#"{"versions": [1, 300], "instance": "a"}"#,
            "hello: versions[1]: invalid value: integer `300`, expected u8",
        ),
        (
            r#"{"versions": [2, 1], "instance": "a"}"#,
            "hello: versions: 2 to 1 is no range; the lowest comes first",
        ),
        (
            r#"{"versions": [1, 1], "instance": ""}"#,
            "hello: instance: is empty; send random text",
        ),
        (
            r#"{"versions": [1, 1], "instance": 4711}"#,
            "hello: instance: not text of at most 4096 bytes",
        ),
        (
            r#"{"versions": [1, 1], "instance": "a", "max_message": 0}"#,
            "hello: max_message: 0 leaves no room for any message",
        ),
    ] {
        let refuse = Hello::read(&raw(text)).unwrap_err();
        assert_eq!((&*refuse.code, refuse.retry), (code::MALFORMED, Retry::Never));
        assert_eq!(refuse.text, expected);
    }
    let long = "x".repeat(65);
    let many = format!("[{}\"x\"]", "\"x\",".repeat(64));
    for (field, value) in [
        ("codec", format!("\"{long}\"")),
        ("router_id", format!("\"{long}\"")),
        ("capabilities", format!("[\"{long}\"]")),
        ("capabilities", many),
    ] {
        let text = format!(r#"{{"versions": [1, 1], "instance": "a", "{field}": {value}}}"#);
        let refuse = Hello::read(&raw(&text)).unwrap_err();
        assert!(refuse.text.starts_with(&format!("hello: {field}: ")), "{}", refuse.text);
    }
}

#[test]
fn secrets_are_not_shown() {
    let hello = hello(r#"{"versions": [1, 1], "instance": "c0ffee", "token": "hunter2"}"#);
    let shown = format!("{hello:?} {hello:#?}");
    assert!(!shown.contains("c0ffee") && !shown.contains("hunter2"), "{shown}");
    let sent = serde_json::to_string(&hello).unwrap();
    assert!(
        sent.contains("c0ffee") && sent.contains("hunter2"),
        "the peer gets them: {sent}"
    );
}

#[test]
fn a_welcome_must_keep_to_what_was_offered() {
    let hello = hello(r#"{"versions": [1, 2], "instance": "a", "max_message": 1000}"#);
    for (text, expected) in [
        (
            r#"{"version": 3, "max_message": 1000}"#,
            "welcome: version: 3 was not offered, 1 to 2 were",
        ),
        (
            r#"{"version": 1, "max_message": 1001}"#,
            "welcome: max_message: 1001 is not within the 1000 that were offered",
        ),
        ("{}", "welcome: missing field `version`"),
    ] {
        assert_eq!(Welcome::read(&raw(text), &hello).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_refusal_of_a_later_version_is_understood() {
    let refuse: Refuse = read_params(
        "refuse",
        &raw(r#"{"code": "moon", "text": "\u001b[2Jfull", "retry": "at_noon"}"#),
    )
    .unwrap();
    assert_eq!(
        refuse,
        Refuse {
            code: "moon".into(),
            text: " [2Jfull".to_owned(),
            retry: Retry::Later
        }
    );
    let text = serde_json::to_string(&Refuse::later(code::FULL, "full")).unwrap();
    assert_eq!(text, r#"{"code":"full","text":"full","retry":"later"}"#);
    let goodbye: Goodbye = read_params("goodbye", &RawJson::null()).unwrap();
    assert_eq!(goodbye.text, "");
}

proptest! {
    /// Whatever a client says, it is refused, or the welcome is one that the client takes.
    #[test]
    fn every_welcome_is_within_the_hello(
        versions: [u8; 2],
        heartbeat_ms: u64,
        max_message: u64,
        capabilities in prop::collection::vec("chunks|tokens|x", 0..4),
        codec in "json|cbor",
    ) {
        let sent = serde_json::json!({
            "versions": versions, "heartbeat_ms": heartbeat_ms, "max_message": max_message,
            "capabilities": capabilities, "codec": codec, "instance": "a",
        });
        let answer = Hello::read(&RawJson::new(&sent).unwrap());
        prop_assert_eq!(answer.is_ok(), versions[0] <= versions[1] && max_message > 0);
        if let Ok(hello) = answer {
            let in_common = versions[0] <= 3 && versions[1] >= 1;
            match negotiate(&hello, &offer()) {
                Ok(welcome) => {
                    prop_assert!(in_common && codec == "json");
                    prop_assert_eq!(welcome.version, versions[1].min(3));
                    prop_assert!((100..=15_000).contains(&welcome.heartbeat_ms));
                    let read = Welcome::read(&RawJson::new(&welcome).unwrap(), &hello);
                    prop_assert_eq!(read, Ok(welcome));
                }
                Err(refuse) => prop_assert_eq!(&*refuse.code, if in_common { code::CODEC } else { code::VERSION }),
            }
        }
    }
}
