//! The router's part, played by a test.

mod log;
mod send;
mod sequence;
pub(crate) mod wire;

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sig_core::{Carrier, CarrierError, ClientId, Disconnect, EventMessage, PeerInfo, Tasks, Uplink};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub(crate) use log::BREAK;
pub use log::Seen;

use crate::Finding;
use crate::finding::ensure;
use log::{Log, Router};

/// Runs one carrier, records what it reports, and sends through it: the router's part, for tests of a carrier alone.
///
/// Every method that waits gives up after the probe's patience (ten seconds), and then says what it waited for.
/// Dropping a probe stops its carrier at once.
///
/// ```
/// use std::sync::Arc;
///
/// use sig_conformance::{Finding, Probe};
/// use sig_core::Carrier;
///
/// async fn test(listener: Arc<dyn Carrier>, dialler: Arc<dyn Carrier>) -> Result<(), Finding> {
///     let (mut server, mut client) = (Probe::start(listener), Probe::start(dialler));
///     let (id, peer) = client.connected().await?;
///     server.connected().await?;
///     client.send(id, &peer, 0..10).await?;
///     server.receive(0..10).await?;
///     Ok(())
/// }
/// ```
pub struct Probe {
    log: Arc<Log>,
    handle: Handle,
    tasks: Tasks,
    runs: JoinSet<Result<(), CarrierError>>,
    patience: Duration,
    /// What is known of the clients that were taken from the record.
    peers: dashmap::DashMap<ClientId, PeerInfo>,
}

impl Probe {
    /// Runs the carrier.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(carrier: Arc<dyn Carrier>) -> Self {
        Self::start_on(&Handle::current(), carrier)
    }

    /// Runs the carrier on this runtime.
    pub(crate) fn start_on(handle: &Handle, carrier: Arc<dyn Carrier>) -> Self {
        let mut probe = Self::idle_on(handle, carrier);
        probe.run();
        probe
    }

    /// A probe whose carrier does not run yet.
    pub(crate) fn idle_on(handle: &Handle, carrier: Arc<dyn Carrier>) -> Self {
        Self {
            log: Log::new(carrier),
            handle: handle.clone(),
            tasks: tasks_on(handle),
            runs: JoinSet::new(),
            patience: Duration::from_secs(10),
            peers: dashmap::DashMap::new(),
        }
    }

    /// The probe with this much patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The carrier.
    #[must_use]
    pub fn carrier(&self) -> &Arc<dyn Carrier> {
        &self.log.carrier
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Runs the carrier again, after [`ended`](Self::ended) or [`kill`](Self::kill).
    pub fn run(&mut self) {
        self.tasks = tasks_on(&self.handle);
        let router = Router {
            log: Arc::clone(&self.log),
            tasks: self.tasks.clone(),
        };
        let uplink = Uplink::new(Arc::new(router), self.tasks.clone());
        self.runs.spawn_on(Arc::clone(self.carrier()).run(uplink), &self.handle);
    }

    /// Asks the carrier to stop.
    pub fn stop(&self) {
        self.tasks.stop();
    }

    /// Waits until the run has ended, and gives what it returned.
    ///
    /// # Errors
    ///
    /// When it does not end, panics, or leaves a task behind.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn ended(&mut self) -> Result<Result<(), CarrierError>, Finding> {
        let asked = match self.tasks.is_stopped() {
            true => "after it was told to stop",
            false => "after its link ended",
        };
        let Ok(ended) = timeout(self.patience, self.runs.join_next()).await else {
            return Err(Finding::new(format!(
                "run did not return within {:?} {asked}",
                self.patience
            )));
        };
        let ended = ended.ok_or_else(|| Finding::new("the carrier does not run"))?;
        let ended = ended.map_err(|error| Finding::new(format!("run panicked: {error}")))?;
        // A task that has done its work is counted until its thread has put it away.
        for _ in 0..100 {
            if self.tasks.count() == 0 {
                return Ok(ended);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let left = self.tasks.count();
        ensure!(
            left == 0,
            "run returned, but {left} of the tasks that it spawned still run; it has to wait for them"
        );
        Ok(ended)
    }

    /// Asks the carrier to stop, and waits until it has.
    ///
    /// # Errors
    ///
    /// As [`ended`](Self::ended); and when the run failed, though it was only told to stop.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn stopped(&mut self) -> Result<(), Finding> {
        self.stop();
        let ended = self.ended().await?;
        ended.map_err(|error| Finding::new(format!("run failed when it was told to stop: {error}")))
    }

    /// Drops the run and its tasks where they are, as the end of a program does.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn kill(&mut self) {
        self.tasks.abort();
        self.runs.shutdown().await;
        self.tasks.shutdown(Duration::ZERO).await;
    }

    /// Sets how many bytes a frame of a client may have: 64 KiB at first.
    pub fn set_max_frame(&self, max_frame: usize) {
        self.log.max_frame.store(max_frame, Ordering::Relaxed);
    }

    /// From now on, takes no more clients, or takes them again.
    pub fn refuse(&self, refuse: bool) {
        self.log.refusing.store(refuse, Ordering::Relaxed);
    }

    /// How many clients were refused so far.
    pub(crate) fn refused(&self) -> usize {
        self.log.refused.load(Ordering::Relaxed)
    }

    /// From now on, each client is sent the event 0 in the moment in which it is announced.
    pub(crate) fn greet(&self) {
        self.log.greeting.store(true, Ordering::Relaxed);
    }

    /// From now on, the event [`BREAK`] is an error.
    pub(crate) fn break_off(&self) {
        self.log.breaking.store(true, Ordering::Relaxed);
    }

    /// The next thing that the carrier reported. `what` says what is waited for.
    ///
    /// # Errors
    ///
    /// When nothing comes, or something was wrong in itself.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: nothing is lost.
    pub async fn next(&self, what: impl fmt::Display) -> Result<Seen, Finding> {
        self.within(&what, self.log.next()).await?
    }

    /// What `future` gives, within the probe's patience.
    pub(crate) async fn within<T>(
        &self,
        what: impl fmt::Display,
        future: impl Future<Output = T>,
    ) -> Result<T, Finding> {
        let waited = timeout(self.patience, future).await;
        waited.map_err(|_| Finding::new(format!("waited {:?} in vain for {what}", self.patience)))
    }

    /// The next report, which must be a new client. A carrier that dials is run again where nobody listened yet.
    ///
    /// # Errors
    ///
    /// When it is something else, or does not come.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: nothing is lost.
    pub async fn connected(&mut self) -> Result<(ClientId, PeerInfo), Finding> {
        let (patience, log) = (self.patience, Arc::clone(&self.log));
        let link = async {
            loop {
                tokio::select! {
                    biased;
                    seen = log.next() => return seen,
                    Some(ended) = self.runs.join_next() => {
                        let ended = ended.map_err(|error| Finding::new(format!("run panicked: {error}")))?;
                        if log.len() > 0 {
                            continue;
                        }
                        ensure!(ended.is_err(), "run returned Ok, though there was no link");
                    }
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
                self.run();
            }
        };
        let seen = timeout(patience, link).await;
        let seen =
            seen.map_err(|_| Finding::new(format!("waited {patience:?} in vain for a client to be announced")))?;
        match seen? {
            Seen::Connected(id, peer) => {
                self.peers.insert(id, peer.clone());
                Ok((id, peer))
            }
            other => Err(Finding::new(format!(
                "expected a client to be announced, but got {other:?}"
            ))),
        }
    }

    /// The next report, which must be an event.
    ///
    /// # Errors
    ///
    /// When it is something else, or does not come.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: nothing is lost.
    pub async fn event(&self, what: impl fmt::Display) -> Result<(ClientId, EventMessage), Finding> {
        match self.next(&what).await? {
            Seen::Frame(id, frame) => self.read(id, &Seen::Frame(id, frame)),
            Seen::Value(id, value) => self.read(id, &Seen::Value(id, value)),
            other => Err(Finding::new(format!(
                "instead of {what}, the carrier reported {other:?}"
            ))),
        }
    }

    fn read(&self, id: ClientId, seen: &Seen) -> Result<(ClientId, EventMessage), Finding> {
        let peer = self.peers.get(&id).map(|peer| peer.clone());
        let peer = peer.ok_or_else(|| Finding::new(format!("a message of {id} came before it was announced")))?;
        Ok((id, wire::read(&**self.carrier(), &peer, seen)?))
    }

    /// The number of an event that was taken from the record.
    pub(crate) fn number_in(&self, seen: &Seen) -> Result<u64, Finding> {
        match seen {
            Seen::Frame(id, _) | Seen::Value(id, _) => Ok(self.read(*id, seen)?.1.number),
            other => Err(Finding::new(format!(
                "expected a message, but the carrier reported {other:?}"
            ))),
        }
    }

    /// The next reports, which must be the events with these numbers, each once and in order.
    ///
    /// # Errors
    ///
    /// When they are not: the text says whether one was lost, came twice, or came too early.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: events that were received are not given back.
    pub async fn receive(&self, numbers: Range<u64>) -> Result<(), Finding> {
        sequence::receive(self, numbers).await
    }

    /// The next report, which must be that a client is gone. `what` says what it should have noticed.
    ///
    /// # Errors
    ///
    /// When it is something else, or does not come.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: nothing is lost.
    pub async fn disconnected(&self, what: impl fmt::Display) -> Result<(ClientId, Disconnect), Finding> {
        let what = format!("handle_client_disconnected, {what}");
        match self.next(&what).await? {
            Seen::Disconnected(id, why) => Ok((id, why)),
            other => Err(Finding::new(format!(
                "instead of {what}, the carrier reported {other:?}"
            ))),
        }
    }

    /// What was reported and not taken yet.
    ///
    /// # Errors
    ///
    /// When something was wrong in itself.
    pub fn rest(&self) -> Result<Vec<Seen>, Finding> {
        match self.log.fault() {
            Some(fault) => Err(Finding::new(fault)),
            None => Ok(std::iter::from_fn(|| self.log.take()).collect()),
        }
    }

    /// From now on, or no longer, a delivery blocks the thread that makes it.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.log.freeze(frozen);
    }
}

fn tasks_on(handle: &Handle) -> Tasks {
    let _entered = handle.enter();
    Tasks::new().expect("a runtime was entered just above")
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.log.freeze(false);
        self.tasks.abort();
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("carrier", self.carrier())
            .field("reports", &self.log.len())
            .finish_non_exhaustive()
    }
}
