//! A port that is open, and the guard that stands for its being live.

use sig_core::{LinkReport, LinkState, SenderName, Uplink, Verdict};
use tracing::warn;

use super::line::SerialLine;
use super::list::PortInfo;

/// A port that was opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// Bytes in, bytes out.
    pub line: SerialLine,
    /// Tells the router how the link fares; give it the reason when the line has ended, or drop it.
    pub life: Life,
    /// What a board is called that does not say its name: the option `name`, else its USB serial number or product, else
    /// the file name of the device.
    pub name: SenderName,
    /// What is known of the device.
    pub info: PortInfo,
}

/// A link that is live, until it is [lost](Self::lost) or this is dropped.
#[derive(Debug)]
pub struct Life {
    uplink: Uplink,
    report: LinkReport,
    over: bool,
}

impl Life {
    pub(crate) fn new(uplink: Uplink, report: LinkReport) -> Self {
        Self {
            uplink,
            report,
            over: false,
        }
    }

    /// What was reported last.
    #[must_use]
    pub fn last(&self) -> &LinkReport {
        &self.report
    }

    /// Reports what is found of a live link, if it differs from what was reported last. A verdict that is news is logged.
    pub fn report<'a>(
        &mut self,
        verdict: Option<Verdict>,
        detail: &str,
        counters: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        let mut report = self.report.clone().with_verdict(verdict).with_detail(detail);
        report.counters = counters
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        if report == self.report {
            return;
        }
        if let Some(verdict) = verdict.filter(|_| verdict != self.report.verdict) {
            warn!(address = report.address, %verdict, "something is wrong on a serial line: {detail}");
        }
        self.report = report.clone();
        self.uplink.report(report);
    }

    /// The line has ended, for this reason.
    pub fn lost(mut self, why: &str) {
        self.end(why);
    }

    fn end(&mut self, why: &str) {
        // The end of the carrier is no loss.
        if std::mem::replace(&mut self.over, true) || self.uplink.stop_token().is_cancelled() {
            return;
        }
        let mut report = self.report.clone().with_verdict(None).with_detail(why);
        report.state = LinkState::Lost;
        warn!(
            address = report.address,
            device = report.device,
            "a serial port is lost: {why}"
        );
        self.uplink.report(report);
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.end("the device was pulled out or closed");
    }
}
