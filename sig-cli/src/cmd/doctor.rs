//! `sig doctor`

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::Serialize;
use sig_core::CarrierUrl;
use sig_router::inspect::{
    CarrierReport, ClientReport, LinkReport, ListenerReport, Order, Page, Query, SenderReport, Unmatched,
};

use crate::args::Doctor;
use crate::connect::{Link, connect};
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::inspect::{ask, ask_all};
use crate::output::one_line;

mod links;
mod port;

/// Most rows of each list that are looked at.
const MOST: usize = 10_000;

/// How long a sender that has to wait is watched.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// Most listeners that are named where several wait for the same.
const NAMED: usize = 3;

/// What is known of the router.
#[derive(Debug, Default)]
struct Chart {
    unmatched: Vec<ListenerReport>,
    listeners: Vec<ListenerReport>,
    clients: Vec<ClientReport>,
    held_up: Vec<SenderReport>,
    carriers: Vec<CarrierReport>,
    links: Vec<LinkReport>,
}

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// A word that does not change.
    code: &'static str,
    text: String,
    fix: String,
}

/// Looks at a router, or listens on a serial port, and says what it found.
pub(crate) async fn run(args: &Doctor, context: &mut Context) -> Result<Code, Failure> {
    let target = args.at.target();
    let is_port = |url: &&CarrierUrl| url.scheme() == sig_carrier_serial::SCHEME;
    let (healthy, findings) = match target.url.as_ref().filter(is_port) {
        Some(url) => {
            let report = context.unless_stopped(port::listen(url)).await??;
            let healthy = format!("nothing is wrong at {url}: {}", one_line(&report.detail));
            (healthy, links::finding(&report).into_iter().collect())
        }
        None => {
            let link = connect(&target, context).await?;
            let chart = context.unless_stopped(examine(&link)).await;
            let healthy = format!("nothing is wrong at {}", link.url);
            link.close().await;
            (healthy, findings(&chart??))
        }
    };
    for finding in &findings {
        let text = format!(
            "{}: {}\n  fix: {}",
            finding.code,
            one_line(&finding.text),
            one_line(&finding.fix)
        );
        context.out.show(text, "finding", finding)?;
    }
    if findings.is_empty() {
        context.out.note("healthy", healthy);
        return Ok(Code::Done);
    }
    Ok(Code::Failed)
}

async fn examine(link: &Link) -> Result<Chart, Failure> {
    let deepest = Query::new().by(Order::Waiting);
    let listeners: Page<ListenerReport> = ask(link, "listeners", &deepest).await?;
    let carriers: Page<CarrierReport> = ask(link, "carriers", &Query::new()).await?;
    let mut senders: Vec<SenderReport> = ask_all(link, "senders", Query::new(), MOST).await?;
    senders.retain(|sender| sender.held_up);
    if !senders.is_empty() {
        // To wait for a moment is how a fast sender and a slow listener get along.
        tokio::time::sleep(SECOND_LOOK).await;
        let again: Vec<SenderReport> = ask_all(link, "senders", Query::new(), MOST).await?;
        let again: HashSet<_> = again
            .iter()
            .filter(|sender| sender.held_up)
            .map(|sender| &*sender.name)
            .collect();
        senders.retain(|sender| again.contains(&*sender.name));
    }
    Ok(Chart {
        unmatched: ask_all(link, "listeners", Query::new().unmatched(), MOST).await?,
        listeners: listeners.rows,
        clients: ask_all(link, "clients", Query::new(), MOST).await?,
        held_up: senders,
        carriers: carriers.rows,
        links: ask::<Page<LinkReport>>(link, "links", &Query::new()).await?.rows,
    })
}

fn findings(chart: &Chart) -> Vec<Finding> {
    let mut findings: Vec<_> = chart.carriers.iter().filter_map(carrier).collect();
    findings.extend(chart.links.iter().filter_map(links::finding));
    findings.extend(unmatched(&chart.unmatched));
    findings.extend(chart.clients.iter().filter_map(client));
    findings.extend(chart.listeners.iter().filter_map(lagging));
    findings.extend(chart.held_up.iter().map(held_up));
    findings
}

fn carrier(carrier: &CarrierReport) -> Option<Finding> {
    if carrier.failures == 0 {
        return None;
    }
    let (name, times) = (&carrier.name, carrier.failures);
    let error = carrier.error.as_deref().unwrap_or("no reason was given");
    let now = match carrier.state.as_str() {
        "running" => "runs again".to_owned(),
        state => format!("is {state}"),
    };
    let times = if times == 1 {
        "once".to_owned()
    } else {
        format!("{times} times")
    };
    Some(Finding {
        code: "carrier",
        text: format!("carrier {name} failed {times} and {now}; the last time because: {error}"),
        fix: format!(
            "mend what the reason names; it is started again by itself (the router's log has every failure of {name})"
        ),
    })
}

/// Those that wait for the same make one finding.
fn unmatched(listeners: &[ListenerReport]) -> Vec<Finding> {
    let mut topics: BTreeMap<&str, Vec<&ListenerReport>> = BTreeMap::new();
    for listener in listeners {
        topics.entry(&listener.topic).or_default().push(listener);
    }
    let findings = topics.into_iter().map(|(topic, listeners)| {
        let first = listeners[0];
        let (sender, event) = topic.split_once('/').unwrap_or(("", topic));
        let why = match first.reason {
            Some(Unmatched::NoSuchSender) => format!("no sender {sender} is connected"),
            Some(Unmatched::NotDeclared) => format!("sender {sender} is connected and has no event {event}"),
            Some(Unmatched::NobodyDeclares) => format!("no sender that is connected has the channel {topic}"),
            _ => "nobody sends it".to_owned(),
        };
        let fix = match &first.nearest {
            Some(nearest) => format!("did you mean {nearest}? A listener hears its sender when that comes"),
            None => "start the sender, or see what there is: sig ls --events".to_owned(),
        };
        let named: Vec<_> = listeners.iter().take(NAMED).map(|listener| who(listener)).collect();
        let more = match listeners.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let listen = if listeners.len() == 1 { "listens" } else { "listen" };
        Finding {
            code: "unmatched",
            text: format!("{topic}: {why}, but {}{more} {listen} to it", named.join(", ")),
            fix,
        }
    });
    findings.collect()
}

fn who(listener: &ListenerReport) -> String {
    match (&listener.client, &listener.place) {
        (Some(client), _) => format!("client #{client}"),
        (None, Some(place)) => format!("{place} of the router's program"),
        (None, None) => format!("listener {}", listener.id),
    }
}

fn client(client: &ClientReport) -> Option<Finding> {
    let name = format!("client #{} at {}", client.id, client.address);
    if client.lagging {
        return Some(Finding {
            code: "lagging",
            text: format!(
                "{name} does not keep up: {} events wait for it, {} were lost",
                client.waiting, client.lost
            ),
            fix: "let it take its events faster, or listen with a policy that drops (Latest, DropOldest, Rate)"
                .to_owned(),
        });
    }
    (client.lost > 0).then(|| Finding {
        code: "lost",
        text: format!("{name} keeps up now, but lost {} events", client.lost),
        fix: "if that must not be, let its listeners take their events faster or wait longer (Policy::Block)"
            .to_owned(),
    })
}

fn lagging(listener: &ListenerReport) -> Option<Finding> {
    (listener.lagging == Some(true)).then(|| Finding {
        code: "lagging",
        text: format!(
            "the listener to {} at {} does not keep up: {} events wait for it, {} were lost",
            listener.topic,
            who(listener),
            listener.waiting.unwrap_or(0),
            listener.lost.unwrap_or(0)
        ),
        fix: "take its events faster, or listen with a policy that drops (Latest, DropOldest, Rate)".to_owned(),
    })
}

fn held_up(sender: &SenderReport) -> Finding {
    Finding {
        code: "held_up",
        text: format!(
            "sender {} has to wait: a listener has no room for its events",
            sender.name
        ),
        fix: format!("see for whom most waits: sig top (its listeners: {})", sender.listeners),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_router_that_fares_well_has_no_findings() {
        let chart = Chart {
            clients: serde_json::from_value(json!([{ "id": 1, "waiting": 5 }])).unwrap(),
            listeners: serde_json::from_value(json!([{ "topic": "a/b", "lagging": false, "policy": "latest" }]))
                .unwrap(),
            held_up: Vec::new(),
            carriers: serde_json::from_value(json!([{ "name": "tcp", "state": "running" }])).unwrap(),
            unmatched: Vec::new(),
            links: serde_json::from_value(json!([{ "address": "serial:COM3", "state": "live" }])).unwrap(),
        };
        assert_eq!(findings(&chart), []);
    }

    #[test]
    fn every_finding_names_who_and_why_and_what_to_do() {
        let chart = Chart {
            unmatched: serde_json::from_value(json!([
                { "topic": "tmier/tic", "client": 4, "reason": "no_such_sender", "nearest": "timer/tic", "policy": "latest" },
                { "topic": "timer/tick", "client": 5, "reason": "not_declared", "policy": "latest" },
                { "topic": "#alarm", "place": "src/a.rs:1:2", "reason": "nobody_declares", "policy": "latest" },
                { "topic": "timer/tick", "client": 6, "reason": "not_declared", "policy": "latest" },
            ]))
            .unwrap(),
            listeners: serde_json::from_value(json!([
                { "topic": "a/b", "place": "src/b.rs:3:4", "lagging": true, "waiting": 7, "lost": 8, "policy": "latest" },
            ]))
            .unwrap(),
            clients: serde_json::from_value(json!([
                { "id": 1, "address": "tcp://x", "lagging": true, "waiting": 9, "lost": 10 },
                { "id": 2, "address": "tcp://y", "lost": 11 },
            ]))
            .unwrap(),
            held_up: serde_json::from_value(json!([{ "name": "s", "connected": true, "held_up": true }])).unwrap(),
            carriers: serde_json::from_value(json!([
                { "name": "ipc", "state": "restarting", "error": "disk full", "failures": 3 },
            ]))
            .unwrap(),
            links: serde_json::from_value(json!([
                { "address": "serial:COM3", "state": "live", "verdict": "wrong_baud", "detail": "try 9600" },
            ]))
            .unwrap(),
        };
        let findings = findings(&chart);
        let texts: Vec<_> = findings.iter().map(|finding| (finding.code, &*finding.text)).collect();
        assert_eq!(
            texts,
            [
                (
                    "carrier",
                    "carrier ipc failed 3 times and is restarting; the last time because: disk full"
                ),
                (
                    "wrong_baud",
                    "serial:COM3: what arrives looks like another baud rate: try 9600"
                ),
                (
                    "unmatched",
                    "#alarm: no sender that is connected has the channel #alarm, but src/a.rs:1:2 of the router's \
                     program listens to it"
                ),
                (
                    "unmatched",
                    "timer/tick: sender timer is connected and has no event tick, but client #5, client #6 listen to it"
                ),
                (
                    "unmatched",
                    "tmier/tic: no sender tmier is connected, but client #4 listens to it"
                ),
                (
                    "lagging",
                    "client #1 at tcp://x does not keep up: 9 events wait for it, 10 were lost"
                ),
                ("lost", "client #2 at tcp://y keeps up now, but lost 11 events"),
                (
                    "lagging",
                    "the listener to a/b at src/b.rs:3:4 of the router's program does not keep up: 7 events wait for \
                     it, 8 were lost"
                ),
                ("held_up", "sender s has to wait: a listener has no room for its events"),
            ]
        );
        assert!(findings[4].fix.contains("did you mean timer/tic?"));
        assert!(findings.iter().all(|finding| !finding.fix.is_empty()));
    }
}
