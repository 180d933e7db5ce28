//! Senders of this program that the router knows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use sig_core::{NameError, Reason, SenderName};
use tokio::sync::watch;

use super::ClientRouter;
use super::call::{CallError, PendingCall};
use super::link::Link;
use super::shared::Shared;
use super::state::{LinkState, SenderState};
use super::uplink::SenderUplink;
use crate::error::{AddSenderError, RequestError, SignalError};
use crate::hub::{Hub, NewSender, Owner, new_series};
use crate::request::{DEFAULT_TIMEOUT, Requests};
use crate::sender::{Declared, Sender, SenderBuilder};
use crate::session::params::{AddSender, AddSenderReply, RemoveSender};
use crate::session::{WantState, methods, read_response};
use crate::signal::Signal;

/// What is remembered of a remote sender, whether there is a link or not.
#[derive(Debug)]
pub(super) struct RemoteEntry {
    name: SenderName,
    uplink: Arc<SenderUplink>,
    /// Asked from the moment the router has the sender, which is before this program's own side has it.
    requests: Arc<Requests>,
    states: watch::Sender<SenderState>,
}

impl RemoteEntry {
    fn new(name: SenderName, requests: Requests) -> Self {
        let uplink = Arc::new(SenderUplink::new(name.clone()));
        Self {
            name,
            uplink,
            requests: Arc::new(requests),
            states: watch::Sender::new(SenderState::Pending),
        }
    }

    pub(super) fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    pub(super) fn uplink(&self) -> &SenderUplink {
        &self.uplink
    }

    pub(super) fn set_state(&self, state: SenderState) {
        self.states.send_replace(state);
    }

    /// There is no link any more.
    pub(super) fn offline(&self) {
        self.uplink.offline();
        self.states.send_if_modified(|state| {
            let is_here = *state != SenderState::Gone;
            if is_here {
                *state = SenderState::Pending;
            }
            is_here
        });
    }

    /// There will be no link any more: whoever triggers learns at once that the sender is gone.
    pub(super) fn close(&self, local: &Hub) {
        self.set_state(SenderState::Gone);
        self.requests.leave();
        if self.uplink.is_attached() {
            // It may have been removed already.
            let _ = local.remove_sender(self.name.as_str(), Some(Owner::Local), None, Reason::Closed);
        }
        self.uplink.detach();
    }

    /// Asks the router to take the sender, behind the events, and the removal, of one of the same name.
    pub(super) fn send(link: &Arc<Link>, want: &AddSender) -> Result<PendingCall, CallError> {
        link.call_in_order(methods::ADD_SENDER, want, DEFAULT_TIMEOUT)
    }

    /// Waits for the router's answer and acts on it, unless the link is down by then: the next one begins anew.
    pub(super) async fn finish(&self, link: &Arc<Link>, pending: Result<PendingCall, CallError>) {
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
    }

    /// Its name.
    pub(super) fn name(&self) -> &SenderName {
        &self.name
    }

    /// Asks once more for the senders whose name was taken when they were registered again.
    pub(super) fn retry_refused(shared: &Arc<Shared>) {
        let mut ledger = shared.ledger.lock();
        let Some(link) = shared.link() else { return };
        for name in ledger.refused() {
            let entry = shared.senders.get(&name).map(|entry| Arc::clone(&entry));
            // One that was never live is about to be given up by whoever adds it.
            let Some(entry) = entry.filter(|entry| entry.uplink.is_attached()) else {
                continue;
            };
            let Some(want) = ledger.sender(&name).cloned() else {
                continue;
            };
            ledger.set_sender_state(&name, WantState::Pending);
            let (pending, link) = (Self::send(&link, &want), Arc::clone(&link));
            shared
                .tasks
                .spawn("registering", async move { entry.finish(&link, pending).await });
        }
    }
}

impl SenderBuilder<&ClientRouter> {
    /// Connects the sender, here and at the router. Waits while there is no link: programs may start in any order.
    ///
    /// When it returns, listeners everywhere have been told with `#connect`. From then on it is registered again after
    /// every reconnect.
    ///
    /// # Errors
    ///
    /// [`AddSenderError`] when a name breaks the rules, the name is taken, or nothing was declared. Nothing is left
    /// behind then, here or there (W5).
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: the sender is then not added.
    pub async fn connect(self) -> Result<RemoteSender, AddSenderError> {
        let Declared {
            name,
            events,
            keep_last,
            requests,
            ..
        } = self.declared?;
        let shared = self.target.shared();
        check(&name, &events, requests.is_empty())?;
        let want = AddSender {
            sender: name.clone(),
            events: events.iter().cloned().collect(),
            requests: requests.names(),
            keep_last: keep_last.iter().cloned().collect(),
            series: None,
            numbers: BTreeMap::new(),
        };
        let entry = Arc::new(RemoteEntry::new(name.clone(), requests.clone()));
        let wanted = Wanted::add(shared, &entry, &want)?;
        let mut states = entry.states.subscribe();
        loop {
            match states.borrow_and_update().clone() {
                SenderState::Live => break,
                SenderState::Pending => {}
                SenderState::Refused { text } => return Err(AddSenderError::from_refusal(&name, text)),
                SenderState::Gone => return Err(AddSenderError::Closed),
            }
            states.changed().await.map_err(|_| AddSenderError::Closed)?;
        }
        let new = NewSender {
            name,
            events,
            requests,
            owner: Owner::Local,
            carrier: "local",
            uplink: Some(Arc::clone(&entry.uplink) as _),
            keep_last,
            series: new_series(),
            numbers: BTreeMap::new(),
        };
        let added = shared.local.add_sender(new)?;
        entry.uplink.attach(&added.sender.gate);
        Ok(RemoteSender {
            local: Some(Sender::new(Arc::clone(&shared.local), added)),
            wanted: Some(wanted),
        })
    }
}

fn check(
    name: &SenderName,
    events: &std::collections::BTreeSet<sig_core::EventName>,
    no_requests: bool,
) -> Result<(), AddSenderError> {
    if name.is_reserved() {
        return Err(NameError::Reserved { name: name.to_string() }.into());
    }
    if events.is_empty() && no_requests {
        return Err(AddSenderError::Empty { name: name.to_string() });
    }
    match events.iter().find(|event| event.is_presence()) {
        Some(event) => Err(AddSenderError::Presence {
            name: event.to_string(),
        }),
        None => Ok(()),
    }
}

/// A sender that is wanted at the router, until this is dropped.
#[derive(Debug)]
struct Wanted {
    shared: Weak<Shared>,
    entry: Arc<RemoteEntry>,
}

impl Wanted {
    fn add(shared: &Arc<Shared>, entry: &Arc<RemoteEntry>, want: &AddSender) -> Result<Self, AddSenderError> {
        if shared.is_closing() {
            return Err(AddSenderError::Closed);
        }
        let taken = |name: &SenderName| AddSenderError::NameTaken { name: name.to_string() };
        if shared
            .local
            .sender(entry.name.as_str())
            .is_some_and(|record| record.is_connected())
        {
            return Err(taken(&entry.name));
        }
        let mut ledger = shared.ledger.lock();
        ledger.add_sender(want.clone()).map_err(|_| taken(&entry.name))?;
        shared.senders.insert(entry.name.clone(), Arc::clone(entry));
        if let Some(link) = shared.link() {
            let (pending, entry) = (RemoteEntry::send(&link, want), Arc::clone(entry));
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

    /// Forgets the sender and tells the router, behind its last events.
    fn remove(&self) -> Option<PendingCall> {
        self.entry.set_state(SenderState::Gone);
        // At once, while the removal keeps its place behind the last events.
        self.entry.requests.leave();
        let shared = self.shared.upgrade()?;
        let mut ledger = shared.ledger.lock();
        ledger.remove_sender(&self.entry.name);
        shared
            .senders
            .remove_if(&self.entry.name, |_, entry| Arc::ptr_eq(entry, &self.entry));
        self.entry.uplink.detach();
        // Also one that was refused: the router may have taken it after all, and knows whose it is.
        let link = shared.link()?;
        let params = RemoveSender {
            sender: self.entry.name.clone(),
        };
        link.call_in_order(methods::REMOVE_SENDER, &params, DEFAULT_TIMEOUT)
            .ok()
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        if *self.entry.states.borrow() != SenderState::Gone {
            drop(self.remove());
        }
    }
}

/// A sender of this program that the router knows. Dropping it removes it, here and there.
///
/// Events go to the router and, without the network, to listeners of [`ClientRouter::local`] (P62). While there is no
/// link, [`Signal::trigger`] waits for one up to five seconds and then gives the event up, which shows in the numbers;
/// [`Signal::try_trigger`] errs at once.
pub struct RemoteSender {
    local: Option<Sender>,
    wanted: Option<Wanted>,
}

impl RemoteSender {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &SenderName {
        &self.entry().name
    }

    /// How it fares at the router.
    #[must_use]
    pub fn state(&self) -> SenderState {
        self.entry().states.borrow().clone()
    }

    /// How it fares at the router, to be watched.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<SenderState> {
        self.entry().states.subscribe()
    }

    /// One of its events, to trigger it.
    ///
    /// # Errors
    ///
    /// [`SignalError`] when it did not declare the event or was removed.
    pub fn signal(&self, event: &str) -> Result<Signal, SignalError> {
        let gone = || SignalError::SenderGone {
            sender: self.name().to_string(),
        };
        self.local.as_ref().ok_or_else(gone)?.signal(event)
    }

    /// Removes it, here and at the router, behind its last events. When it returns the router has done so, unless there
    /// is no link, where there is nothing to remove.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel once it was polled: it is removed all the same, only the wait is given up.
    pub async fn remove(mut self) {
        self.local = None;
        let pending = self.wanted.take().and_then(|wanted| wanted.remove());
        if let Some(pending) = pending {
            // Without an answer the link is down, and with it the sender.
            let _ = pending.response().await;
        }
    }

    fn entry(&self) -> &RemoteEntry {
        match &self.wanted {
            Some(wanted) => &wanted.entry,
            None => unreachable!("only remove() takes it, and consumes the sender"),
        }
    }
}

impl fmt::Debug for RemoteSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSender")
            .field("name", self.name())
            .field("state", &self.state())
            .finish()
    }
}

impl ClientRouter {
    /// Begins to declare a sender that the router is to know.
    pub fn add_remote_sender(&self, name: impl AsRef<str>) -> SenderBuilder<&Self> {
        SenderBuilder::new(self, name.as_ref())
    }

    /// Removes a remote sender of this program by name. False if there is none (P66).
    ///
    /// # Errors
    ///
    /// [`RequestError::NotConnected`] when there is no link: it is removed here and will not be registered again.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel once it was polled: it is removed all the same, only the wait is given up.
    pub async fn remove_remote_sender(&self, name: impl AsRef<str>) -> Result<bool, RequestError> {
        let entry = self.shared().senders.get(name.as_ref()).map(|entry| Arc::clone(&entry));
        let Some(entry) = entry else { return Ok(false) };
        let wanted = Wanted {
            shared: Arc::downgrade(self.shared()),
            entry,
        };
        let is_here = wanted.entry.uplink.is_attached();
        if is_here {
            // It may have been removed already.
            let local = &self.shared().local;
            let _ = local.remove_sender(name.as_ref(), Some(Owner::Local), None, Reason::Removed);
        }
        match wanted.remove() {
            Some(pending) => pending
                .response()
                .await
                .map(|_| true)
                .map_err(|_| RequestError::NotConnected),
            None => Err(RequestError::NotConnected),
        }
    }
}
