//! Senders of this program that the router knows.

mod entry;
mod wanted;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sig_core::{NameError, SenderName};
use tokio::sync::watch;

use super::ClientRouter;
use super::offline::Offline;
use super::state::SenderState;
pub(super) use entry::RemoteEntry;
use wanted::Wanted;

use crate::error::{AddSenderError, RequestError, SignalError};
use crate::hub::{NewSender, Owner};
use crate::sender::{Declared, Sender, SenderBuilder};
use crate::session::params::AddSender;
use crate::signal::Signal;

impl SenderBuilder<&ClientRouter> {
    /// What to do with events that are triggered while there is no link; [`Offline::Wait`] if it is not said.
    ///
    /// ```no_run
    /// use sig_router::{ClientRouter, Offline};
    ///
    /// # async fn example(client: ClientRouter) -> Result<(), Box<dyn std::error::Error>> {
    /// let gauge = client.add_remote_sender("gauge").event("level").offline(Offline::Latest).connect().await?;
    /// let level = gauge.signal("level")?;
    /// // With or without a link; listeners elsewhere get the last one when it is back.
    /// level.try_trigger(&17)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn offline(self, offline: Offline) -> Self {
        self.and(|declared| {
            declared.offline = offline;
            Ok(())
        })
    }

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
            offline,
            ..
        } = self.declared?;
        let shared = self.target.shared();
        check(&name, &events, requests.is_empty())?;
        let want = AddSender {
            sender: name.clone(),
            events: events.iter().cloned().collect(),
            requests: requests.names(),
            keep_last: keep_last.iter().cloned().collect(),
            // These are told each time anew.
            series: None,
            numbers: BTreeMap::new(),
        };
        let entry = Arc::new(RemoteEntry::new(name.clone(), requests.clone(), offline));
        let wanted = Wanted::add(shared, &entry, &want)?;
        let mut states = entry.states().subscribe();
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
            uplink: Some(Arc::clone(entry.uplink()) as _),
            keep_last,
            series: entry.series(),
            numbers: BTreeMap::new(),
        };
        let added = shared.local.add_sender(new)?;
        entry.uplink().attach(&added);
        Ok(RemoteSender {
            local: Sender::new(Arc::clone(&shared.local), added),
            wanted,
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

/// A sender of this program that the router knows. Dropping it removes it, here and there.
///
/// Events go to the router and, without the network, to listeners of [`ClientRouter::local`] (P62). While there is no
/// link, [`Signal::trigger`] waits for one up to five seconds and then gives the event up, which shows in the numbers;
/// [`Signal::try_trigger`] errs at once. [`SenderBuilder::offline`] says otherwise.
pub struct RemoteSender {
    local: Sender,
    wanted: Wanted,
}

impl RemoteSender {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &SenderName {
        self.entry().name()
    }

    /// How it fares at the router.
    #[must_use]
    pub fn state(&self) -> SenderState {
        self.entry().states().borrow().clone()
    }

    /// How it fares at the router, to be watched.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<SenderState> {
        self.entry().states().subscribe()
    }

    /// How many of its events were given up, as far as is known here: numbers that were used for what the router never
    /// gets. Those are events for which a trigger waited in vain for a link; which were kept by [`Offline::Latest`] or
    /// [`Offline::Buffer`] and had to make room; which were triggered just when the link went down; and which a link
    /// could not take, as the log tells.
    ///
    /// What was already on its way when a link was cut is not among them: only listeners know whether it arrived, and
    /// count it by the numbers.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.entry().uplink().lost()
    }

    /// How many events are kept now, because they were triggered while there was no link and have not gone yet: see
    /// [`SenderBuilder::offline`].
    #[must_use]
    pub fn kept(&self) -> usize {
        self.entry().uplink().kept()
    }

    /// One of its events, to trigger it.
    ///
    /// # Errors
    ///
    /// [`SignalError`] when it did not declare the event or was removed.
    pub fn signal(&self, event: &str) -> Result<Signal, SignalError> {
        self.local.signal(event)
    }

    /// Removes it, here and at the router, behind its last events. When it returns the router has done so, unless there
    /// is no link, where there is nothing to remove. Events that were kept while there was none get up to five seconds
    /// to go first.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel once it was polled: it is removed all the same, only the wait is given up.
    pub async fn remove(self) {
        self.wanted.settle().await;
        let pending = self.wanted.remove();
        if let Some(pending) = pending {
            // Without an answer the link is down, and with it the sender.
            let _ = pending.response().await;
        }
    }

    fn entry(&self) -> &RemoteEntry {
        &self.wanted.entry
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
        wanted.settle().await;
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
