//! How a link fares whose life is longer than that of the clients at its end.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How one link of a carrier fares: a serial port that is watched before a board is plugged in, say.
///
/// A carrier hands it to [`Uplink::report`](crate::Uplink::report) whenever something changes. Routers keep the newest one of
/// each address.
///
/// ```
/// use sig_core::{LinkReport, LinkState, Verdict};
///
/// let report = LinkReport::new("serial", "/dev/ttyACM0", LinkState::Live)
///     .with_verdict(Verdict::WrongBaud)
///     .with_detail("most bytes are no text; the board may run at another rate than 9600")
///     .with_counter("crc_errors", 17);
/// assert_eq!(report.state.as_str(), "live");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LinkReport {
    /// The carrier, its URL scheme.
    pub carrier: String,
    /// The address as it was given: what names the link.
    pub address: String,
    /// What is behind the address now, for people: the device and its description. Empty while nothing is there.
    pub device: String,
    /// Where the link stands.
    pub state: LinkState,
    /// What is found to be wrong with what arrives.
    pub verdict: Option<Verdict>,
    /// More about state and verdict, for people; may be empty.
    pub detail: String,
    /// What was counted since the link is live, by name.
    pub counters: BTreeMap<String, u64>,
}

impl LinkReport {
    /// A report of a state, with nothing else to tell.
    #[must_use]
    pub fn new(carrier: impl Into<String>, address: impl Into<String>, state: LinkState) -> Self {
        Self {
            carrier: carrier.into(),
            address: address.into(),
            state,
            ..Self::default()
        }
    }

    /// The report with what is behind the address.
    #[must_use]
    pub fn with_device(self, device: impl Into<String>) -> Self {
        Self {
            device: device.into(),
            ..self
        }
    }

    /// The report with a verdict, or without one.
    #[must_use]
    pub fn with_verdict(self, verdict: impl Into<Option<Verdict>>) -> Self {
        Self {
            verdict: verdict.into(),
            ..self
        }
    }

    /// The report with more words.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }

    /// The report with a count.
    #[must_use]
    pub fn with_counter(mut self, name: impl Into<String>, count: u64) -> Self {
        self.counters.insert(name.into(), count);
        self
    }
}

/// Where a link stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LinkState {
    /// Nothing is at the address.
    #[default]
    Absent,
    /// Something is there and is being opened; the detail says what stands in the way, if something does.
    Opening,
    /// It is open.
    Live,
    /// It was live and went away.
    Lost,
    /// What a later version tells.
    #[serde(other)]
    Other,
}

impl LinkState {
    /// The word in reports: `absent`, `opening`, `live`, `lost`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Opening => "opening",
            Self::Live => "live",
            Self::Lost => "lost",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with what arrives on a live link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Not one byte arrived.
    NothingReceived,
    /// What arrives looks like a line that is sampled at another rate.
    WrongBaud,
    /// Text stands between valid frames, or instead of them.
    TextMixedIn,
    /// The peer speaks a version that is too old.
    PeerTooOld,
    /// What a later version tells.
    #[serde(other)]
    Other,
}

impl Verdict {
    /// The word in reports: `nothing_received`, `wrong_baud`, `text_mixed_in`, `peer_too_old`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NothingReceived => "nothing_received",
            Self::WrongBaud => "wrong_baud",
            Self::TextMixedIn => "text_mixed_in",
            Self::PeerTooOld => "peer_too_old",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_json() {
        for state in [LinkState::Absent, LinkState::Opening, LinkState::Live, LinkState::Lost] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        for verdict in [
            Verdict::NothingReceived,
            Verdict::WrongBaud,
            Verdict::TextMixedIn,
            Verdict::PeerTooOld,
        ] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
        }
    }

    #[test]
    fn a_report_of_a_later_version_can_be_read() {
        let report: LinkReport =
            serde_json::from_str(r#"{"address":"/dev/x","state":"asleep","verdict":"too_hot","more":1}"#).unwrap();
        assert_eq!((report.state, report.verdict), (LinkState::Other, Some(Verdict::Other)));
        assert_eq!(report.address, "/dev/x");
    }
}
