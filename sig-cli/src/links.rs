//! What becomes of serial ports, for whoever runs the router.

use std::collections::HashMap;

use sig_router::inspect::{LINK, LinkReport, LinkState, ROUTER, Verdict};
use sig_router::{EventStream, Listen, Policy, ServerRouter};

use crate::exit::{Code, Failure};

/// Most news of links that waits to be shown.
const MOST: usize = 256;

/// Hears what the router tells of its links.
pub(crate) struct Links {
    told: EventStream,
    /// What was shown of each last, by its address.
    shown: HashMap<String, Shown>,
}

#[derive(PartialEq, Eq)]
struct Shown {
    state: LinkState,
    verdict: Option<Verdict>,
    detail: String,
}

impl Links {
    /// Listens, before the first carrier is attached.
    pub(crate) fn of(server: &ServerRouter) -> Result<Self, Failure> {
        let failure = |error: &dyn std::fmt::Display| Failure::new(Code::Failed, "system", error);
        let topic = format!("{ROUTER}/{LINK}");
        let listen = Listen::to(topic.as_str()).map_err(|error| failure(&error))?;
        let told = server.listen(listen.policy(Policy::DropOldest(MOST)));
        Ok(Self {
            told: told.map_err(|error| failure(&error))?,
            shown: HashMap::new(),
        })
    }

    /// Waits for news, as a word and a text.
    pub(crate) async fn news(&mut self) -> (&'static str, String) {
        while let Some(event) = self.told.recv().await {
            let report = event.ok().and_then(|event| event.decode::<LinkReport>().ok());
            if let Some(news) = report.and_then(|report| self.show(&report)) {
                return news;
            }
        }
        std::future::pending().await
    }

    /// What there is to show of a report, if it is not what was shown last.
    fn show(&mut self, report: &LinkReport) -> Option<(&'static str, String)> {
        let LinkReport {
            address,
            device,
            state,
            verdict,
            detail,
            ..
        } = report;
        let shown = Shown {
            state: *state,
            verdict: *verdict,
            detail: detail.clone(),
        };
        let last = self.shown.get(address);
        if last == Some(&shown) {
            return None;
        }
        let was_open = last.is_some_and(|last| last.state == LinkState::Live);
        self.shown.insert(address.clone(), shown);
        let (word, text) = match (state, verdict) {
            (LinkState::Live, Some(verdict)) => (verdict.as_str(), detail.clone()),
            (LinkState::Live, None) => ("port_open", open(device, detail, was_open)),
            (LinkState::Lost, _) => (
                "port_lost",
                format!("lost: {detail}; it is opened again when it is back"),
            ),
            (LinkState::Absent, _) => ("port_absent", detail.clone()),
            (LinkState::Opening, _) if !detail.is_empty() => ("port_refused", detail.clone()),
            _ => return None,
        };
        Some((word, format!("{address}: {text}")))
    }
}

/// How a port fares on which nothing is wrong.
fn open(device: &str, detail: &str, was_open: bool) -> String {
    match (was_open, detail) {
        (true, "") => "nothing is wrong any more".to_owned(),
        (true, detail) => detail.to_owned(),
        (false, "") => format!("open: {device}"),
        (false, detail) => format!("open: {device}, {detail}"),
    }
}
