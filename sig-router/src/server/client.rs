//! One client of a server: what it says is taken apart here and handed to its dialect.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use sig_core::{
    Batch, Call, CancellationToken, CarrierError, ClientId, Disconnect, Encoding, Failure, Message, MessageId, Outcome,
    RawJson, Reason, Receiver, Reply, Tasks,
};
use sig_wire::{EventFrame, Kind, Split};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::inbound::upgrade;
use super::native::Native;
use super::pysig::Pysig;
use super::{ClientInfo, Shared};
use crate::error::RequestError;
use crate::hub::Hub;
use crate::outbox::Outbox;
use crate::router::within;
use crate::session::params::RequestParams;
use crate::session::{Heartbeat, Pulse, Replies};
use crate::session::{Refuse, code, methods};

/// Most requests of one client that may run at a time; more are answered with `busy`.
const MAX_RUNNING: usize = 256;

/// Most calls to one client that may wait for their reply.
const MAX_WAITING: usize = 64 * 1024;

/// How long a client that is refused may take to read why.
const REFUSAL_GRACE: Duration = Duration::from_secs(2);

/// One client of a server.
pub(crate) struct ClientSession {
    id: ClientId,
    shared: Weak<Shared>,
    hub: Arc<Hub>,
    outbox: Arc<Outbox>,
    gone: CancellationToken,
    /// Why this side ended it, which says more than the carrier's report.
    ending: OnceLock<(Disconnect, Instant)>,
    max_frame: AtomicUsize,
    heartbeat: Mutex<Heartbeat>,
    replies: Mutex<Replies<Waiting>>,
    running: Arc<Semaphore>,
    /// Requests of this client that run, by their id, to be cancelled.
    cancels: Mutex<HashMap<u64, CancellationToken>>,
    phase: Mutex<Phase>,
    me: Weak<Self>,
}

/// What the client speaks.
#[derive(Debug)]
enum Phase {
    /// It has not said anything yet.
    New,
    Native(Native),
    Pysig(Pysig),
    /// It left or was refused; whatever it says is ignored.
    Gone,
}

/// What a reply is waited for.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A request to one of the client's senders.
    Request(oneshot::Sender<Outcome>),
    /// An event that a pysig client acknowledges.
    Event,
}

/// Why a client cannot stay, or a call cannot be done.
pub(super) type Fault = CarrierError;

impl ClientSession {
    pub(super) fn new(
        id: ClientId,
        shared: Weak<Shared>,
        hub: Arc<Hub>,
        outbox: Arc<Outbox>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            id,
            shared,
            hub,
            outbox,
            gone: tasks.stop_token().child_token(),
            ending: OnceLock::new(),
            max_frame: AtomicUsize::new(sig_core::HELLO_MAX_FRAME),
            heartbeat: Mutex::new(Heartbeat::new(None, Instant::now())),
            replies: Mutex::new(Replies::new(MAX_WAITING)),
            running: Arc::new(Semaphore::new(MAX_RUNNING)),
            cancels: Mutex::default(),
            phase: Mutex::new(Phase::New),
            me: me.clone(),
        })
    }

    pub(super) fn id(&self) -> ClientId {
        self.id
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    pub(super) fn shared(&self) -> Result<Arc<Shared>, Fault> {
        upgrade(&self.shared)
    }

    /// Cancelled when the client is gone, or the server is told to stop.
    pub(super) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    pub(super) fn weak(&self) -> Weak<Self> {
        self.me.clone()
    }

    pub(super) fn carrier_name(&self) -> &'static str {
        self.outbox.carrier().name()
    }

    pub(super) fn info(&self) -> ClientInfo {
        let (dialect, senders, listeners) = match &*self.phase.lock() {
            Phase::New => ("", 0, 0),
            Phase::Native(native) => ("sig/1", native.count_senders(), native.count_listeners()),
            Phase::Pysig(pysig) => ("pysig", pysig.count_senders(), pysig.count_listeners()),
            Phase::Gone => ("gone", 0, 0),
        };
        let address = self.outbox.peer().address.clone();
        ClientInfo {
            id: self.id,
            carrier: self.carrier_name(),
            address,
            dialect,
            senders,
            listeners,
        }
    }

    /// From the hello on: larger frames, and heartbeats.
    pub(super) fn open(&self, max_frame: usize, heartbeat: Option<Duration>) {
        self.max_frame.store(max_frame, Ordering::Release);
        *self.heartbeat.lock() = Heartbeat::new(heartbeat, Instant::now());
    }

    /// Notes why this side ends the client; the first reason counts.
    fn end(&self, why: Disconnect) {
        let _ = self.ending.set((why, Instant::now()));
    }

    /// Throws the client out at once.
    pub(super) fn kick(&self, why: &Disconnect) {
        self.end(why.clone());
        self.outbox.close();
        self.outbox.carrier().close_client(self.id, why);
    }

    /// Tells the client why it cannot stay; it is thrown out once that is sent.
    fn refuse(&self, phase: &mut Phase, refuse: &Refuse) {
        tracing::warn!(client = %self.id, address = self.outbox.peer().address, code = %refuse.code, "{}", refuse.text);
        self.end(Disconnect::new(Reason::Kicked, refuse.text.clone()));
        *phase = Phase::Gone;
        if !matches!(self.outbox.peer().pacing, Some(_)) {
            let notice = RawJson::new(refuse).map(|params| Call::notice(methods::REFUSE, params));
            let _ = notice
                .map_err(Fault::from)
                .and_then(|notice| self.outbox.send(&notice.into()));
        }
        self.outbox.finish();
    }

    /// The client said goodbye: its link ends in good order.
    pub(super) fn goodbye(&self) {
        self.end(Disconnect::closed());
    }

    /// Says goodbye behind what waits for the client, and waits until it is gone.
    pub(super) async fn say_goodbye(&self, text: &str) {
        self.end(Disconnect::new(Reason::Closed, text));
        if self.outbox.peer().pacing.is_none() {
            let params = RawJson::new(&serde_json::json!({ "text": text })).unwrap_or_default();
            let _ = self
                .outbox
                .send_in_order(&Call::notice(methods::GOODBYE, params).into());
        }
        self.outbox.finish();
        self.gone.cancelled().await;
    }

    /// Looks after what depends on time. Called about once a second.
    pub(super) fn tick(&self, now: Instant) {
        let late = self
            .ending
            .get()
            .is_some_and(|(_, since)| now.duration_since(*since) > REFUSAL_GRACE);
        if late && !self.outbox_is_draining() {
            self.outbox
                .carrier()
                .close_client(self.id, &Disconnect::new(Reason::Kicked, "did not read why"));
        }
        drop(self.replies.lock().expire(now));
        let pulse = {
            let mut heartbeat = self.heartbeat.lock();
            heartbeat.sent(self.outbox.last_sent());
            heartbeat.tick(now)
        };
        match pulse {
            Pulse::Quiet => {}
            Pulse::Beat => self.outbox.send_heartbeat(),
            Pulse::Dead => self.kick(&Disconnect::new(Reason::Timeout, "no sign of life")),
        }
    }

    /// Whether a graceful goodbye is still being sent: that has its own deadline.
    fn outbox_is_draining(&self) -> bool {
        self.ending.get().is_some_and(|(why, _)| why.reason == Reason::Closed)
    }

    // --- what arrives ---

    fn take_stream(&self, phase: &mut Phase, bytes: &[u8]) -> Result<(), Fault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Split::Frame(frame) = sig_wire::split(rest, u32::MAX).map_err(bad_frame)? else {
                return Err(CarrierError::Codec(sig_core::CodecError::Frame(
                    "an incomplete frame".to_owned(),
                )));
            };
            let (whole, after) = rest.split_at(frame.size());
            self.take_frame(phase, &frame, Some(whole))?;
            rest = after;
        }
        Ok(())
    }

    fn take_frame(&self, phase: &mut Phase, frame: &sig_wire::Frame<'_>, whole: Option<&[u8]>) -> Result<(), Fault> {
        match frame.kind {
            Kind::Event => {
                let Phase::Native(native) = phase else {
                    return Err(before_hello());
                };
                let event = EventFrame::parse(frame).map_err(bad_frame)?;
                native.take_event_frame(self, &event, whole)
            }
            Kind::Control | Kind::Packed => {
                let message = self.unpack(Bytes::copy_from_slice(frame.body))?;
                self.take_message(phase, message)
            }
            Kind::Heartbeat | Kind::Ignorable(_) => Ok(()),
            other => Err(CarrierError::Codec(sig_core::CodecError::Frame(format!(
                "unexpected frame {other:?}"
            )))),
        }
    }

    fn unpack(&self, frame: Bytes) -> Result<Message, Fault> {
        Ok(self.outbox.carrier().unpack(self.outbox.peer(), frame)?)
    }

    fn take_message(&self, phase: &mut Phase, message: Message) -> Result<(), Fault> {
        if let Phase::New = phase {
            *phase = match &message {
                Message::Call(call) if call.method.as_deref() == Some(methods::HELLO) => {
                    match Native::greet(self, &call.params) {
                        Ok(native) => Phase::Native(native),
                        Err(refuse) => {
                            self.refuse(phase, &refuse);
                            return Ok(());
                        }
                    }
                }
                _ if self.outbox.peer().encoding == Encoding::Packed => {
                    self.open(self.outbox.peer().max_frame, None);
                    Phase::Pysig(Pysig::default())
                }
                _ => return Err(before_hello()),
            };
            if let Phase::Native(_) = phase {
                return Ok(());
            }
        }
        match (phase, message) {
            (Phase::Gone | Phase::New, _) => Ok(()),
            (Phase::Native(native), Message::Call(call)) => native.take_call(self, call),
            (Phase::Native(native), Message::Event(event)) => native.take_event(self, &event),
            (Phase::Native(_), Message::Reply(reply)) => {
                self.take_reply(reply);
                Ok(())
            }
            (Phase::Pysig(pysig), Message::Call(call)) => pysig.take_call(self, call),
            (Phase::Pysig(pysig), Message::Reply(reply)) => {
                pysig.take_reply(self, reply);
                Ok(())
            }
            (Phase::Pysig(_), Message::Event(_)) => Err(before_hello()),
        }
    }

    // --- calls of the client ---

    /// Answers a call, if it wants an answer.
    pub(super) fn reply(&self, id: Option<MessageId>, outcome: Outcome) {
        let Some(id) = id else { return };
        if let Err(error) = self.outbox.send(
            &Reply {
                id: id.clone(),
                outcome,
            }
            .into(),
        ) {
            // It may be too large for the client; a few words never are.
            let failure = RequestError::Codec(error.to_string()).to_failure();
            let _ = self.outbox.send(
                &Reply {
                    id,
                    outcome: Outcome::Failed(failure),
                }
                .into(),
            );
        }
    }

    /// Leave to run something in the background for this client, if it does not have too much of that.
    pub(super) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.running).try_acquire_owned().ok()
    }

    /// Runs a request of this client in the background and answers it.
    pub(super) fn run_request(&self, id: Option<MessageId>, params: RequestParams) -> Result<(), Fault> {
        let Some(permit) = self.permit() else {
            self.reply(id, Outcome::Failed(RequestError::Busy.to_failure()));
            return Ok(());
        };
        let shared = self.shared()?;
        let timeout = params.deadline_ms.map_or(crate::DEFAULT_TIMEOUT, Duration::from_millis);
        let token = self.gone.child_token();
        let number = id.as_ref().and_then(MessageId::number);
        if let Some(number) = number {
            self.cancels.lock().insert(number, token.clone());
        }
        let (hub, session) = (Arc::clone(&self.hub), self.weak());
        shared.tasks.spawn("request", async move {
            let RequestParams {
                sender, method, params, ..
            } = params;
            let answer = within(timeout, hub.request(sender.as_str(), &method, params, timeout));
            let answer = token
                .run_until_cancelled(answer)
                .await
                .unwrap_or(Err(RequestError::Cancelled));
            drop(permit);
            let Some(session) = session.upgrade() else { return };
            if let Some(number) = number {
                session.cancels.lock().remove(&number);
            }
            session.reply(
                id,
                answer.map_or_else(|error| Outcome::Failed(error.to_failure()), Outcome::Done),
            );
        });
        Ok(())
    }

    /// Cancels a request of this client.
    pub(super) fn cancel(&self, id: u64) {
        if let Some(token) = self.cancels.lock().remove(&id) {
            token.cancel();
        }
    }

    // --- calls to the client ---

    /// Notes that a reply is waited for; `None` when too many are.
    pub(super) fn wait_for(&self, what: Waiting, deadline: Instant) -> Option<u64> {
        self.replies.lock().insert(what, deadline).ok()
    }

    /// The reply to this call is not waited for any more.
    pub(super) fn forget(&self, id: u64) -> Option<Waiting> {
        self.replies.lock().take(id)
    }

    /// Hands a reply to whoever waits for it; a late one is dropped (P45).
    pub(super) fn take_reply(&self, reply: Reply) {
        let waiting = reply.id.number().and_then(|id| self.forget(id));
        if let Some(Waiting::Request(asker)) = waiting {
            let _ = asker.send(reply.outcome);
        }
    }
}

/// What is said before the hello, and should not be.
fn before_hello() -> Fault {
    CarrierError::Codec(sig_core::CodecError::Shape(
        "the first message must be a hello".to_owned(),
    ))
}

fn bad_frame(error: impl fmt::Display) -> Fault {
    CarrierError::Codec(sig_core::CodecError::Frame(error.to_string()))
}

/// A failure as a reply tells it.
pub(super) fn failed(code: &'static str, text: impl fmt::Display) -> Outcome {
    Outcome::Failed(Failure::new(code, text.to_string()))
}

impl Receiver for ClientSession {
    fn deliver(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        if self.gone.is_cancelled() {
            return Err(CarrierError::UnknownClient(self.id));
        }
        self.heartbeat.lock().heard(Instant::now());
        let mut phase = self.phase.lock();
        let taken = match batch.encoding() {
            Encoding::Values => std::iter::from_fn(|| batch.next_message())
                .try_for_each(|message| self.take_message(&mut phase, message)),
            Encoding::Packed => std::iter::from_fn(|| batch.next_frame()).try_for_each(|frame| {
                self.unpack(frame)
                    .and_then(|message| self.take_message(&mut phase, message))
            }),
            Encoding::Sig1 => {
                let bytes = batch.bytes();
                let taken = self.take_stream(&mut phase, bytes);
                bytes.clear();
                taken
            }
        };
        if let Err(error) = taken {
            self.refuse(&mut phase, &Refuse::never(code::MALFORMED, error.to_string()));
        }
        batch.clear();
        Ok(())
    }

    fn retire(&self, why: Disconnect) {
        if let Some(shared) = self.shared.upgrade() {
            shared.clients.remove(&self.id);
        }
        let why = self.ending.get().map_or(why, |(why, _)| why.clone());
        self.gone.cancel();
        self.outbox.close();
        let phase = std::mem::replace(&mut *self.phase.lock(), Phase::Gone);
        tracing::debug!(client = %self.id, %why, "client disconnected");
        match phase {
            Phase::Native(native) => native.leave(self, why.reason),
            Phase::Pysig(pysig) => pysig.leave(self, why.reason),
            Phase::New | Phase::Gone => {}
        }
        // Whoever waits for a reply learns that none will come.
        drop(self.replies.lock().drain());
    }

    fn max_frame(&self) -> usize {
        self.max_frame.load(Ordering::Acquire)
    }
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outbox.fmt(f)
    }
}
