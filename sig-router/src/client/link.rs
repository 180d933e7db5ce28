//! One link to the router at the other end, from hello to goodbye.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rustc_hash::FxHashMap;
use sig_core::{
    Batch, Call, CarrierError, ClientId, Disconnect, Encoding, EventName, Message, MessageId, Outcome, RawJson, Reason,
    Receiver, Reply, SenderName, Topic,
};
use tokio::sync::oneshot;

use super::pysig::PysigServer;
use super::shared::Shared;
use super::stalling::StallWatch;
use super::state::LinkState;
use super::supervisor;
use crate::burst::Burst;
use crate::clock;
use crate::confirm::Receipt;
use crate::error::RequestError;
use crate::event::Presence;
use crate::hub::{EventRecord, may_come_back};
use crate::outbox::Outbox;
use crate::outlet::Item;
use crate::peer::{Arrived, Peer, TICK, bad_frame, content_type};
use crate::request::DEFAULT_TIMEOUT;
use crate::session::params::{Announce, Cancel, Forget, Grant, RemoveListener, RequestParams};
use crate::session::{Goodbye, Hello, Refuse, Replies, Retry, Welcome, abilities, methods, read_params};

/// Most calls that may wait for their reply.
const MAX_WAITING: usize = 64 * 1024;

/// How long the router may take to answer the hello.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// One link to the router at the other end.
pub(super) struct Link {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    opened: Instant,
    refused: OnceLock<Refuse>,
    replies: Mutex<Replies<Asker>>,
    /// What was said in the hello, until it is answered.
    hello: Mutex<Option<Hello>>,
    aliases: Mutex<FxHashMap<u32, Arc<EventRecord>>>,
    /// Hold senders up while listeners here are full.
    stalls: Mutex<HashMap<SenderName, Arc<StallWatch>>>,
    pysig: Option<PysigServer>,
    is_open: AtomicBool,
    me: Weak<Self>,
}

/// Who waits for a reply.
#[derive(Debug)]
pub(super) enum Asker {
    /// Whoever made a call.
    Call {
        answer: oneshot::Sender<Outcome>,
        /// The topic that was asked for, where the router mints the listener's id.
        topic: Option<Topic>,
    },
    /// An event of this program that the router tells of, and whoever waits for that.
    Event(Option<Receipt>),
}

impl Link {
    pub(super) fn new(id: ClientId, shared: &Arc<Shared>, outbox: Arc<Outbox>) -> Arc<Self> {
        let info = outbox.peer();
        let pysig = (info.encoding == Encoding::Packed && info.pacing.is_some()).then(PysigServer::default);
        let peer = Peer::new(id, outbox, &shared.tasks);
        Arc::new_cyclic(|me| Self {
            shared: Arc::clone(shared),
            peer,
            opened: clock::now(),
            refused: OnceLock::new(),
            replies: Mutex::new(Replies::new(MAX_WAITING)),
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

    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        self.peer.outbox()
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

    /// The router does not answer what it must: the link is of no use.
    pub(super) fn give_up(&self, why: &impl fmt::Display) {
        self.peer.cut(&Disconnect::new(Reason::Timeout, why.to_string()));
    }

    /// Why the router refused this client, if it did so for good.
    pub(super) fn refused_for_good(&self) -> Option<&Refuse> {
        self.refused.get().filter(|refuse| refuse.retry == Retry::Never)
    }

    /// The router takes calls from now on.
    pub(super) fn set_open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// How long ago it came up.
    pub(super) fn age(&self) -> Duration {
        clock::now().saturating_duration_since(self.opened)
    }

    /// Whether the router ever took calls.
    pub(super) fn was_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Says hello; a pysig server has no such thing and is open at once.
    pub(super) fn greet(self: &Arc<Self>) {
        if self.is_pysig() {
            self.peer.allow(self.outbox().peer().max_frame);
            return supervisor::opened(self);
        }
        let carrier = self.outbox().carrier();
        let profile = carrier.profile();
        let hello = Hello {
            versions: [sig_wire::VERSION; 2],
            capabilities: abilities(),
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

    /// Says goodbye behind what waits to be sent, and waits until the link is down.
    pub(super) async fn say_goodbye(&self) {
        self.peer.end(Disconnect::closed());
        if !self.is_pysig() {
            let params = RawJson::new(&Goodbye::default()).unwrap_or_default();
            let _ = self
                .outbox()
                .send_in_order(&Call::notice(methods::GOODBYE, params).into());
        }
        self.outbox().finish();
        self.peer.gone().cancelled().await;
    }

    /// Looks after what depends on time; gives how long it may take until the next call.
    pub(super) fn tick(&self, now: Instant) -> Duration {
        if self.hello.lock().is_some() && now.duration_since(self.opened) > HELLO_PATIENCE {
            self.peer
                .cut(&Disconnect::new(Reason::Timeout, "the router did not answer the hello"));
        }
        drop(self.replies.lock().expire(now));
        self.stalls.lock().values().for_each(|watch| watch.tick(now));
        self.peer.tick(now).map_or(TICK, |next| next.min(TICK))
    }

    // --- what arrives ---

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
            Message::Event(event) => self.spread(
                event.alias,
                Item::new(event.number, &event.payload).with_ext(&event.ext),
            ),
        }
    }

    /// The event that the router calls so.
    fn event_of(&self, alias: u32) -> Result<Arc<EventRecord>, CarrierError> {
        let mut aliases = self.aliases.lock();
        let unknown = || bad_frame(format!("an event with the alias {alias}, which was not announced"));
        let event = aliases.get_mut(&alias).ok_or_else(unknown)?;
        if event.sender.forgotten.load(Ordering::Acquire) {
            let again = self.mirror(&event.id().sender, event.name());
            again.set_series(event.series(), event.number());
            again.set_keeps_last(event.keeps_last());
            *event = again;
        }
        Ok(Arc::clone(event))
    }

    fn spread_all(&self, burst: &Burst<'_>) -> Result<(), CarrierError> {
        let event = self.event_of(burst.alias)?;
        if event.name().is_presence() {
            return burst.items().try_for_each(|item| self.spread(burst.alias, item));
        }
        self.shared.remote.spread_all(&event, burst);
        self.check_stall(&event);
        Ok(())
    }

    /// What arrives although its listeners are full may be as much as was asked for.
    fn check_stall(&self, event: &EventRecord) {
        if !event.sender.gate.is_open() {
            let watch = self.stalls.lock().get(&event.id().sender).cloned();
            watch.inspect(|watch| watch.sync());
        }
    }

    fn spread(&self, alias: u32, item: Item<'_>) -> Result<(), CarrierError> {
        let event = self.event_of(alias)?;
        match event.name().as_str() {
            sig_core::CONNECT => event.sender.told_present(),
            sig_core::DISCONNECT => {
                drop(event.sender.forget_last());
                let reason = item
                    .payload()
                    .decode::<Presence>()
                    .ok()
                    .and_then(|presence| presence.reason);
                event.sender.gone(reason.is_none_or(|reason| may_come_back(&reason)));
                // It left while listeners were being registered over this link, before it was told that it is there.
                if !event.sender.told_absent() {
                    return Ok(());
                }
            }
            _ => {}
        }
        let counted = item.ask.map(|ask| (ask.id, ask.tally()));
        let item = item.with_tally(counted.as_ref().map(|(_, tally)| tally));
        self.shared
            .remote
            .spread(&event, &item.marked_presence(event.name().is_presence()));
        self.check_stall(&event);
        if let Some((id, tally)) = counted {
            // The router sent it to somebody, who has left by now.
            tally.lost_if_nobody_took_it();
            self.peer.confirm(id, tally);
        }
        Ok(())
    }

    /// The listeners' side of an event of the router, whose sender is held up while they are full.
    fn mirror(&self, sender: &SenderName, event: &EventName) -> Arc<EventRecord> {
        let record = self.shared.remote.mirror(sender, event);
        let gate = &record.sender.gate;
        let mut stalls = self.stalls.lock();
        let known = stalls.get(sender).filter(|watch| watch.is_of(gate)).cloned();
        let watch = known.unwrap_or_else(|| {
            let watch = StallWatch::new(sender, &record.sender, self.outbox());
            stalls.insert(sender.clone(), Arc::clone(&watch));
            watch
        });
        drop(stalls);
        watch.watch();
        record
    }

    fn take_reply(&self, reply: Reply) {
        let Some(id) = reply.id.number() else { return };
        if self.is_pysig() {
            self.outbox().answered(id, true, clock::now());
        }
        let asker = self.replies.lock().take(id);
        let (answer, topic) = match asker {
            Some(Asker::Call { answer, topic }) => (answer, topic),
            Some(Asker::Event(receipt)) => {
                if let Some(receipt) = receipt {
                    self.take_confirmation(receipt, &reply.outcome);
                }
                return;
            }
            None => return,
        };
        if let (Some(pysig), Some(topic), Outcome::Done(response)) = (&self.pysig, topic, &reply.outcome) {
            // At once: the next message may be an event for this very listener.
            let wanted = self.shared.subscriptions.contains_key(&topic);
            if let (Some(listener_id), Some(link)) = (pysig.registered(topic, response, wanted), self.me.upgrade()) {
                let _ = link.call(
                    methods::REMOVE_LISTENER,
                    &RemoveListener { listener_id },
                    DEFAULT_TIMEOUT,
                );
            }
        }
        let _ = answer.send(reply.outcome);
    }

    fn take_call(&self, call: Call) -> Result<(), CarrierError> {
        let Call { id, method, params } = call;
        let Some(method) = method else {
            self.peer.reply(id, Outcome::NoMethod);
            return Ok(());
        };
        match &*method {
            methods::WELCOME => return self.take_welcome(&params),
            methods::REFUSE => {
                if let Ok(refuse) = read_params::<Refuse>(methods::REFUSE, &params) {
                    self.peer.end(Disconnect::new(Reason::Kicked, refuse.text.clone()));
                    let _ = self.refused.set(refuse);
                }
                return Ok(());
            }
            methods::GOODBYE => {
                let text = read_params::<Goodbye>(methods::GOODBYE, &params)
                    .unwrap_or_default()
                    .text;
                self.peer.end(Disconnect::new(Reason::Closed, text));
                self.outbox().finish();
                return Ok(());
            }
            methods::HEARTBEAT => return Ok(()),
            methods::ANNOUNCE => {
                let announce: Announce = read_params(methods::ANNOUNCE, &params).map_err(bad_frame)?;
                let event = self.mirror(&announce.sender, &announce.event);
                if event.name().is_presence() {
                    // Who is there is told anew over every link.
                    event.set_series(self.peer.id().get(), 0);
                } else {
                    event.set_keeps_last(announce.keep_last);
                    event.set_series(announce.series, announce.number);
                    // Who does not know the event yet, begins here.
                    let here = announce.number;
                    self.shared.remote.tell_position(&event, here, here);
                }
                self.aliases.lock().insert(announce.alias, event);
                return Ok(());
            }
            methods::FORGET => {
                let Forget { aliases } = read_params(methods::FORGET, &params).map_err(bad_frame)?;
                let mut known = self.aliases.lock();
                let over: Vec<_> = aliases.iter().filter_map(|alias| known.remove(alias)).collect();
                drop(known);
                over.iter().for_each(|event| drop(event.take_last()));
                self.shared.remote.forget_events(over);
                // Nobody else has the gate of a sender that is forgotten.
                self.stalls.lock().retain(|_, watch| !watch.is_over());
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
                    self.peer.cancel(id);
                }
                return Ok(());
            }
            methods::REQUEST => match read_params::<RequestParams>(methods::REQUEST, &params) {
                Ok(params) => self.run_request(id, params),
                Err(error) => self.peer.reply(id, Outcome::Failed(error.into())),
            },
            _ => self.peer.reply(id, Outcome::UnknownMethod),
        }
        Ok(())
    }

    fn take_welcome(&self, params: &RawJson) -> Result<(), CarrierError> {
        let Some(hello) = self.hello.lock().take() else {
            return Ok(());
        };
        let welcome = Welcome::read(params, &hello).map_err(bad_frame)?;
        let max_message = usize::try_from(welcome.max_message).unwrap_or(usize::MAX);
        let heartbeat = Some(Duration::from_millis(welcome.heartbeat_ms)).filter(|period| !period.is_zero());
        self.peer.set_capabilities(&welcome.capabilities);
        self.peer.open(max_message, heartbeat);
        if let Some(link) = self.me.upgrade() {
            supervisor::opened(&link);
        }
        Ok(())
    }

    /// Runs a request to one of this program's remote senders. What is purely local is nobody else's business.
    pub(super) fn run_request(&self, id: Option<MessageId>, params: RequestParams) {
        let entry = self.shared.senders.get(&params.sender);
        let requests = entry.map(|entry| Arc::clone(entry.requests()));
        let Some(requests) = requests else {
            let failure = RequestError::NoSuchSender {
                sender: params.sender.to_string(),
            }
            .to_failure();
            return self.peer.reply(id, Outcome::Failed(failure));
        };
        let turns = self.shared.local.turns();
        self.peer.run_request_to(&requests, id, params, turns);
    }
}

impl Receiver for Link {
    fn deliver(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        let read = self.peer.read(batch, |arrived| match arrived {
            Arrived::Burst(burst) => self.spread_all(&burst),
            Arrived::Event(event, _, memory) => {
                let content_type = content_type(event.ext)?;
                let item = Item::from_buffer(event.header.number, content_type, event.payload);
                self.spread(event.header.alias, item.within(memory).with_ext(event.ext))
            }
            Arrived::Message(message, _) => self.take_message(message),
        });
        if let Err(error) = &read {
            self.peer.end(Disconnect::new(Reason::Kicked, error.to_string()));
        }
        read
    }

    fn retire(&self, why: Disconnect) {
        let is_silent = why == Disconnect::closed() && !self.is_pysig();
        // One of ours says goodbye before it closes its link; one that was killed does not.
        let why = self.peer.retire(if is_silent {
            Disconnect::link_lost("the router left without a goodbye")
        } else {
            why
        });
        if self.shared.lose_link(self) {
            self.shared.set_state(LinkState::Connecting);
            self.shared.remote.mirror_lost(why.reason);
        }
        // Whoever waits for a reply learns that none will come.
        drop(self.replies.lock().drain());
    }

    fn max_frame(&self) -> usize {
        self.peer.max_frame()
    }

    fn heard(&self) {
        self.peer.heard();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}
