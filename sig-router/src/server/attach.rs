//! Carriers: started, watched, started again.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use sig_core::{Carrier, Disconnect, Reason, Tasks};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::inbound::CarrierInbound;
use crate::run::run_carrier;
use crate::session::{Backoff, Reconnect};

/// How long a carrier that is stopped may take to let go of its clients.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A carrier that ran this long begins anew with short pauses.
const PROVEN: Duration = Duration::from_secs(60);

/// How a carrier fares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CarrierState {
    /// It runs.
    Running,
    /// It failed and is started again soon.
    Restarting {
        /// Why it failed.
        error: String,
        /// How long until it is started again.
        retry_in: Duration,
    },
    /// It was stopped.
    Stopped,
}

/// A carrier of a [`ServerRouter`](crate::ServerRouter). Dropping it does not stop the carrier.
#[derive(Debug, Clone)]
pub struct CarrierHandle {
    name: &'static str,
    tasks: Tasks,
    states: watch::Receiver<CarrierState>,
}

impl CarrierHandle {
    /// The carrier's name, its URL scheme.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How the carrier fares now.
    #[must_use]
    pub fn state(&self) -> CarrierState {
        self.states.borrow().clone()
    }

    /// How the carrier fares, to be watched.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<CarrierState> {
        self.states.clone()
    }

    /// Stops the carrier: its clients leave, the others do not notice. When it returns, the address is free again.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: the carrier stops all the same.
    pub async fn stop(&self) {
        self.tasks.stop();
        // Without a sender the server is gone, and the carrier with it.
        let _ = (self.states.clone())
            .wait_for(|state| *state == CarrierState::Stopped)
            .await;
    }
}

/// The carriers that a server has, by their ids.
#[derive(Debug, Default)]
pub(super) struct Attached(Mutex<HashMap<u64, Weak<dyn Carrier>>>);

impl Attached {
    /// Lets none of them take more clients.
    pub(super) async fn stop_accepting(&self) {
        let carriers: Vec<_> = self.0.lock().values().filter_map(Weak::upgrade).collect();
        join_all(carriers.iter().map(|carrier| carrier.stop_accepting())).await;
    }
}

/// Starts a carrier and keeps it running.
pub(super) fn attach(shared: &Arc<Shared>, carrier: Arc<dyn Carrier>) -> CarrierHandle {
    let tasks = shared.tasks.child();
    let (state, states) = watch::channel(CarrierState::Running);
    let handle = CarrierHandle {
        name: carrier.name(),
        tasks: tasks.clone(),
        states,
    };
    let shared = Arc::clone(shared);
    let id = shared.carrier_came(carrier.name());
    shared.attached.0.lock().insert(id, Arc::downgrade(&carrier));
    // The supervisor belongs to the server, so that the server's shutdown waits for it.
    shared.clone().tasks.spawn("carrier", async move {
        let mut backoff = Backoff::new(Reconnect::default());
        // The first "retry" of a back-off is immediate, which is the first start.
        backoff.next(0.0);
        while !tasks.is_stopped() {
            let is_news = state
                .send_if_modified(|state| std::mem::replace(state, CarrierState::Running) != CarrierState::Running);
            if is_news {
                shared.carrier_is(id, &CarrierState::Running);
            }
            let began = Instant::now();
            let error = run_once(&shared, &carrier, id, &tasks).await;
            if tasks.is_stopped() {
                break;
            }
            if began.elapsed() >= PROVEN {
                backoff.succeeded();
                backoff.next(0.0);
            }
            let retry_in = backoff.next(fastrand::f64());
            tracing::warn!(
                carrier = carrier.name(),
                error,
                ?retry_in,
                "a carrier failed; it is started again"
            );
            let restarting = CarrierState::Restarting { error, retry_in };
            shared.carrier_is(id, &restarting);
            state.send_replace(restarting);
            let _ = tasks
                .stop_token()
                .run_until_cancelled(tokio::time::sleep(retry_in))
                .await;
        }
        shared.attached.0.lock().remove(&id);
        shared.carrier_is(id, &CarrierState::Stopped);
        state.send_replace(CarrierState::Stopped);
    });
    handle
}

/// Runs the carrier once, to its end. Gives the reason in words.
async fn run_once(shared: &Arc<Shared>, carrier: &Arc<dyn Carrier>, id: u64, tasks: &Tasks) -> String {
    let inbound = Arc::new(CarrierInbound::new(Arc::clone(shared), Arc::clone(carrier), id));
    let left = Arc::clone(&inbound);
    let ended = run_carrier(carrier, inbound, tasks, STOP_GRACE, |ended| {
        left.retire_all(&match ended {
            Ok(()) => Disconnect::closed(),
            Err(error) => Disconnect::new(Reason::LinkLost, error.to_string()),
        });
    });
    ended
        .await
        .err()
        .map_or_else(|| "it ended by itself".to_owned(), |error| error.to_string())
}
