//! Frames and messages that break the rules, before the hello and after it.

use serde_json::json;
use sig_tests::raw::{Raw, call, control, event, frame, hello};
use sig_tests::rig::holds;
use sig_wire::{Flags, Kind};

use crate::neighbour::Neighbour;

/// 10,000 arrays in each other.
fn deep() -> String {
    "[".repeat(10_000) + &"]".repeat(10_000)
}

fn text(message: &str) -> Vec<u8> {
    frame(Kind::Control, Flags::NONE, message.as_bytes())
}

fn raw_frame(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 2).unwrap().to_le_bytes();
    [&length[..], &[kind, flags], body].concat()
}

/// What is sent, and words of the reason that must come back before the connection ends.
type Attack = (&'static str, Vec<u8>, &'static str);

/// Wrong at any time.
fn always() -> Vec<Attack> {
    vec![
        ("4 GiB claimed", vec![0xff; 6], "over the limit"),
        ("a frame without kind and flags", vec![1, 0, 0, 0, 3], "too short"),
        ("no frame at all", vec![0, 0, 0, 0], "too short"),
        ("an unknown kind", raw_frame(0x7f, 0, b"?"), "unknown frame kind"),
        ("a reserved kind", raw_frame(0x04, 0, b"chunk"), "Chunk"),
        (
            "invalid UTF-8",
            frame(Kind::Control, Flags::NONE, b"{\"method\":\"\xff\xfe\"}"),
            "JSON",
        ),
        ("not JSON", text("hello"), "JSON"),
        ("half of a JSON object", text(r#"{"method":"get_version","#), "JSON"),
        ("a JSON array", text("[1,2,3]"), "JSON"),
        ("nothing", text(""), "JSON"),
        ("a method that is a number", text(r#"{"method":1}"#), "JSON"),
        ("a packed frame of garbage", raw_frame(0x05, 0, b"\x00\x01\x02"), "JSON"),
    ]
}

async fn is_refused(neighbour: &mut Neighbour, mut raw: Raw, (what, bytes, why): Attack) {
    raw.send(&bytes).await;
    let reason = raw.ended().await.unwrap_or_else(|| panic!("{what}: no reason"));
    assert_eq!(reason["method"], "refuse", "{what}: {reason}");
    let text = reason["params"]["text"].as_str().unwrap();
    assert!(text.contains(why), "{what}: {text}");
    holds("the client is gone", || neighbour.others() == 0).await;
    neighbour.is_well().await;
}

#[tokio::test]
async fn w10_what_breaks_the_rules_before_the_hello() {
    let mut neighbour = Neighbour::move_in().await;
    let large = vec![b' '; 64 * 1024];
    let mut attacks = always();
    attacks.extend([
        ("an event", event(1, 1, b"1"), "hello"),
        ("a call", call(1, "get_version", &json!({})), "hello"),
        (
            "a reply",
            control(&json!({ "id": 1, "status": 0, "response": null })),
            "hello",
        ),
        (
            "more than 64 KiB",
            frame(Kind::Control, Flags::NONE, &large),
            "over the limit",
        ),
        ("deep JSON", text(&deep()), "JSON"),
    ]);
    for attack in attacks {
        let raw = Raw::preface(neighbour.address()).await;
        is_refused(&mut neighbour, raw, attack).await;
    }
}

#[tokio::test]
async fn w10_what_breaks_the_rules_after_the_hello() {
    let mut neighbour = Neighbour::move_in().await;
    let mut attacks = always();
    let with_ext = |ext: &[u8], claimed: u16| {
        let mut body = event(1, 1, b"")[6..].to_vec();
        body.extend_from_slice(&claimed.to_le_bytes());
        body.extend_from_slice(ext);
        frame(Kind::Event, Flags::EXT, &body)
    };
    let too_large = 16 * 1024 * 1024 + 1_u32;
    attacks.extend([
        ("an alias that nobody has", event(4_000_000_000, 1, b"1"), "alias"),
        ("an alias of somebody else", event(1, 1, b"1"), "alias"),
        ("an event of 3 bytes", raw_frame(0x02, 0, b"abc"), "malformed"),
        ("extensions that are not there", with_ext(&[], 500), "malformed"),
        (
            "more than 16 MiB claimed",
            [&too_large.to_le_bytes()[..], &[2, 0]].concat(),
            "over the limit",
        ),
    ]);
    for attack in attacks {
        let raw = Raw::hello(neighbour.address()).await;
        is_refused(&mut neighbour, raw, attack).await;
    }
}

#[tokio::test]
async fn w10_extensions_of_its_own_event_that_are_malformed() {
    let mut neighbour = Neighbour::move_in().await;
    for ext in [&[1, 200, 0][..], &[4, 3, 1, 2, 3], &[8, 2, 0, 0], &[9]] {
        let mut raw = Raw::hello(neighbour.address()).await;
        let added = raw
            .call(1, "add_sender", &json!({ "sender": "own", "events": ["e"] }))
            .await;
        let alias = u32::try_from(added["response"]["aliases"]["e"].as_u64().unwrap()).unwrap();
        let mut body = event(alias, 1, b"")[6..].to_vec();
        body.extend_from_slice(&u16::try_from(ext.len()).unwrap().to_le_bytes());
        body.extend_from_slice(ext);
        let attack = ("extensions", frame(Kind::Event, Flags::EXT, &body), "malformed");
        is_refused(&mut neighbour, raw, attack).await;
    }
}

#[tokio::test]
async fn w10_truncated_frames_and_conversations_that_break_off() {
    let mut neighbour = Neighbour::move_in().await;
    let whole = [
        control(&hello()),
        call(1, "add_sender", &json!({ "sender": "x", "events": ["e"] })),
    ]
    .concat();
    for cut in 0..whole.len() {
        let mut raw = Raw::preface(neighbour.address()).await;
        raw.send(&whole[..cut]).await;
        drop(raw);
    }
    holds("all are gone", || neighbour.others() == 0).await;
    neighbour.is_well().await;
}

#[tokio::test]
async fn what_is_odd_but_allowed_costs_nothing() {
    let mut neighbour = Neighbour::move_in().await;
    let mut raw = Raw::hello(neighbour.address()).await;
    let deep = serde_json::value::RawValue::from_string(deep()).unwrap();
    for odd in [
        raw_frame(0x90, 0xff, b"a kind of a later version"),
        raw_frame(0x03, 0x80, b"a heartbeat with a body"),
        control(&json!({ "method": "heartbeat", "params": { "more": [1, 2, 3] } })),
        control(&json!({ "method": "no_such_notice" })),
        control(&json!({ "id": 77, "status": 0, "response": "to a call that nobody made" })),
        control(&json!({ "id": "seventy-seven", "status": 0 })),
        control(&json!({ "method": "cancel", "params": { "id": 12345 } })),
        control(&json!({ "method": "cancel", "params": "everything" })),
        control(&json!({ "method": "stall", "params": { "sender": "nobody" } })),
        control(&json!({ "method": "resume", "params": { "sender": "healthy" } })),
        control(&json!({ "method": "credit", "params": { "sender": "healthy", "granted": u64::MAX } })),
        text(&format!(r#"{{"method":"announce","params":{deep}}}"#)),
        control(&hello()),
    ] {
        raw.send(&odd).await;
    }
    let odd_calls = [
        ("no_such_method", json!({}), -1),
        ("add_sender", json!({ "sender": "", "events": ["e"] }), -2),
        (
            "add_sender",
            json!({ "sender": "x".repeat(100_000), "events": ["e"] }),
            -2,
        ),
        ("add_sender", json!({ "sender": "#x", "events": ["e"] }), -2),
        ("add_sender", json!({ "sender": "x\n", "events": ["e"] }), -2),
        ("add_sender", json!({ "sender": "x", "events": ["#connect"] }), -2),
        (
            "add_sender",
            json!({ "sender": "x", "events": vec!["e"; 1] , "requests": 5 }),
            -2,
        ),
        ("add_sender", json!([1, 2, 3]), -2),
        ("add_listener", json!({ "sender": "x", "event": "e" }), -2),
        ("add_listener", json!({ "listener_id": -1 }), -2),
        (
            "add_listener",
            json!({ "listener_id": 1, "event": "not a channel" }),
            -2,
        ),
        ("remove_listener", json!({ "listener_id": 99 }), -2),
        ("remove_sender", json!({ "sender": "healthy" }), -2),
        ("request", json!({ "sender": "nobody", "method": "m" }), -2),
        (
            "request",
            json!({ "sender": "healthy", "method": "m", "deadline_ms": 0 }),
            -2,
        ),
        (
            "request",
            json!({ "sender": "healthy", "method": "m".repeat(10_000) }),
            -2,
        ),
        (
            "request",
            json!({ "sender": "healthy", "method": "m", "deadline_ms": u64::MAX }),
            -2,
        ),
        (
            "signal",
            json!({ "info": { "sender": "healthy", "event": "tic" }, "data": 666 }),
            -1,
        ),
    ];
    for (id, (method, params, status)) in (100..).zip(odd_calls) {
        let reply = raw.call(id, method, &params).await;
        assert_eq!(reply["status"], status, "{method} {params}: {reply}");
        assert!(
            status == -1 || !reply["exception"].as_str().unwrap().is_empty(),
            "{reply}"
        );
    }
    neighbour.is_well().await;
}

#[tokio::test]
async fn deep_json_in_an_event_passes_through_and_is_an_error_only_to_who_decodes_it() {
    let mut neighbour = Neighbour::move_in().await;
    let mut stream = neighbour.server.router.listen("own/e").unwrap();
    let mut raw = Raw::hello(neighbour.address()).await;
    let added = raw
        .call(1, "add_sender", &json!({ "sender": "own", "events": ["e"] }))
        .await;
    let alias = u32::try_from(added["response"]["aliases"]["e"].as_u64().unwrap()).unwrap();
    for (number, payload) in (1..).zip([deep().as_bytes(), b"\xff\xfe not JSON", b""]) {
        raw.send(&event(alias, number, payload)).await;
        let event = sig_tests::rig::soon("the event", stream.recv()).await.unwrap().unwrap();
        assert_eq!(event.number(), number);
        assert_eq!(event.payload().unwrap().bytes(), payload);
        event.decode::<serde_json::Value>().unwrap_err();
    }
    neighbour.is_well().await;
}
