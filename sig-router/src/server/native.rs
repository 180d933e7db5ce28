//! A client that speaks sig.

mod senders;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use sig_core::{Call, EventMessage, EventName, MessageId, Outcome, RawJson, Reason, SenderName, Topic};
use sig_wire::EventFrame;

use super::awaited::Waiting;
use super::client::{ClientSession, Fault, failed};
use super::credit::CreditLine;
use super::holds::Stalling;
use super::methods::{self as rpc, Answer};
use super::shown::Dialect;
use crate::burst::Burst;
use crate::clock;
use crate::confirm::{ANSWER_GRACE, Ask, Recall, Receipt, Wait};
use crate::few::FewMap;
use crate::hub::{CatchUp, EventRecord, First, Owner, Target};
use crate::listener::Registration;
use crate::outbox::{Heading, Outbox};
use crate::outlet::{Item, Outlet, Terms};
use crate::peer::{TICK, content_type};
use crate::policy::Policy;
use crate::pressure::{Gate, Whose};
use crate::session::params::{AddListener, AddListenerReply, Cancel, RemoveListener, RequestParams};
use crate::session::{Hello, Offer, ParamsError, Refuse, abilities, code, methods, negotiate, read_params};
use crate::stall::{RESUME, STALL, StallParams};

/// A client that speaks sig: its senders, its listeners, and the aliases of its events.
#[derive(Debug)]
pub(super) struct Native {
    subscriber: Arc<Subscriber>,
    listeners: FewMap<u64, Listening>,
    senders: HashMap<SenderName, OwnSender>,
    aliases: FxHashMap<u32, Published>,
    /// From when it says for the first time that it has no room.
    stalling: Option<Box<Stalling>>,
}

/// A listener of the client.
#[derive(Debug)]
struct Listening {
    registration: Registration,
    policy: Policy,
}

#[derive(Debug)]
struct OwnSender {
    generation: u64,
    /// Names the run of the numbers of its events.
    series: u64,
    aliases: Vec<u32>,
    credit: Arc<CreditLine>,
}

/// An event that the client may send.
#[derive(Debug)]
struct Published {
    event: Arc<EventRecord>,
    credit: Arc<CreditLine>,
}

/// Where the client's events go: its outbox. One for all of its listeners, so that it gets one copy of each event.
#[derive(Debug)]
struct Subscriber {
    outbox: Arc<Outbox>,
    /// Whether the client tells what became of events.
    confirms: bool,
    session: Weak<ClientSession>,
}

impl Subscriber {
    /// Puts an event into the outbox; tells whether it is there.
    fn send(
        &self,
        ask: Option<Ask>,
        event: &Arc<EventRecord>,
        item: &Item<'_>,
        gate: &Arc<Gate>,
        terms: &Terms,
    ) -> bool {
        let heading = Heading {
            alias: event.alias,
            announce: true,
            ask,
            prompt: false,
        };
        match self.outbox.offer(heading, event, item, gate, terms) {
            Ok(sent) => sent.is_some(),
            Err(error) => {
                item.complaints().add(&self.outbox, error);
                false
            }
        }
    }

    /// The same with an event that is counted.
    fn send_counted(
        &self,
        receipt: Receipt,
        event: &Arc<EventRecord>,
        item: &Item<'_>,
        gate: &Arc<Gate>,
        terms: &Terms,
    ) {
        let tally = Arc::clone(receipt.tally());
        let asks = self.confirms && tally.wait() != Wait::Accepted;
        let Some(session) = self.session.upgrade().filter(|_| asks) else {
            if self.send(None, event, item, gate, terms) {
                // Beyond that the client does not tell.
                receipt.accepted().into_iter().for_each(Receipt::unknown);
            }
            return;
        };
        let id = session
            .wait_for(Waiting::Asked(receipt), tally.deadline() + ANSWER_GRACE)
            .ok();
        let ask = id.map(|id| Ask::new(id, &tally));
        let is_sent = self.send(ask, event, item, gate, terms);
        match id {
            Some(id) if is_sent => session.awaited().accepted(id),
            Some(id) => session.recall(id),
            None => {}
        }
    }
}

impl Outlet for Subscriber {
    fn offer(&self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>, terms: &Terms) {
        match item.receipt(terms.policy) {
            None => drop(self.send(None, event, item, gate, terms)),
            Some(receipt) => self.send_counted(receipt, event, item, gate, terms),
        }
    }

    fn offer_burst(&self, event: &Arc<EventRecord>, burst: &Burst<'_>, gate: &Arc<Gate>, terms: &Terms) {
        if !self.outbox.offer_burst(event, burst, gate, terms) {
            burst.each(|item| self.offer(event, item, gate, terms));
        }
    }

    fn moved_to(&self, event: &Arc<EventRecord>, before: u64, number: u64) {
        self.outbox.moved_to(event, before, number);
    }

    fn knows(&self, event: &EventRecord) -> bool {
        self.outbox.knows(event)
    }

    fn announce(&self, event: &Arc<EventRecord>, number: u64) {
        // A link that cannot take it is about to end.
        let _ = self.outbox.announce(event, number);
    }

    fn settle(&self, event: &EventRecord) {
        self.outbox.settle(event.alias);
    }

    fn forget(&self, event: &Arc<EventRecord>) {
        self.outbox.forget(event);
    }

    fn has_room(&self) -> bool {
        self.outbox.has_room()
    }

    fn catch_up(&self, rest: CatchUp) {
        self.outbox.catch_up(rest);
    }

    fn close(&self) {}

    fn whose(&self) -> Option<Whose> {
        Some(Whose::Client(self.outbox.id()))
    }
}

impl Native {
    /// Answers the hello.
    pub(super) fn greet(session: &ClientSession, params: &RawJson) -> Result<Self, Refuse> {
        let hello = Hello::read(params)?;
        let shared = session
            .shared()
            .map_err(|error| Refuse::later(code::CLOSING, error.to_string()))?;
        let former = || {
            let newest = shared.instances.newest(&hello.instance)?;
            shared.client(newest).filter(|former| former.is_of(&hello.instance))
        };
        // A former link of the same program is about to make room.
        if shared.clients.len() > shared.max_clients + usize::from(former().is_some()) {
            let text = format!(
                "{} clients are connected, the most that this router takes",
                shared.max_clients
            );
            return Err(Refuse::later(code::FULL, text));
        }
        let carrier = session.outbox().carrier();
        let profile = carrier.profile();
        let offer = Offer {
            codec: carrier.codec().name().to_owned(),
            max_message: profile.max_frame as u64,
            heartbeat_ms: profile
                .heartbeat
                .map_or(0, |period| u64::try_from(period.as_millis()).unwrap_or(u64::MAX)),
            router_id: shared.router_id.clone(),
            epoch: shared.epoch,
            versions: [sig_wire::VERSION; 2],
            capabilities: abilities(),
            token: None,
        };
        let welcome = negotiate(&hello, &offer)?;
        session.set_instance(&hello.instance);
        let former = shared.instances.enter(&hello.instance, session.id());
        let former = former.and_then(|former| shared.client(former));
        if let Some(former) = former.filter(|former| former.is_of(&hello.instance)) {
            former.replaced();
        }
        session.shown().set_dialect(Dialect::Native);
        let heartbeat = Some(Duration::from_millis(welcome.heartbeat_ms)).filter(|period| !period.is_zero());
        let sent = RawJson::new(&welcome)
            .map_err(Fault::from)
            .and_then(|params| session.outbox().send(&Call::notice(methods::WELCOME, params).into()));
        sent.map_err(|error| Refuse::later(code::CLOSING, error.to_string()))?;
        session.peer().set_capabilities(&welcome.capabilities);
        let asker: Weak<dyn Recall> = session.weak();
        session.outbox().set_asker(asker);
        session
            .peer()
            .open(usize::try_from(welcome.max_message).unwrap_or(usize::MAX), heartbeat);
        session.plan(TICK);
        Ok(Self {
            subscriber: Arc::new(Subscriber {
                outbox: Arc::clone(session.outbox()),
                confirms: session.peer().confirms(),
                session: session.weak(),
            }),
            listeners: FewMap::default(),
            senders: HashMap::new(),
            aliases: FxHashMap::default(),
            stalling: None,
        })
    }

    /// The client is gone: first its listeners go, so that it is not told of its own leaving, then its senders (P59).
    pub(super) fn leave(self, session: &ClientSession, reason: Reason) {
        drop(self.listeners);
        if let Some(stalling) = &self.stalling {
            stalling.holds.release_all();
        }
        for (name, own) in self.senders {
            let owner = Owner::Client(session.id());
            // It may have been removed already.
            let _ = session
                .hub()
                .remove_sender(name.as_str(), Some(owner), Some(own.generation), reason);
        }
    }

    // --- events ---

    pub(super) fn take_burst(&mut self, session: &ClientSession, burst: Burst<'_>) -> Result<(), Fault> {
        let published = self.published(burst.alias)?;
        let cost = burst.cost();
        // The last one may go beyond the credit, and no other.
        if !published.credit.covers(burst.cost_before_last()) {
            return Err(Self::beyond_credit(published));
        }
        let copies = session
            .hub()
            .arrive_all(&published.event, Owner::Client(session.id()), burst);
        published.credit.consumed(cost, copies.unwrap_or(0));
        Ok(())
    }

    pub(super) fn take_event_frame(
        &mut self,
        session: &ClientSession,
        event: &EventFrame<'_>,
        whole: &[u8],
        memory: Option<&Bytes>,
    ) -> Result<(), Fault> {
        let published = self.published(event.header.alias)?;
        let content_type = content_type(event.ext)?;
        let item = Item::from_frame(event.header.number, whole, content_type, event.payload)
            .within(memory)
            .with_ext(event.ext);
        let cost = item.cost(whole.len(), session.outbox().peer().encoding);
        Self::publish(session, published, item, cost as u64)
    }

    pub(super) fn take_event(
        &mut self,
        session: &ClientSession,
        message: &EventMessage,
        size: usize,
    ) -> Result<(), Fault> {
        let published = self.published(message.alias)?;
        let item = Item::new(message.number, &message.payload).with_ext(&message.ext);
        let cost = item.cost(size, session.outbox().peer().encoding);
        Self::publish(session, published, item, cost as u64)
    }

    fn published(&self, alias: u32) -> Result<&Published, Fault> {
        let unknown = || Fault::Other(format!("the alias {alias} is not that of an event of this client"));
        self.aliases.get(&alias).ok_or_else(unknown)
    }

    fn beyond_credit(published: &Published) -> Fault {
        let sender = &published.event.sender.name;
        Fault::Other(format!("sender {sender} sent beyond its credit"))
    }

    fn publish(session: &ClientSession, published: &Published, item: Item<'_>, cost: u64) -> Result<(), Fault> {
        if !published.credit.covers(0) {
            return Err(Self::beyond_credit(published));
        }
        let counted = item.ask.map(|ask| (ask.id, ask.tally()));
        let item = item.with_tally(counted.as_ref().map(|(_, tally)| tally));
        let copies = session
            .hub()
            .arrive(&published.event, Owner::Client(session.id()), item);
        let is_own = copies.is_some();
        published.credit.consumed(cost, copies.unwrap_or(0));
        match counted {
            Some((id, tally)) if is_own => session.peer().confirm(id, tally),
            Some((id, _)) => session.peer().reply(
                Some(MessageId::Number(id)),
                rpc::not_own_sender(session.hub(), published.event.sender.name.as_str()),
            ),
            None => {}
        }
        Ok(())
    }

    // --- calls ---

    pub(super) fn take_call(&mut self, session: &ClientSession, call: Call) -> Result<(), Fault> {
        let Call { id, method, params } = call;
        let Some(method) = method else {
            session.peer().reply(id, Outcome::NoMethod);
            return Ok(());
        };
        let answer = match &*method {
            methods::REQUEST => match read_params::<RequestParams>(methods::REQUEST, &params) {
                Ok(params) => {
                    session.peer().run_request(session.hub(), id, params);
                    return Ok(());
                }
                Err(error) => Err(bad(error)),
            },
            methods::CANCEL => {
                if let Ok(Cancel { id }) = params.parse() {
                    session.peer().cancel(id);
                }
                return Ok(());
            }
            methods::HEARTBEAT => return Ok(()),
            STALL => {
                if let Ok(StallParams { sender }) = params.parse() {
                    let (client, now) = (session.id(), clock::now());
                    self.stalling().hold(session.hub(), client, &sender, now);
                }
                return Ok(());
            }
            RESUME => {
                if let (Ok(StallParams { sender }), Some(stalling)) = (params.parse(), &self.stalling) {
                    stalling.holds.let_go(&sender, clock::now());
                }
                return Ok(());
            }
            methods::ADD_SENDER => read_params(methods::ADD_SENDER, &params)
                .map_err(bad)
                .and_then(|params| self.add_sender(session, params)),
            methods::ADD_EVENTS => read_params(methods::ADD_EVENTS, &params)
                .map_err(bad)
                .and_then(|params| self.add_events(session, params)),
            methods::REMOVE_SENDER => read_params(methods::REMOVE_SENDER, &params)
                .map_err(bad)
                .and_then(|params| self.remove_sender(session, &params)),
            methods::ADD_LISTENER => read_params(methods::ADD_LISTENER, &params)
                .map_err(bad)
                .and_then(|params| self.add_listener(session, &params)),
            methods::REMOVE_LISTENER => read_params(methods::REMOVE_LISTENER, &params)
                .map_err(bad)
                .and_then(|params| self.remove_listener(&params)),
            methods::GET_VERSION => rpc::get_version(),
            methods::LAST => read_params(methods::LAST, &params)
                .map_err(bad)
                .and_then(|params| rpc::last(session.hub(), &params)),
            methods::LIST_SENDERS => {
                rpc::list_senders_in_turn(session, id, params);
                return Ok(());
            }
            _ => Err(Outcome::UnknownMethod),
        };
        session.shown().set_counts(self.senders.len(), self.listeners.len());
        session.peer().reply(id, answer.unwrap_or_else(|outcome| outcome));
        Ok(())
    }

    fn add_listener(&mut self, session: &ClientSession, params: &AddListener) -> Answer {
        let topic = Topic::from_parts(
            params.sender.as_ref().map(SenderName::as_str),
            params.event.as_ref().map(EventName::as_str),
        )
        .map_err(|error| failed("invalid_params", error))?;
        let Some(id) = params.listener_id else {
            return Err(failed(
                "invalid_params",
                "listener_id is missing; mint one per listener",
            ));
        };
        let known = self.listeners.get(&id);
        match known {
            Some(known) if *known.registration.topic() != topic => {
                let text = format!("listener_id {id} is in use for {}", known.registration.topic());
                return Err(failed("invalid_params", text));
            }
            // The same under other terms.
            Some(_) => {}
            None => rpc::within(rpc::MAX_LISTENERS, self.listeners.len(), 1, "listeners")
                .map_err(|text| failed("refused", text))?,
        }
        let policy = params.policy.map_or_else(Policy::default, Policy::from);
        let policy = policy.check().map_err(|error| failed("invalid_params", error))?;
        let target = Target::Outlet(Arc::clone(&self.subscriber) as _, policy);
        // A former one goes after the new one is there.
        let first = match known {
            None => First {
                last_values: true,
                snapshot: params.snapshot,
                positions: params.again || matches!(topic, Topic::Event(..)),
            },
            // Nothing is new but the terms, and who wants to know who is there.
            Some(_) => First {
                snapshot: params.snapshot && topic.event_name().is_some(),
                ..First::default()
            },
        };
        let registration = Registration::new(session.hub(), topic, target, first);
        if let Some(stalling) = &mut self.stalling {
            stalling.heard.add(registration.topic(), policy);
        }
        let former = self.listeners.insert(id, Listening { registration, policy });
        if let Some(former) = former {
            self.unheard(&former);
        }
        rpc::done(&AddListenerReply { listener_id: id })
    }

    fn remove_listener(&mut self, params: &RemoveListener) -> Answer {
        match self.listeners.remove(&params.listener_id) {
            Some(former) => {
                self.unheard(&former);
                rpc::done(&())
            }
            None => Err(failed("not_found", "Listener not found")),
        }
    }

    /// Whom its listeners make wait, worked out when that is first asked.
    fn stalling(&mut self) -> &mut Stalling {
        let listeners = self.listeners.values();
        let listeners = listeners.map(|listening| (listening.registration.topic(), listening.policy));
        self.stalling.get_or_insert_with(|| Box::new(Stalling::of(listeners)))
    }

    /// A listener is gone: it holds nobody up any more.
    fn unheard(&mut self, former: &Listening) {
        if let Some(stalling) = &mut self.stalling {
            stalling.heard.remove(former.registration.topic(), former.policy);
            stalling.holds.check(&stalling.heard, clock::now());
        }
    }
}

fn bad(error: ParamsError) -> Outcome {
    Outcome::Failed(error.into())
}
