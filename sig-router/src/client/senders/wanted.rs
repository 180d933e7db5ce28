//! What is wanted for as long as a remote sender lives.

use std::sync::{Arc, Weak};
use std::time::Duration;

use sig_core::{Reason, SenderName};
use tokio::runtime::Handle;

use super::entry::RemoteEntry;
use crate::client::call::PendingCall;
use crate::client::shared::Shared;
use crate::client::state::{LinkState, SenderState};
use crate::error::AddSenderError;
use crate::request::DEFAULT_TIMEOUT;
use crate::session::methods;
use crate::session::params::{AddSender, RemoveSender};

/// How long events that were kept may take to go before their sender is removed.
const SETTLE: Duration = Duration::from_secs(5);

/// A sender that is wanted at the router, until this is dropped.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) shared: Weak<Shared>,
    pub(super) entry: Arc<RemoteEntry>,
}

impl Wanted {
    pub(super) fn add(
        shared: &Arc<Shared>,
        entry: &Arc<RemoteEntry>,
        want: &AddSender,
    ) -> Result<Self, AddSenderError> {
        if shared.is_closing() {
            return Err(AddSenderError::Closed);
        }
        let taken = |name: &SenderName| AddSenderError::NameTaken { name: name.to_string() };
        if shared
            .local
            .sender(entry.name().as_str())
            .is_some_and(|record| record.is_connected())
        {
            return Err(taken(entry.name()));
        }
        let mut ledger = shared.ledger.lock();
        ledger.add_sender(want.clone()).map_err(|_| taken(entry.name()))?;
        shared.senders.insert(entry.name().clone(), Arc::clone(entry));
        if let Some(link) = shared.link() {
            let (pending, entry) = (entry.send(&link, want), Arc::clone(entry));
            shared
                .tasks
                .spawn("registering", async move { entry.finish(&link, pending).await });
        }
        drop(ledger);
        let wanted = Self {
            shared: Arc::downgrade(shared),
            entry: Arc::clone(entry),
        };
        // After it was entered: what ends all of them either finds it, or is seen here.
        match &*shared.states.borrow() {
            LinkState::Refused { text, .. } => Err(AddSenderError::Refused(text.clone())),
            LinkState::Closed => Err(AddSenderError::Closed),
            LinkState::Connecting | LinkState::Connected | LinkState::Waiting { .. } => Ok(wanted),
        }
    }

    /// Gives events that were kept a while to go first, if there is a link for them.
    pub(super) async fn settle(&self) {
        // Waiting needs a runtime; outside of one there is nothing to wait with.
        if self.entry.uplink().kept() > 0 && Handle::try_current().is_ok() {
            let _ = tokio::time::timeout(SETTLE, self.entry.uplink().settled()).await;
        }
    }

    /// Forgets the sender and tells the router, behind its last events. Does nothing the second time: another one may
    /// have the name by then.
    pub(super) fn remove(&self) -> Option<PendingCall> {
        if self.entry.states().send_replace(SenderState::Gone) == SenderState::Gone {
            return None;
        }
        // The router may have it, and ask it, while this program's own side does not have it yet.
        self.entry.requests().leave();
        let shared = self.shared.upgrade()?;
        self.entry.leave(&shared.local, Reason::Removed);
        let mut ledger = shared.ledger.lock();
        ledger.remove_sender(self.entry.name());
        shared
            .senders
            .remove_if(self.entry.name(), |_, entry| Arc::ptr_eq(entry, &self.entry));
        self.entry.uplink().detach();
        // Also one that was refused: the router may have taken it after all, and knows whose it is.
        let link = shared.link()?;
        let params = RemoveSender {
            sender: self.entry.name().clone(),
        };
        link.call_in_order(methods::REMOVE_SENDER, &params, DEFAULT_TIMEOUT)
            .ok()
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        drop(self.remove());
    }
}
