//! What is to be told of a line that is open.

use sig_core::{LinkReport, Verdict};
use tokio::time::Instant;

use crate::Life;
use crate::board::{Counts, Evidence, Finding, Session};
use crate::framing::{Counters, Dialect};

/// Watches a line: what comes on it, and what that says.
#[derive(Debug)]
pub(super) struct Watch {
    life: Life,
    evidence: Evidence,
    baud: u32,
    seen: Counters,
    /// What the system knows of the device, for people.
    description: String,
}

impl Watch {
    pub(super) fn new(life: Life, baud: u32, now: Instant) -> Self {
        let description = LinkReport::clone(life.last()).detail;
        Self {
            life,
            evidence: Evidence::new(now),
            baud,
            seen: Counters::default(),
            description,
        }
    }

    pub(super) fn evidence(&mut self) -> &mut Evidence {
        &mut self.evidence
    }

    /// Looks at what came since the last time.
    pub(super) fn look(&mut self, counters: Counters, now: Instant) {
        let seen = std::mem::replace(&mut self.seen, counters);
        self.evidence
            .bytes(counters.bytes - seen.bytes, counters.binary - seen.binary, now);
        if counters.unknown > seen.unknown {
            self.evidence
                .old_peer("frames arrive that are whole, and whose content no version since the first has");
        }
        if counters.segments > seen.segments {
            self.evidence.valid(true);
        }
    }

    /// Tells what is found, if it is news. `linked`: a router is at the other end.
    pub(super) fn report(&mut self, session: &Session, dialect: Option<Dialect>, linked: bool, now: Instant) {
        let finding = self.evidence.judge(self.baud, now);
        let (verdict, detail): (Option<Verdict>, String) = match finding {
            Some(Finding { verdict, detail }) => (Some(verdict), detail),
            None => (None, self.detail(session, dialect, linked)),
        };
        let counts = session.counts();
        let is_news = self.life.last().verdict != verdict || self.life.last().detail != detail;
        if is_news || self.is_worse(counts) {
            self.life.report(verdict, &detail, counted(self.seen, counts));
        }
    }

    /// How a link fares on which nothing is wrong.
    fn detail(&self, session: &Session, dialect: Option<Dialect>, linked: bool) -> String {
        let what = match (session.refusal(), dialect) {
            (Some(why), _) => format!(
                "the board {} is there, and the router does not take it: {why}",
                session.name()
            ),
            (None, _) if linked => "a router".to_owned(),
            (None, Some(Dialect::Lines(_))) if session.is_there() => format!("the board {}, in lines", session.name()),
            (None, Some(Dialect::Frames)) if session.is_there() => format!("the board {}, in frames", session.name()),
            (None, _) => return self.description.clone(),
        };
        match self.description.as_str() {
            "" => what,
            description => format!("{what}; {description}"),
        }
    }

    /// Whether something was lost or damaged that was not told yet.
    fn is_worse(&self, counts: Counts) -> bool {
        let told = |name: &str| self.life.last().counters.get(name).copied().unwrap_or(0);
        let bad = ["crc_errors", "oversize", "missing", "lost"];
        counted(self.seen, counts).any(|(name, count)| bad.contains(&name) && count > told(name).saturating_mul(2))
    }

    /// The line has ended.
    pub(super) fn lost(self, why: &str) {
        self.life.lost(why);
    }
}

/// The counts of a line by their names.
fn counted(line: Counters, board: Counts) -> impl Iterator<Item = (&'static str, u64)> {
    [
        ("bytes", line.bytes),
        ("documents", line.documents),
        ("segments", line.segments),
        ("crc_errors", line.crc_errors),
        ("oversize", line.oversize),
        ("resyncs", line.resyncs),
        ("log_lines", line.log_lines),
        ("unchecked", line.unchecked),
        ("unknown", line.unknown),
        ("events", board.events),
        ("lost", board.lost),
        ("missing", board.missing),
        ("retries", board.retries),
        ("unasked", board.unasked),
        ("unlisted", board.unlisted),
    ]
    .into_iter()
}
