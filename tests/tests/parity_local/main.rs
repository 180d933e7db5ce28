//! What pysig does inside one process, and what this router decides to do instead: one test per tag (P1 to P36), named after it.
//!
//! `docs/PYSIG.md` says for each tag whether it is kept, and where it is tested.

#![allow(
    clippy::unwrap_used,
    reason = "a panic with a line number is what a test wants, in its helpers too"
)]

mod delivery;
mod presence;
mod requests;
mod senders;
mod subscriptions;

use std::sync::{Arc, Mutex};

use sig_router::{Event, Listener, Router, Topic};

/// What listeners heard, in the order in which they heard it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// A function that notes `name sender/event` for every event.
    fn noting(&self, name: impl Into<String>) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
        let (log, name) = (self.clone(), name.into());
        move |event| log.note(format!("{name} {}/{}", event.sender(), event.name()))
    }

    fn listen(&self, router: &Router, name: &str, topic: &str) -> Listener {
        let topic: Topic = topic.parse().unwrap();
        router.add_listener(topic, self.noting(name)).unwrap()
    }

    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// What was noted since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}
