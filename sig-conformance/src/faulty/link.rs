//! One client of the inner carrier, with its faults between it and the router.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use sig_core::{
    Batch, CancellationToken, Carrier as _, CarrierError, Client, ClientId, Disconnect, Reason, Receiver, Uplink,
};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::FaultyCarrier;
use super::counts::Fault;
use super::pieces::{Form, Piece, take};
use super::plan::Fate;

/// Most bytes that are held back on the way in. Beyond that, a client is let go of.
const MAX_HELD: usize = 256 * 1024 * 1024;

/// What a message that is held back costs beside its bytes.
const HELD_HEAD: usize = 64;

/// One client of the inner carrier. It is the inner carrier's [`Receiver`], and a task takes from it what is due.
pub(super) struct Link {
    pub(super) id: ClientId,
    carrier: Arc<FaultyCarrier>,
    /// The router's end, until it is retired.
    client: Mutex<Option<Client>>,
    /// The router closed the client, or it was cut: nobody waits any more.
    pub(super) closing: CancellationToken,
    why: OnceLock<Disconnect>,
    cut: AtomicBool,
    /// Something was swallowed: this link cannot go on as if nothing had been.
    torn: AtomicBool,
    dice_out: Mutex<Rng>,
    way_in: Mutex<WayIn>,
    arrived: Notify,
}

/// What the inner carrier delivered and the router has not got yet.
struct WayIn {
    dice: Rng,
    queue: VecDeque<(Instant, Step)>,
    held: usize,
    /// When the last of the queue is due.
    last: Instant,
}

enum Step {
    Deliver { form: Form, pieces: Vec<Piece> },
    Cut,
    Retire(Disconnect),
}

impl Link {
    pub(super) fn new(carrier: Arc<FaultyCarrier>, id: ClientId, (dice_out, dice): (Rng, Rng)) -> Arc<Self> {
        Arc::new(Self {
            id,
            carrier,
            client: Mutex::new(None),
            closing: CancellationToken::new(),
            why: OnceLock::new(),
            cut: AtomicBool::new(false),
            torn: AtomicBool::new(false),
            dice_out: Mutex::new(dice_out),
            way_in: Mutex::new(WayIn {
                dice,
                queue: VecDeque::new(),
                held: 0,
                last: Instant::now(),
            }),
            arrived: Notify::new(),
        })
    }

    pub(super) fn admitted(&self, client: Client) {
        *self.client.lock() = Some(client);
    }

    /// Nobody waits for this link any more. The first reason stays. False when it was so already.
    pub(super) fn close(&self, why: &Disconnect) -> bool {
        let first = self.why.set(why.clone()).is_ok();
        self.closing.cancel();
        first
    }

    /// Cuts the link, unless it ends already.
    pub(super) fn cut(&self) -> bool {
        let why = Disconnect::link_lost("cut by the fault-injecting carrier");
        if !self.close(&why) {
            return false;
        }
        self.cut.store(true, Ordering::Release);
        self.carrier.counters.add(Fault::Cut, 1);
        self.carrier.inner.close_client(self.id, &why);
        true
    }

    pub(super) fn is_torn(&self) -> bool {
        self.torn.load(Ordering::Acquire)
    }

    fn swallow(&self, messages: usize) {
        self.torn.store(true, Ordering::Release);
        self.carrier.counters.add(Fault::HalfOpen, messages as u64);
    }

    /// [`handle_tx`](sig_core::Carrier::handle_tx) with faults.
    pub(super) async fn send(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        if self.closing.is_cancelled() {
            return Err(CarrierError::UnknownClient(self.id));
        }
        let carrier = &self.carrier;
        if !carrier.is_disturbed() {
            return carrier.inner.handle_tx(self.id, batch).await;
        }
        let form = Form::of(batch);
        let fate = carrier.decide(&mut self.dice_out.lock(), take(batch));
        self.wait(fate.delay + carrier.transfer(&fate)).await?;
        for part in fate.parts {
            if carrier.is_half_open() {
                self.swallow(part.len());
                continue;
            }
            carrier.inner.handle_tx(self.id, &mut form.batch(part)).await?;
        }
        if fate.cut && self.cut() {
            let cut = std::io::Error::new(
                std::io::ErrorKind::ConnectionReset,
                "cut by the fault-injecting carrier",
            );
            return Err(cut.into());
        }
        Ok(())
    }

    async fn wait(&self, pause: Duration) -> Result<(), CarrierError> {
        if pause.is_zero() {
            return Ok(());
        }
        let slept = self.closing.run_until_cancelled(tokio::time::sleep(pause)).await;
        slept.ok_or(CarrierError::UnknownClient(self.id))
    }

    /// Hands over what is due, until the inner carrier has retired the client.
    pub(super) async fn pump(self: Arc<Self>, router: Uplink) {
        let _entry = Entry(&self);
        let mut refused = false;
        while let Some(step) = self.next(router.stop_token()).await {
            match step {
                Step::Deliver { form, pieces } => {
                    if refused || self.cut.load(Ordering::Acquire) {
                        continue;
                    }
                    if self.carrier.is_half_open() {
                        self.swallow(pieces.len());
                        continue;
                    }
                    if let Err(error) = self.hand_over(&mut form.batch(pieces)) {
                        refused = true;
                        let why = Disconnect::new(Reason::Kicked, error.to_string());
                        self.carrier.inner.close_client(self.id, &why);
                    }
                    tokio::task::consume_budget().await;
                }
                Step::Cut => drop(self.cut()),
                Step::Retire(why) => {
                    self.hold_back_the_end(router.stop_token()).await;
                    self.carrier.links.remove(&self.id);
                    self.closing.cancel();
                    let why = self.why.get().cloned().unwrap_or(why);
                    let client = self.client.lock().take();
                    if let Some(client) = client {
                        self.carrier.handle_client_disconnected(client, why).await;
                    }
                    return;
                }
            }
        }
    }

    fn hand_over(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        match &*self.client.lock() {
            Some(client) => client.deliver(batch),
            None => Err(CarrierError::UnknownClient(self.id)),
        }
    }

    /// The next step, as soon as it is due. Nothing is held back from a link that ends.
    async fn next(&self, stop: &CancellationToken) -> Option<Step> {
        loop {
            let due = self.way_in.lock().queue.front().map(|(due, _)| *due);
            match due {
                None => self.arrived.notified().await,
                Some(due) if due > Instant::now() => {
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = self.closing.cancelled() => {}
                        () = stop.cancelled() => {}
                    }
                    return self.pop();
                }
                Some(_) => return self.pop(),
            }
        }
    }

    fn pop(&self) -> Option<Step> {
        let mut way_in = self.way_in.lock();
        let (_, step) = way_in.queue.pop_front()?;
        if let Step::Deliver { pieces, .. } = &step {
            way_in.held -= held(pieces);
        }
        Some(step)
    }

    /// A link whose end was lost too: the router finds out by itself, or when the link is whole again.
    async fn hold_back_the_end(&self, stop: &CancellationToken) {
        let mut half_open = self.carrier.half_open.subscribe();
        tokio::select! {
            biased;
            () = self.closing.cancelled() => {}
            () = stop.cancelled() => {}
            _ = half_open.wait_for(|half_open| !half_open) => {}
        }
    }
}

/// Takes the link out of the table when its task ends in whatever way. A client that is still there is reported as lost.
struct Entry<'a>(&'a Link);

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.0.carrier.links.remove(&self.0.id);
        self.0.closing.cancel();
        let client = self.0.client.lock().take();
        drop(client);
    }
}

impl WayIn {
    /// Puts what became of a batch into the queue.
    fn push(&mut self, form: Form, fate: Fate, transfer: Duration) {
        self.last = (self.last + transfer).max(Instant::now() + fate.delay + transfer);
        for pieces in fate.parts {
            self.held += held(&pieces);
            self.queue.push_back((self.last, Step::Deliver { form, pieces }));
        }
        if fate.cut {
            self.queue.push_back((self.last, Step::Cut));
        }
    }
}

fn held(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.cost() + HELD_HEAD).sum()
}

impl Receiver for Link {
    fn deliver(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        let form = Form::of(batch);
        let pieces = take(batch);
        let mut way_in = self.way_in.lock();
        if way_in.held > MAX_HELD {
            let text = format!("more than {MAX_HELD} bytes are held back; delay less, or limit the rate less");
            return Err(CarrierError::Other(text));
        }
        let fate = self.carrier.decide(&mut way_in.dice, pieces);
        let transfer = self.carrier.transfer(&fate);
        way_in.push(form, fate, transfer);
        self.arrived.notify_one();
        Ok(())
    }

    fn refuse(&self, why: &CarrierError) -> bool {
        !self.carrier.is_half_open() && self.client.lock().as_ref().is_some_and(|client| client.refuse(why))
    }

    fn retire(&self, why: Disconnect) {
        let mut way_in = self.way_in.lock();
        let due = way_in.last;
        way_in.queue.push_back((due, Step::Retire(why)));
        self.arrived.notify_one();
    }

    fn max_frame(&self) -> usize {
        self.client.lock().as_ref().map_or(0, Client::max_frame)
    }

    fn heard(&self) {
        if self.carrier.is_half_open() {
            return;
        }
        if let Some(client) = &*self.client.lock() {
            client.heard();
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("id", &self.id).finish_non_exhaustive()
    }
}
