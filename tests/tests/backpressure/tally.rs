//! What a listener got and what it was told that it lost.

use std::collections::BTreeMap;

use sig_router::{Event, Lagged};

/// Of each event's data, a count from 0, nothing may come twice or late, and every gap must have been reported.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// By sender: how many came, and how many are missing between them.
    pub(crate) senders: BTreeMap<String, (u64, u64)>,
    pub(crate) lagged: u64,
    last: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn take(&mut self, delivery: Result<Event<'static>, Lagged>) -> Option<u64> {
        let event = match delivery {
            Ok(event) => event,
            Err(lagged) => {
                assert!(lagged.count() > 0);
                self.lagged += lagged.count();
                return None;
            }
        };
        let name = event.sender().to_string();
        let n = event.number();
        let last = self.last.insert(name.clone(), n).unwrap_or(0);
        assert!(n > last, "{n} of {name} after {last}");
        let (received, missing) = self.senders.entry(name).or_default();
        *received += 1;
        *missing += n - last - 1;
        Some(n)
    }

    pub(crate) fn received(&self) -> u64 {
        self.senders.values().map(|(received, _)| received).sum()
    }

    pub(crate) fn missing(&self) -> u64 {
        self.senders.values().map(|(_, missing)| missing).sum()
    }
}
