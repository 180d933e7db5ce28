//! A remote sender, as the client remembers it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sig_core::{Reason, SenderName};
use tokio::sync::watch;

use crate::client::call::{CallError, PendingCall};
use crate::client::link::Link;
use crate::client::offline::Offline;
use crate::client::shared::Shared;
use crate::client::state::SenderState;
use crate::client::uplink::SenderUplink;
use crate::hub::{Hub, Owner, new_series};
use crate::request::{DEFAULT_TIMEOUT, Requests};
use crate::session::params::{AddSender, AddSenderReply};
use crate::session::{WantState, methods, read_response};

/// What is remembered of a remote sender, whether there is a link or not.
#[derive(Debug)]
pub(in crate::client) struct RemoteEntry {
    name: SenderName,
    /// Names its numbers, which go on over all links.
    series: u64,
    uplink: Arc<SenderUplink>,
    /// Asked from the moment the router has the sender, which is before this program's own side has it.
    requests: Arc<Requests>,
    states: watch::Sender<SenderState>,
}

impl RemoteEntry {
    pub(super) fn new(name: SenderName, requests: Requests, offline: Offline) -> Self {
        let uplink = SenderUplink::new(name.clone(), offline);
        Self {
            name,
            series: new_series(),
            uplink,
            requests: Arc::new(requests),
            states: watch::Sender::new(SenderState::Pending),
        }
    }

    pub(in crate::client) fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    pub(in crate::client) fn uplink(&self) -> &Arc<SenderUplink> {
        &self.uplink
    }

    pub(in crate::client) fn set_state(&self, state: SenderState) {
        self.states.send_replace(state);
    }

    /// There is no link any more.
    pub(in crate::client) fn offline(&self) {
        self.uplink.offline();
        self.states.send_if_modified(|state| {
            let is_here = *state != SenderState::Gone;
            if is_here {
                *state = SenderState::Pending;
            }
            is_here
        });
    }

    /// There will be no link any more: whoever triggers learns at once that the sender is gone. Gives how many events
    /// were kept for a link.
    pub(in crate::client) fn close(&self, local: &Hub) -> u64 {
        self.set_state(SenderState::Gone);
        self.requests.leave();
        self.leave(local, Reason::Closed);
        self.uplink.detach()
    }

    /// Removes the sender in this program.
    pub(super) fn leave(&self, local: &Hub, reason: Reason) {
        if let Some(generation) = self.uplink.generation() {
            // It may have been removed already.
            let _ = local.remove_sender(self.name.as_str(), Some(Owner::Local), Some(generation), reason);
        }
    }

    /// Asks the router to take the sender, behind the events, and the removal, of one of the same name. Tells how far
    /// its numbers are.
    pub(in crate::client) fn send(&self, link: &Arc<Link>, want: &AddSender) -> Result<PendingCall, CallError> {
        let mut want = want.clone();
        if !link.is_pysig() {
            want.series = Some(self.series);
            want.numbers = self.uplink.numbers();
        }
        link.call_in_order(methods::ADD_SENDER, &want, DEFAULT_TIMEOUT)
    }

    /// Waits for the router's answer and acts on it, unless the link is down by then: the next one begins anew.
    pub(in crate::client) async fn finish(&self, link: &Arc<Link>, pending: Result<PendingCall, CallError>) {
        let answer = match pending {
            Ok(pending) => pending.response().await,
            Err(error) => Err(error),
        };
        let registered = match answer {
            Ok(_) if link.is_pysig() => Ok((BTreeMap::new(), 0)),
            Ok(response) => read_response::<AddSenderReply>(methods::ADD_SENDER, &response)
                .map(|reply| (reply.aliases, reply.credit))
                .map_err(|error| error.to_string()),
            Err(CallError::NotConnected) => return,
            Err(error @ CallError::TimedOut) => return link.give_up(&error),
            Err(error) => Err(error.to_string()),
        };
        let shared = link.shared();
        let mut ledger = shared.ledger.lock();
        if !shared.is_current(link) || !shared.is_entered(self) {
            return;
        }
        let (want, state) = match registered {
            Ok((aliases, credit)) => {
                self.uplink.online(link, aliases, credit);
                (WantState::Live, SenderState::Live)
            }
            Err(text) => (WantState::Refused { text: text.clone() }, SenderState::Refused { text }),
        };
        ledger.set_sender_state(&self.name, want);
        self.set_state(state);
        drop(ledger);
        self.uplink.send_kept();
    }

    /// Its name.
    pub(in crate::client) fn name(&self) -> &SenderName {
        &self.name
    }

    pub(super) fn series(&self) -> u64 {
        self.series
    }

    pub(super) fn states(&self) -> &watch::Sender<SenderState> {
        &self.states
    }

    /// Asks once more for the senders whose name was taken when they were registered again.
    pub(in crate::client) fn retry_refused(shared: &Arc<Shared>) {
        let mut ledger = shared.ledger.lock();
        let Some(link) = shared.link() else { return };
        for name in ledger.refused() {
            let entry = shared.senders.get(&name).map(|entry| Arc::clone(&entry));
            // One that was never live is about to be given up by whoever adds it.
            let Some(entry) = entry.filter(|entry| entry.uplink.generation().is_some()) else {
                continue;
            };
            let Some(want) = ledger.sender(&name).cloned() else {
                continue;
            };
            ledger.set_sender_state(&name, WantState::Pending);
            let (pending, link) = (entry.send(&link, &want), Arc::clone(&link));
            shared
                .tasks
                .spawn("registering", async move { entry.finish(&link, pending).await });
        }
    }
}
