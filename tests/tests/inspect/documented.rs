//! docs/ROUTER.md is complete: every field, event and request of `#router` is in it.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use sig_router::Router;
use sig_router::inspect::{
    Busy, CarrierReport, ClientConnected, ClientDisconnected, ClientReport, Deep, EventReport, Lagging, LinkReport,
    LinkState, ListenerReport, Query, RouterReport, SenderReport, Stats, Verdict,
};
use sig_tests::rig::TcpServer;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ROUTER.md");
    fs::read_to_string(path).expect("docs/ROUTER.md")
}

/// The part of the page behind this heading, up to the next one of its rank.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, behind) = page.split_once(&format!("\n{heading}\n")).expect(heading);
    let rank = heading.split(' ').next().unwrap();
    let upto = |text: &'a str, rank: &str| text.split(&format!("\n{rank} ")).next().unwrap();
    upto(upto(behind, rank), "##")
}

fn fields(of: &impl Serialize) -> Vec<String> {
    let Value::Object(fields) = serde_json::to_value(of).unwrap() else {
        panic!("not an object")
    };
    fields.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn every_field_is_documented_where_it_is_told() {
    let page = page();
    for (heading, fields) in [
        ("### `info`", fields(&RouterReport::default())),
        ("### `clients`", fields(&ClientReport::default())),
        ("### `carriers`", fields(&CarrierReport::default())),
        ("### `senders`", fields(&SenderReport::default())),
        ("### `senders`", fields(&EventReport::default())),
        ("### `listeners`", fields(&ListenerReport::default())),
        ("### `links`", fields(&LinkReport::default())),
        ("## Events", fields(&ClientConnected::default())),
        ("## Events", fields(&ClientDisconnected::default())),
        ("## Events", fields(&Lagging::default())),
        ("## Events", fields(&Stats::default())),
        ("## Events", fields(&Busy::default())),
        ("## Events", fields(&Deep::default())),
        (
            "## Requests",
            fields(&Query::new().limit(1).after(sig_router::inspect::Cursor::Number(1))),
        ),
        ("## Requests", fields(&Router::new().inspect().senders(&Query::new()))),
    ] {
        for field in fields {
            let quoted = format!("`{field}`");
            let in_json = format!("\"{field}\"");
            let section = section(&page, heading);
            assert!(
                section.contains(&quoted) || section.contains(&in_json),
                "{field} is not in {heading}"
            );
        }
    }
}

#[test]
fn every_state_and_verdict_of_a_link_is_documented() {
    let page = page();
    let states = [LinkState::Absent, LinkState::Opening, LinkState::Live, LinkState::Lost];
    let verdicts = [
        Verdict::NothingReceived,
        Verdict::WrongBaud,
        Verdict::TextMixedIn,
        Verdict::PeerTooOld,
    ];
    let words = states.map(LinkState::as_str).into_iter();
    for word in words.chain(verdicts.map(Verdict::as_str)) {
        assert!(section(&page, "### `links`").contains(&format!("`{word}`")), "{word}");
    }
}

#[tokio::test]
async fn every_request_and_event_is_documented() {
    let page = page();
    let server = TcpServer::start();
    let own = server
        .router
        .inspect()
        .senders(&Query::new().with_router())
        .rows
        .remove(0);
    for method in own.requests.unwrap().into_iter().flatten() {
        assert!(
            section(&page, "## Requests").contains(&format!("| `{method}` |")),
            "{method}"
        );
    }
    assert_eq!(own.events.len(), 6);
    for event in own.events {
        let name = event.event;
        assert!(section(&page, "## Events").contains(&format!("| `{name}` |")), "{name}");
    }
}
