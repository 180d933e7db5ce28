//! What one listener was told, and whether it may have been.

use std::collections::BTreeMap;

use sig_router::{Event, Presence};

/// What a listener is told of presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hears {
    /// `#connect` and `#disconnect` in one order.
    Both,
    /// Both, but each through a stream of its own.
    Apart,
    /// Neither.
    Events,
}

/// What one listener was told so far.
#[derive(Debug)]
pub(crate) struct Told {
    hears: Hears,
    senders: BTreeMap<String, Seen>,
    pub(crate) presence: u64,
    pub(crate) events: u64,
    pub(crate) lost: u64,
}

#[derive(Debug, Default, Clone)]
struct Seen {
    /// What was told last.
    there: Option<bool>,
    connected: Generation,
    disconnected: Generation,
    /// Whose event it was, its number, and its count.
    last: Option<(u64, u64, u64)>,
    history: Vec<String>,
}

/// The generation that was told last, and how often they began anew, as they do when the router is started again.
#[derive(Debug, Default, Clone, Copy)]
struct Generation {
    last: u64,
    fell: u32,
}

/// How much of the past is told when something is wrong.
const HISTORY: usize = 12;

impl Told {
    pub(crate) fn new(hears: Hears) -> Self {
        Self {
            hears,
            senders: BTreeMap::new(),
            presence: 0,
            events: 0,
            lost: 0,
        }
    }

    /// Takes an event; `restarts` is how often the router was started again since the listener is there.
    pub(crate) fn take(&mut self, event: &Event<'_>, restarts: u32, when: &str) -> Result<(), String> {
        let seen = self.senders.entry(event.sender().to_string()).or_default();
        let wrong = if event.name().is_presence() {
            self.presence += 1;
            let presence: Presence = event.decode().map_err(|error| error.to_string())?;
            let connects = event.name().as_str() == "#connect";
            seen.note(format!(
                "{when}: {} {}{}{}",
                event.name(),
                presence.generation,
                presence.reason.map(|reason| format!(" {reason}")).unwrap_or_default(),
                if event.retained().is_some() { " retained" } else { "" },
            ));
            if self.hears == Hears::Events {
                Some("it is not for this listener".to_owned())
            } else if self.hears == Hears::Both && seen.there == Some(connects) {
                Some("it does not alternate".to_owned())
            } else {
                seen.there = Some(connects);
                let generation = if connects {
                    &mut seen.connected
                } else {
                    &mut seen.disconnected
                };
                generation.becomes(presence.generation, restarts)
            }
        } else {
            self.events += 1;
            let (run, count): (u64, u64) = event.decode().map_err(|error| error.to_string())?;
            let number = event.number();
            seen.note(format!("{when}: event {run}/{number}/{count}"));
            let last = seen.last.replace((run, number, count));
            let last = last.filter(|(last_run, ..)| *last_run == run);
            last.filter(|(_, last, last_count)| number <= *last || count <= *last_count)
                .map(|last| format!("its number does not rise: {last:?} before"))
        };
        match wrong {
            Some(wrong) => Err(format!(
                "{event:?} of {}: {wrong}:\n  {}",
                event.sender(),
                seen.history.join("\n  ")
            )),
            None => Ok(()),
        }
    }

    /// Whether what it was told is the truth: these senders are there, with these generations. `only` is the one that it
    /// names, if it does.
    pub(crate) fn is_true(
        &self,
        truth: &BTreeMap<String, u64>,
        only: Option<&str>,
        restarts: u32,
    ) -> Result<(), String> {
        for (name, seen) in &self.senders {
            let (connected, disconnected) = (seen.connected.last, seen.disconnected.last);
            let is_true = match (self.hears, truth.get(name)) {
                (Hears::Events, _) => true,
                (Hears::Both, Some(generation)) => seen.there != Some(false) && [0, *generation].contains(&connected),
                (Hears::Both, None) => seen.there != Some(true),
                (Hears::Apart, Some(generation)) => connected == *generation,
                (Hears::Apart, None) => disconnected >= connected || restarts > 0,
            };
            if !is_true {
                let truth = truth
                    .get(name)
                    .map_or_else(|| "gone".to_owned(), |generation| format!("there as {generation}"));
                return Err(format!(
                    "{name} is {truth}, but was told:\n  {}",
                    seen.history.join("\n  ")
                ));
            }
        }
        // Who names #connect is told of everyone.
        let mut expected = truth
            .keys()
            .filter(|name| only.is_none_or(|only| only == name.as_str()));
        match expected.find(|name| self.senders.get(*name).is_none_or(|seen| seen.connected.last == 0)) {
            Some(name) if self.hears == Hears::Apart => Err(format!("it was never told of {name}")),
            _ => Ok(()),
        }
    }
}

impl Seen {
    fn note(&mut self, what: String) {
        if self.history.len() == HISTORY {
            self.history.remove(0);
        }
        self.history.push(what);
    }
}

impl Generation {
    fn becomes(&mut self, generation: u64, restarts: u32) -> Option<String> {
        let last = std::mem::replace(&mut self.last, generation);
        self.fell += u32::from(generation < last);
        let wrong = self.fell > restarts;
        wrong
            .then(|| format!("generation {generation} after {last}, and the router was started again {restarts} times"))
    }
}
