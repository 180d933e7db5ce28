//! What all parts of one client router share.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use parking_lot::Mutex;
use sig_core::{Carrier, SenderName, Tasks, Topic};
use tokio::sync::watch;

use super::link::Link;
use super::listeners::Subscription;
use super::senders::RemoteEntry;
use super::state::{LinkState, SenderState};
use crate::hub::Hub;
use crate::session::{Ledger, Refuse, Secret};

/// What all parts of one client router share.
pub(super) struct Shared {
    pub(super) tasks: Tasks,
    pub(super) carrier: Arc<dyn Carrier>,
    /// Senders and listeners of this process.
    pub(super) local: Arc<Hub>,
    /// Listeners to remote senders.
    pub(super) remote: Arc<Hub>,
    /// What is wanted of the router, whether there is a link or not.
    pub(super) ledger: Mutex<Ledger>,
    pub(super) senders: DashMap<SenderName, Arc<RemoteEntry>>,
    pub(super) subscriptions: DashMap<Topic, Arc<Subscription>>,
    pub(super) states: watch::Sender<LinkState>,
    /// The link, from the welcome on.
    link: Mutex<Option<Arc<Link>>>,
    /// The newest link, even before the welcome.
    newest: Mutex<Weak<Link>>,
    /// Tells this instance from others of the same name; never shown.
    pub(super) instance: Secret,
    pub(super) router_id: String,
    is_closing: AtomicBool,
}

impl Shared {
    pub(super) fn new(tasks: Tasks, carrier: Arc<dyn Carrier>) -> Arc<Self> {
        Arc::new(Self {
            local: Hub::new(Some(tasks.clone())),
            remote: Hub::new(Some(tasks.clone())),
            tasks,
            carrier,
            ledger: Mutex::new(Ledger::new()),
            senders: DashMap::new(),
            subscriptions: DashMap::new(),
            states: watch::Sender::new(LinkState::Connecting),
            link: Mutex::new(None),
            newest: Mutex::new(Weak::new()),
            instance: Secret::from_random(fastrand::u128(..)),
            router_id: format!("{:032x}", fastrand::u128(..)),
            is_closing: AtomicBool::new(false),
        })
    }

    /// The link, if it is up.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.link.lock().clone()
    }

    /// A link is being made.
    pub(super) fn set_newest(&self, link: &Arc<Link>) {
        *self.newest.lock() = Arc::downgrade(link);
    }

    /// The newest link, even before the welcome.
    pub(super) fn newest(&self) -> Option<Arc<Link>> {
        self.newest.lock().upgrade()
    }

    /// The link is up: from now on everything new is registered over it.
    pub(super) fn set_link(&self, link: &Arc<Link>) {
        *self.link.lock() = Some(Arc::clone(link));
    }

    /// The link is down: everything waits for the next. False if it was not this link that was up.
    pub(super) fn lose_link(&self, link: &Link) -> bool {
        let mut current = self.link.lock();
        if !current.as_ref().is_some_and(|current| std::ptr::eq(&**current, link)) {
            return false;
        }
        *current = None;
        drop(current);
        self.ledger.lock().offline();
        self.senders.iter().for_each(|entry| entry.offline());
        self.subscriptions
            .iter()
            .for_each(|subscription| subscription.offline());
        true
    }

    /// Whether this link is up.
    pub(super) fn is_current(&self, link: &Link) -> bool {
        self.link
            .lock()
            .as_ref()
            .is_some_and(|current| std::ptr::eq(&**current, link))
    }

    /// Whether this is (still) the sender of its name.
    pub(super) fn is_entered(&self, entry: &RemoteEntry) -> bool {
        self.senders
            .get(entry.name())
            .is_some_and(|entered| std::ptr::eq(&**entered, entry))
    }

    /// Notes how the link fares, unless the router is closed.
    pub(super) fn set_state(&self, new: LinkState) {
        self.states.send_if_modified(|state| {
            let is_open = *state != LinkState::Closed;
            if is_open {
                *state = new;
            }
            is_open
        });
    }

    /// From now on no link is made any more.
    pub(super) fn closing(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// The router refused this client for good: whoever waits to be registered learns it.
    pub(super) fn refused(&self, refuse: &Refuse) {
        let (code, text) = (refuse.code.to_string(), refuse.text.clone());
        // First the state, so that who comes meanwhile sees either that or this.
        self.set_state(LinkState::Refused { code, text });
        let _ledger = self.ledger.lock();
        self.senders.iter().for_each(|entry| {
            let text = refuse.text.clone();
            entry.set_state(SenderState::Refused { text });
        });
        self.subscriptions
            .iter()
            .for_each(|subscription| subscription.refuse(&refuse.text));
    }

    fn all_senders(&self) -> Vec<Arc<RemoteEntry>> {
        self.senders.iter().map(|entry| Arc::clone(&entry)).collect()
    }

    /// Waits until all that was kept while there was no link has gone to it, if there is one.
    pub(super) async fn settled(&self) {
        for entry in self.all_senders() {
            entry.uplink().settled().await;
        }
    }

    /// Remote senders can trigger no more, and whoever waits to do so learns it. Gives how many events were kept for a
    /// link.
    pub(super) fn close_senders(&self) -> u64 {
        let close = |entry: Arc<RemoteEntry>| entry.close(&self.local);
        self.all_senders().into_iter().map(close).sum()
    }

    /// Ends all streams and everyone who waits; remote senders can trigger no more.
    pub(super) fn closed(&self) {
        self.closing();
        self.states.send_replace(LinkState::Closed);
        self.close_senders();
        self.subscriptions.iter().for_each(|subscription| subscription.close());
        self.local.close();
        self.remote.close();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("carrier", &self.carrier)
            .finish_non_exhaustive()
    }
}
