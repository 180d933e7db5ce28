//! One link to the router at the other end, from hello to goodbye.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use sig_core::{
    Batch, Call, CancellationToken, CarrierError, ClientId, CodecError, Disconnect, Encoding, EventMessage, Message,
    MessageId, Outcome, Payload, RawJson, Reason, Receiver, Reply, Topic,
};
use sig_wire::{ContentType, EventFrame, Extension, Kind, Split, Tlvs};
use tokio::sync::{Semaphore, oneshot};

use super::pysig::PysigServer;
use super::shared::Shared;
use super::state::LinkState;
use crate::error::RequestError;
use crate::hub::EventRecord;
use crate::outbox::Outbox;
use crate::outlet::Item;
use crate::pressure::GateWatch;
use crate::router::within;
use crate::session::params::{Announce, Cancel, Grant, RequestParams};
use crate::session::{Goodbye, Heartbeat, Hello, Pulse, Refuse, Replies, Retry, Welcome, methods, read_params};
use crate::stall::{RESUME, STALL, StallParams};

/// Most calls that may wait for their reply.
const MAX_WAITING: usize = 64 * 1024;

/// Most requests of the router that may run at a time; more are answered with `busy`.
const MAX_RUNNING: usize = 256;

/// How long the router may take to answer the hello.
pub(super) const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// One link to the router at the other end.
pub(super) struct Link {
    id: ClientId,
    shared: Arc<Shared>,
    outbox: Arc<Outbox>,
    gone: CancellationToken,
    opened: Instant,
    /// Why this side, or the router, ended it, which says more than the carrier's report.
    ending: OnceLock<Disconnect>,
    refused: OnceLock<Refuse>,
    max_frame: AtomicUsize,
    heartbeat: Mutex<Heartbeat>,
    replies: Mutex<Replies<Asker>>,
    running: Arc<Semaphore>,
    cancels: Mutex<HashMap<u64, CancellationToken>>,
    /// What was said in the hello, until it is answered.
    hello: Mutex<Option<Hello>>,
    aliases: Mutex<HashMap<u32, Arc<EventRecord>>>,
    /// Hold senders up while listeners here are full.
    stalls: Mutex<Vec<Arc<StallWatch>>>,
    pysig: Option<PysigServer>,
    is_open: AtomicBool,
    me: Weak<Self>,
}

/// Who waits for a reply.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) answer: oneshot::Sender<Outcome>,
    /// The topic that was asked for, where the router mints the listener's id.
    pub(super) topic: Option<Topic>,
}

/// Tells the router when the listeners to one sender are full, and when they have room again.
struct StallWatch {
    sender: sig_core::SenderName,
    outbox: Weak<Outbox>,
}

impl StallWatch {
    fn tell(&self, method: &'static str) {
        let params = RawJson::new(&StallParams {
            sender: self.sender.clone(),
        });
        if let (Some(outbox), Ok(params)) = (self.outbox.upgrade(), params) {
            // A link that is about to end holds nobody up.
            let _ = outbox.send(&Call::notice(method, params).into());
        }
    }
}

impl GateWatch for StallWatch {
    fn gate_shut(&self) {
        self.tell(STALL);
    }

    fn gate_opened(&self) {
        self.tell(RESUME);
    }
}

impl Link {
    pub(super) fn new(id: ClientId, shared: &Arc<Shared>, outbox: Arc<Outbox>) -> Arc<Self> {
        let peer = outbox.peer();
        let pysig = (peer.encoding == Encoding::Packed && peer.pacing.is_some()).then(PysigServer::default);
        let max_frame = if pysig.is_some() {
            peer.max_frame
        } else {
            sig_core::HELLO_MAX_FRAME
        };
        Arc::new_cyclic(|me| Self {
            id,
            shared: Arc::clone(shared),
            outbox,
            gone: shared.tasks.stop_token().child_token(),
            opened: Instant::now(),
            ending: OnceLock::new(),
            refused: OnceLock::new(),
            max_frame: AtomicUsize::new(max_frame),
            heartbeat: Mutex::new(Heartbeat::new(None, Instant::now())),
            replies: Mutex::new(Replies::new(MAX_WAITING)),
            running: Arc::new(Semaphore::new(MAX_RUNNING)),
            cancels: Mutex::default(),
            hello: Mutex::new(None),
            aliases: Mutex::default(),
            stalls: Mutex::default(),
            pysig,
            is_open: AtomicBool::new(false),
            me: me.clone(),
        })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    pub(super) fn replies(&self) -> MutexGuard<'_, Replies<Asker>> {
        self.replies.lock()
    }

    pub(super) fn is_pysig(&self) -> bool {
        self.pysig.is_some()
    }

    pub(super) fn pysig(&self) -> Option<&PysigServer> {
        self.pysig.as_ref()
    }

    pub(super) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    /// Why the router refused this client, if it did.
    pub(super) fn refused(&self) -> Option<&Refuse> {
        self.refused.get()
    }

    /// Why the link ended, if this side or the router said so.
    pub(super) fn ending(&self) -> Option<&Disconnect> {
        self.ending.get()
    }

    /// The router takes calls from now on.
    pub(super) fn set_open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// Whether the router ever took calls.
    pub(super) fn was_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    fn arc(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    /// Says hello; a pysig server has no such thing and is open at once.
    pub(super) fn greet(self: &Arc<Self>) {
        if self.is_pysig() {
            return super::supervisor::opened(self);
        }
        let carrier = self.outbox.carrier();
        let profile = carrier.profile();
        let hello = Hello {
            versions: [sig_wire::VERSION; 2],
            capabilities: Vec::new(),
            codec: carrier.codec().name().to_owned(),
            instance: self.shared.instance.clone(),
            token: None,
            max_message: profile.max_frame as u64,
            heartbeat_ms: profile
                .heartbeat
                .map_or(0, |period| u64::try_from(period.as_millis()).unwrap_or(u64::MAX)),
            router_id: self.shared.router_id.clone(),
        };
        *self.hello.lock() = Some(hello.clone());
        self.notify(methods::HELLO, &hello);
    }

    /// Ends the link at once.
    pub(super) fn cut(&self, why: Disconnect) {
        let _ = self.ending.set(why.clone());
        self.outbox.close();
        self.outbox.carrier().close_client(self.id, &why);
    }

    /// Says goodbye behind what waits to be sent, and waits until the link is down.
    pub(super) async fn say_goodbye(&self) {
        let _ = self.ending.set(Disconnect::closed());
        if !self.is_pysig() {
            let params = RawJson::new(&Goodbye::default()).unwrap_or_default();
            let _ = self
                .outbox
                .send_in_order(&Call::notice(methods::GOODBYE, params).into());
        }
        self.outbox.finish();
        self.gone.cancelled().await;
    }

    /// Looks after what depends on time.
    pub(super) fn tick(&self, now: Instant) {
        if self.hello.lock().is_some() && now.duration_since(self.opened) > HELLO_PATIENCE {
            self.cut(Disconnect::new(Reason::Timeout, "the router did not answer the hello"));
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
            Pulse::Dead => self.cut(Disconnect::new(Reason::Timeout, "no sign of life from the router")),
        }
    }

    // --- what arrives ---

    fn take_stream(&self, bytes: &[u8]) -> Result<(), CarrierError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Split::Frame(frame) = sig_wire::split(rest, u32::MAX).map_err(bad_frame)? else {
                return Err(bad_frame("an incomplete frame"));
            };
            rest = &rest[frame.size()..];
            match frame.kind {
                Kind::Event => self.take_event(&EventFrame::parse(&frame).map_err(bad_frame)?)?,
                Kind::Control | Kind::Packed => {
                    let message = self.unpack(Bytes::copy_from_slice(frame.body))?;
                    self.take_message(message)?;
                }
                Kind::Heartbeat | Kind::Ignorable(_) => {}
                other => return Err(bad_frame(format!("unexpected frame {other:?}"))),
            }
        }
        Ok(())
    }

    fn unpack(&self, frame: Bytes) -> Result<Message, CarrierError> {
        Ok(self.outbox.carrier().unpack(self.outbox.peer(), frame)?)
    }

    fn take_message(&self, message: Message) -> Result<(), CarrierError> {
        match message {
            Message::Reply(reply) => {
                self.take_reply(reply);
                Ok(())
            }
            Message::Call(call) => match &self.pysig {
                Some(pysig) => pysig.take_call(self, call),
                None => self.take_call(call),
            },
            Message::Event(event) => self.take_event_message(&event),
        }
    }

    fn take_event(&self, event: &EventFrame<'_>) -> Result<(), CarrierError> {
        let mut content_type = ContentType::JSON;
        for tlv in Tlvs::new(event.ext) {
            if let Extension::ContentType(found) = tlv.and_then(|tlv| tlv.known()).map_err(bad_frame)? {
                content_type = found;
            }
        }
        let item = Item::from_buffer(event.header.number, content_type, event.payload).with_ext(event.ext);
        self.spread(event.header.alias, item)
    }

    fn take_event_message(&self, message: &EventMessage) -> Result<(), CarrierError> {
        let payload: &Payload = &message.payload;
        self.spread(message.alias, Item::new(message.number, payload).with_ext(&message.ext))
    }

    fn spread(&self, alias: u32, item: Item<'_>) -> Result<(), CarrierError> {
        let mut aliases = self.aliases.lock();
        let unknown = || bad_frame(format!("an event with the alias {alias}, which was not announced"));
        let event = aliases.get_mut(&alias).ok_or_else(unknown)?;
        if event.sender.forgotten.load(Ordering::Acquire) {
            *event = self.mirror(event);
        }
        let event = Arc::clone(event);
        drop(aliases);
        self.shared
            .remote
            .spread(&event, &item.as_presence(event.name().is_presence()));
        Ok(())
    }

    /// The listeners' side of an event of the router.
    fn mirror(&self, event: &EventRecord) -> Arc<EventRecord> {
        self.announced(&event.id().sender, event.name())
    }

    fn announced(&self, sender: &sig_core::SenderName, event: &sig_core::EventName) -> Arc<EventRecord> {
        let record = self.shared.remote.event(sender, event);
        let mut stalls = self.stalls.lock();
        let watch = match stalls.iter().find(|watch| watch.sender == *sender) {
            Some(watch) => Arc::clone(watch),
            None => {
                let watch = Arc::new(StallWatch {
                    sender: sender.clone(),
                    outbox: Arc::downgrade(&self.outbox),
                });
                stalls.push(Arc::clone(&watch));
                watch
            }
        };
        drop(stalls);
        let watch: Arc<dyn GateWatch> = watch;
        record.sender.gate.set_watch(Some(Arc::downgrade(&watch)));
        if !record.sender.gate.is_open() {
            watch.gate_shut();
        }
        record
    }

    fn take_reply(&self, reply: Reply) {
        let Some(id) = reply.id.number() else { return };
        if self.is_pysig() {
            self.outbox.answered(id, true, Instant::now());
        }
        let asker = self.replies.lock().take(id);
        let Some(Asker { answer, topic }) = asker else { return };
        if let (Some(pysig), Some(topic), Outcome::Done(response)) = (&self.pysig, topic, &reply.outcome) {
            // At once: the next message may be an event for this very listener.
            pysig.registered(topic, response);
        }
        let _ = answer.send(reply.outcome);
    }

    fn take_call(&self, call: Call) -> Result<(), CarrierError> {
        let Call { id, method, params } = call;
        let Some(method) = method else {
            self.reply(id, Outcome::NoMethod);
            return Ok(());
        };
        match &*method {
            methods::WELCOME => return self.take_welcome(&params),
            methods::REFUSE => {
                if let Ok(refuse) = read_params::<Refuse>(methods::REFUSE, &params) {
                    let _ = self.ending.set(Disconnect::new(Reason::Kicked, refuse.text.clone()));
                    let _ = self.refused.set(refuse);
                }
                return Ok(());
            }
            methods::GOODBYE => {
                let text = read_params::<Goodbye>(methods::GOODBYE, &params)
                    .unwrap_or_default()
                    .text;
                let _ = self.ending.set(Disconnect::new(Reason::Closed, text));
                self.outbox.finish();
                return Ok(());
            }
            methods::HEARTBEAT => return Ok(()),
            methods::ANNOUNCE => {
                let announce: Announce = read_params(methods::ANNOUNCE, &params).map_err(bad_frame)?;
                let event = self.announced(&announce.sender, &announce.event);
                self.aliases.lock().insert(announce.alias, event);
                return Ok(());
            }
            methods::CREDIT => {
                if let Ok(Grant { sender, granted }) = read_params(methods::CREDIT, &params) {
                    let entry = self.shared.senders.get(&sender).map(|entry| Arc::clone(&entry));
                    if let Some(entry) = entry {
                        entry.uplink().granted(self, granted);
                    }
                }
                return Ok(());
            }
            methods::CANCEL => {
                if let Ok(Cancel { id }) = params.parse() {
                    if let Some(token) = self.cancels.lock().remove(&id) {
                        token.cancel();
                    }
                }
                return Ok(());
            }
            methods::REQUEST => match read_params::<RequestParams>(methods::REQUEST, &params) {
                Ok(params) => self.run_request(id, params),
                Err(error) => self.reply(id, Outcome::Failed(error.into())),
            },
            _ => self.reply(id, Outcome::UnknownMethod),
        }
        Ok(())
    }

    fn take_welcome(&self, params: &RawJson) -> Result<(), CarrierError> {
        let Some(hello) = self.hello.lock().take() else {
            return Ok(());
        };
        let welcome = Welcome::read(params, &hello).map_err(bad_frame)?;
        let max_message = usize::try_from(welcome.max_message).unwrap_or(usize::MAX);
        self.max_frame.store(max_message, Ordering::Release);
        self.outbox.limit_frames(max_message);
        let heartbeat = Some(Duration::from_millis(welcome.heartbeat_ms)).filter(|period| !period.is_zero());
        *self.heartbeat.lock() = Heartbeat::new(heartbeat, Instant::now());
        if let Some(link) = self.arc() {
            super::supervisor::opened(&link);
        }
        Ok(())
    }

    // --- requests of the router ---

    pub(super) fn reply(&self, id: Option<MessageId>, outcome: Outcome) {
        let Some(id) = id else { return };
        if let Err(error) = self.outbox.send(
            &Reply {
                id: id.clone(),
                outcome,
            }
            .into(),
        ) {
            // It may be too large for the router; a few words never are.
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

    /// Answers a call of a pysig server once `ready` is done.
    pub(super) fn reply_later(&self, id: Option<MessageId>, ready: impl Future<Output = ()> + Send + 'static) {
        let (link, gone) = (self.me.clone(), self.gone.clone());
        self.shared.tasks.spawn("signal", async move {
            let _ = gone.run_until_cancelled(ready).await;
            if let Some(link) = link.upgrade() {
                link.reply(id, Outcome::Done(RawJson::null()));
            }
        });
    }

    /// Runs a request to one of this program's remote senders in the background and answers it.
    pub(super) fn run_request(&self, id: Option<MessageId>, params: RequestParams) {
        let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() else {
            return self.reply(id, Outcome::Failed(RequestError::Busy.to_failure()));
        };
        let timeout = params.deadline_ms.map_or(crate::DEFAULT_TIMEOUT, Duration::from_millis);
        let token = self.gone.child_token();
        let number = id.as_ref().and_then(MessageId::number);
        if let Some(number) = number {
            self.cancels.lock().insert(number, token.clone());
        }
        if !self.shared.senders.contains_key(&params.sender) {
            // What is purely local is nobody's business.
            let failure = RequestError::NoSuchSender {
                sender: params.sender.to_string(),
            }
            .to_failure();
            return self.reply(id, Outcome::Failed(failure));
        }
        let (hub, link) = (Arc::clone(&self.shared.local), self.me.clone());
        self.shared.tasks.spawn("request", async move {
            let RequestParams {
                sender, method, params, ..
            } = params;
            let answer = within(timeout, hub.request(sender.as_str(), &method, params, timeout));
            let answer = token
                .run_until_cancelled(answer)
                .await
                .unwrap_or(Err(RequestError::Cancelled));
            drop(permit);
            let Some(link) = link.upgrade() else { return };
            if let Some(number) = number {
                link.cancels.lock().remove(&number);
            }
            link.reply(
                id,
                answer.map_or_else(|error| Outcome::Failed(error.to_failure()), Outcome::Done),
            );
        });
    }
}

fn bad_frame(error: impl fmt::Display) -> CarrierError {
    CarrierError::Codec(CodecError::Frame(error.to_string()))
}

impl Receiver for Link {
    fn deliver(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        if self.gone.is_cancelled() {
            return Err(CarrierError::UnknownClient(self.id));
        }
        self.heartbeat.lock().heard(Instant::now());
        let taken = match batch.encoding() {
            Encoding::Values => {
                std::iter::from_fn(|| batch.next_message()).try_for_each(|message| self.take_message(message))
            }
            Encoding::Packed => std::iter::from_fn(|| batch.next_frame())
                .try_for_each(|frame| self.unpack(frame).and_then(|message| self.take_message(message))),
            Encoding::Sig1 => {
                let bytes = batch.bytes();
                let taken = self.take_stream(bytes);
                bytes.clear();
                taken
            }
        };
        batch.clear();
        if let Err(error) = &taken {
            let _ = self.ending.set(Disconnect::new(Reason::Kicked, error.to_string()));
        }
        taken
    }

    fn retire(&self, why: Disconnect) {
        let _ = self.ending.set(why);
        self.gone.cancel();
        self.outbox.close();
        if self.shared.lose_link(self) {
            self.shared.states.send_replace(LinkState::Connecting);
        }
        // Whoever waits for a reply learns that none will come.
        drop(self.replies.lock().drain());
    }

    fn max_frame(&self) -> usize {
        self.max_frame.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outbox.fmt(f)
    }
}

/// Whether the router refused this client for good.
pub(super) fn is_final(refuse: &Refuse) -> bool {
    refuse.retry == Retry::Never
}
