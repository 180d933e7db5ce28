//! A client that speaks pysig's JSON.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sig_core::{
    Call, CarrierError, EventName, Failure, Message, MessageId, Outcome, Payload, RawJson, Reason, Reply, SenderName,
    Topic,
};

use super::awaited::Waiting;
use super::client::{ClientSession, Fault};
use super::forward::ClientForward;
use super::methods::{self as rpc, Answer};
use crate::clock;
use crate::confirm::{Receipt, Tally, Wait};
use crate::hub::{Added, CatchUp, EventRecord, First, NewSender, Owner, Target, new_series};
use crate::listener::Registration;
use crate::outbox::{Outbox, PacedEvent};
use crate::outlet::{Item, Outlet, Terms};
use crate::peer::wait_open;
use crate::policy::Policy;
use crate::pressure::{Gate, Whose};
use crate::request::{Requests, deadline_in};
use crate::session::methods;
use crate::session::params::{MAX_LISTED, RequestParams, methods as methods_of};

/// How long after its registration a listener may be unknown to the peer, which stores its id only once the reply has
/// been read.
const REGISTRATION: Duration = Duration::from_secs(1);

/// How long an event may wait for a pysig client in all.
const EVENT_DEADLINE: Duration = Duration::from_secs(600);

/// What pysig's server is asked for.
const METHODS: [&str; 8] = [
    methods::GET_VERSION,
    methods::LIST_SENDERS,
    methods::ADD_SENDER,
    methods::REMOVE_SENDER,
    methods::ADD_LISTENER,
    methods::REMOVE_LISTENER,
    methods::SIGNAL,
    methods::REQUEST,
];

/// How long a signal may wait for listeners before it is answered: pysig waits for ten seconds (P46).
const SIGNAL_PATIENCE: Duration = Duration::from_secs(9);

/// A client that speaks pysig's JSON: its senders and its listeners, each of which gets its own copy (P60).
#[derive(Debug, Default)]
pub(super) struct Pysig {
    /// Whether it has made a proper call.
    is_open: bool,
    listeners: HashMap<u64, Registration>,
    last_listener: u64,
    senders: HashMap<SenderName, OwnSender>,
    /// How many events these have in all.
    events: usize,
    /// The delivery of a signal that took too long, and maybe still does.
    overdue: Arc<Mutex<Option<Arc<Tally>>>>,
}

/// A sender of the client.
#[derive(Debug)]
struct OwnSender {
    generation: u64,
    events: usize,
}

/// A failed call, in pysig's way: words, and no code.
fn fail(text: impl fmt::Display) -> Outcome {
    Outcome::Failed(Failure {
        code: None,
        text: text.to_string(),
    })
}

/// The parameters of any of pysig's methods, as loose as pysig takes them.
#[derive(Debug, Default, Deserialize)]
struct Params {
    #[serde(default)]
    sender: Option<String>,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    events: Option<OneOrMany>,
    #[serde(default, deserialize_with = "methods_of")]
    requests: Option<Vec<Option<String>>>,
    #[serde(default)]
    listener_id: Option<serde_json::Value>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    params: Option<RawJson>,
    #[serde(default)]
    info: Option<Info>,
    #[serde(default)]
    data: Option<RawJson>,
}

#[derive(Debug, Deserialize)]
struct Info {
    #[serde(default)]
    sender: Option<String>,
    #[serde(default)]
    event: Option<String>,
}

/// pysig takes a list of events or a single one (P17).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Option<String>>),
    One(String),
    Other(IgnoredAny),
}

impl OneOrMany {
    fn names(self) -> Result<Vec<EventName>, Outcome> {
        let names = match self {
            Self::Many(names) => names,
            Self::One(name) => vec![Some(name)],
            Self::Other(_) => return Err(fail("Invalid arguments: events is a list of names")),
        };
        rpc::within(MAX_LISTED, 0, names.len(), "events in this call").map_err(fail)?;
        // Every sender has #connect and #disconnect; pysig lets them be declared once more.
        let declared = names
            .into_iter()
            .flatten()
            .map(EventName::new)
            .filter(|name| !name.as_ref().is_ok_and(EventName::is_presence));
        declared.collect::<Result<_, _>>().map_err(fail)
    }
}

/// One registration of a pysig client: a signal call for each event.
struct PysigListener {
    id: u64,
    registered: Instant,
    session: Weak<ClientSession>,
    outbox: Arc<Outbox>,
}

#[derive(Serialize)]
struct SignalOut<'a> {
    listener_id: u64,
    info: InfoOut<'a>,
    data: RawJson,
}

#[derive(Serialize)]
struct InfoOut<'a> {
    sender: &'a SenderName,
    event: &'a EventName,
}

impl PysigListener {
    fn send(
        &self,
        receipt: Option<Receipt>,
        event: &EventRecord,
        item: &Item<'_>,
        gate: &Arc<Gate>,
    ) -> Result<(), CarrierError> {
        let Some(session) = self.session.upgrade() else {
            return Ok(());
        };
        let params = SignalOut {
            listener_id: self.id,
            info: InfoOut {
                sender: &event.sender.name,
                event: event.name(),
            },
            data: RawJson::from_text(item.payload().json_text()?)?,
        };
        let now = clock::now();
        let Ok(id) = session.wait_for(Waiting::Event(receipt), now + EVENT_DEADLINE) else {
            return Err(CarrierError::Other("too many events wait for it".to_owned()));
        };
        let message = Message::Call(Call::new(id, methods::SIGNAL, RawJson::new(&params)?));
        let mut document = bytes::BytesMut::new();
        let packed = self.outbox.carrier().pack(self.outbox.peer(), &message, &mut document);
        let retry_until = Some(self.registered + REGISTRATION).filter(|until| *until > now);
        let event = PacedEvent {
            id,
            document: document.freeze(),
            retry_until,
        };
        let sent = packed.and_then(|()| self.outbox.offer_call(event, item.presence, gate));
        if matches!(sent, Ok(true)) {
            session.awaited().accepted(id);
        } else {
            session.awaited().take(id);
        }
        sent?;
        Ok(())
    }
}

impl Outlet for PysigListener {
    fn offer(&self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>, terms: &Terms) {
        if let Err(error) = self.send(item.receipt(terms.policy), event, item, gate) {
            self.outbox.count_lost();
            item.complaints().add(self, error);
        }
    }

    /// It is not told numbers.
    fn moved_to(&self, _: &Arc<EventRecord>, _: u64, _: u64) {}

    /// pysig knows neither last values nor who is there already.
    fn catch_up(&self, _: CatchUp) {}

    fn close(&self) {}

    fn whose(&self) -> Option<Whose> {
        Some(Whose::Client(self.outbox.id()))
    }
}

impl fmt::Debug for PysigListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, listener {}", self.outbox, self.id)
    }
}

impl Pysig {
    /// The client is gone: first its listeners go, then its senders (P59).
    pub(super) fn leave(self, session: &ClientSession, reason: Reason) {
        drop(self.listeners);
        for (name, OwnSender { generation, .. }) in self.senders {
            let owner = Owner::Client(session.id());
            // It may have been removed already.
            let _ = session
                .hub()
                .remove_sender(name.as_str(), Some(owner), Some(generation), reason);
        }
    }

    /// Every reply frees the way for the next document, whether anybody waits for it or not.
    pub(super) fn take_reply(&mut self, session: &ClientSession, reply: Reply) {
        let ready = !is_not_ready(&reply.outcome);
        let id = reply.id.number();
        let again = id.is_some_and(|id| session.outbox().answered(id, ready, clock::now()));
        if !again {
            session.awaited().answer(reply);
        }
    }

    pub(super) fn take_call(&mut self, session: &ClientSession, call: Call) -> Result<(), Fault> {
        let Call { id, method, params } = call;
        session.outbox().called(clock::now());
        // pysig answers whatever it gets, with the id it got, or null (P39).
        let id = Some(id.unwrap_or_else(|| MessageId::Other(RawJson::null())));
        let Some(method) = method else {
            session.peer().reply(id, Outcome::NoMethod);
            return Ok(());
        };
        let parsed = if params.is_null() {
            Ok(Params::default())
        } else {
            params.parse::<Params>()
        };
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                let unknown = !METHODS.contains(&&*method);
                let failed = || fail(format!("Invalid arguments: {error}"));
                let outcome = if unknown { Outcome::UnknownMethod } else { failed() };
                session.peer().reply(id, outcome);
                return Ok(());
            }
        };
        if !self.is_open && METHODS.contains(&&*method) {
            // Whoever makes a proper call may send large ones.
            self.is_open = true;
            session.peer().allow(session.outbox().peer().max_frame);
        }
        let answer = match &*method {
            methods::GET_VERSION => rpc::get_version(),
            methods::LIST_SENDERS => {
                rpc::list_senders_in_turn(session, id, params);
                return Ok(());
            }
            methods::ADD_SENDER => self.add_sender(session, parsed),
            methods::REMOVE_SENDER => self.remove_sender(session, parsed),
            methods::ADD_LISTENER => self.add_listener(session, &parsed),
            methods::REMOVE_LISTENER => self.remove_listener(parsed),
            methods::SIGNAL => {
                self.signal(session, id, parsed);
                return Ok(());
            }
            methods::REQUEST => match (parsed.sender, parsed.method) {
                (Some(sender), Some(method)) => match SenderName::new(sender) {
                    Ok(sender) => {
                        let params = parsed.params.unwrap_or_default();
                        let params = RequestParams {
                            sender,
                            method,
                            params,
                            deadline_ms: None,
                        };
                        session.peer().run_request(session.hub(), id, params);
                        return Ok(());
                    }
                    Err(error) => Err(fail(error)),
                },
                _ => Err(fail("invalid arguments, missing sender or method")),
            },
            _ => Err(Outcome::UnknownMethod),
        };
        session.shown().set_counts(self.senders.len(), self.listeners.len());
        session.peer().reply(id, answer.unwrap_or_else(|outcome| outcome));
        Ok(())
    }

    fn add_sender(&mut self, session: &ClientSession, params: Params) -> Answer {
        let (Some(sender), Some(events)) = (params.sender, params.events) else {
            return Err(fail("Invalid arguments"));
        };
        rpc::within(rpc::MAX_SENDERS, self.senders.len(), 1, "senders").map_err(fail)?;
        let name = SenderName::new(sender).map_err(fail)?;
        let events = events.names()?;
        let count = events.len();
        rpc::within(rpc::MAX_EVENTS, self.events, count, "events").map_err(fail)?;
        let requests = params
            .requests
            .map(|methods| Requests::forwarded(&methods, &ClientForward::to(session, &name)));
        let new = NewSender {
            name: name.clone(),
            events: events.into_iter().collect(),
            requests: requests.unwrap_or_default(),
            owner: Owner::Client(session.id()),
            carrier: session.carrier_name(),
            uplink: None,
            keep_last: BTreeSet::new(),
            series: new_series(),
            numbers: BTreeMap::new(),
        };
        let Added { generation, .. } = session.hub().add_sender(new).map_err(fail)?;
        self.senders.insert(
            name,
            OwnSender {
                generation,
                events: count,
            },
        );
        self.events += count;
        rpc::done(&())
    }

    fn remove_sender(&mut self, session: &ClientSession, params: Params) -> Answer {
        let Some(sender) = params.sender else {
            return Err(fail("Invalid arguments"));
        };
        let Some(OwnSender { generation, events }) = self.senders.remove(sender.as_str()) else {
            return Err(rpc::not_own_sender(session.hub(), &sender));
        };
        self.events -= events;
        let owner = Owner::Client(session.id());
        // It may have been removed already, which is what was asked for.
        let _ = session
            .hub()
            .remove_sender(&sender, Some(owner), Some(generation), Reason::Removed);
        rpc::done(&())
    }

    fn add_listener(&mut self, session: &ClientSession, params: &Params) -> Answer {
        let topic = Topic::from_parts(params.sender.as_deref(), params.event.as_deref()).map_err(fail)?;
        // pysig refuses a listener to an event that a connected sender does not declare (P10, P49).
        if let Topic::Event(sender, event) = &topic {
            if !session.hub().may_emit(sender, event) {
                return Err(fail("Failed to add to router"));
            }
        }
        rpc::within(rpc::MAX_LISTENERS, self.listeners.len(), 1, "listeners").map_err(fail)?;
        self.last_listener += 1;
        let listener = PysigListener {
            id: self.last_listener,
            registered: clock::now(),
            session: session.weak(),
            outbox: Arc::clone(session.outbox()),
        };
        let id = listener.id;
        self.listeners.insert(
            id,
            Registration::new(
                session.hub(),
                topic,
                Target::Outlet(Arc::new(listener), Policy::default()),
                First::default(),
            ),
        );
        rpc::done(&serde_json::json!({ "listener_id": id }))
    }

    fn remove_listener(&mut self, params: Params) -> Answer {
        let Some(id) = params.listener_id.filter(|id| !id.is_null()) else {
            return Err(fail("Invalid arguments"));
        };
        let removed = id.as_u64().and_then(|id| self.listeners.remove(&id));
        if removed.is_none() {
            return Err(fail("Listener not found"));
        }
        rpc::done(&())
    }

    /// Hands an event on, and answers when everyone who holds up senders has dealt with it (P63), and the others have room
    /// for the next. Whoever takes too long is waited for once, until it has caught up.
    fn signal(&self, session: &ClientSession, id: Option<MessageId>, params: Params) {
        // One that does not wait for its answers is not served faster than its listeners take.
        let Some(permit) = session.peer().permit() else {
            return session.peer().reply(id, fail("too many signals are under way"));
        };
        let tally = Tally::new(Wait::Blocking, deadline_in(SIGNAL_PATIENCE));
        let gate = match Self::publish(session, params, &tally) {
            Ok(gate) => gate,
            Err(outcome) => return session.peer().reply(id, outcome),
        };
        let done = Outcome::Done(RawJson::null());
        let waits_already = self
            .overdue
            .lock()
            .as_ref()
            .is_some_and(|overdue| !overdue.is_settled());
        if waits_already || tally.is_settled() {
            return session.peer().reply_when_open(id, done, gate, SIGNAL_PATIENCE, permit);
        }
        let overdue = Arc::clone(&self.overdue);
        let ready = async move {
            let all = async {
                wait_open(&gate).await;
                tally.settled().await;
            };
            if tokio::time::timeout(SIGNAL_PATIENCE, all).await.is_err() {
                *overdue.lock() = Some(tally);
            }
        };
        session.peer().reply_after(id, done, ready, permit);
    }

    fn publish(session: &ClientSession, params: Params, tally: &Arc<Tally>) -> Result<Arc<Gate>, Outcome> {
        let info = params.info.ok_or_else(|| fail("invalid arguments, missing info"))?;
        let name = info.sender.ok_or_else(|| fail("invalid arguments, missing sender"))?;
        let event = info.event.ok_or_else(|| fail("invalid arguments, missing event"))?;
        let Some(record) = session.hub().sender(&name) else {
            return Err(fail(format!("sender {name} not found")));
        };
        let Some(found) = record.declared(&event) else {
            return Err(if record.is_connected() {
                fail(format!("sender {name} has no event {event}"))
            } else {
                fail(format!("sender {name} not connected"))
            });
        };
        let payload = Payload::from_json_text(params.data.unwrap_or_default().text().to_owned());
        if !session
            .hub()
            .publish(&found, Owner::Client(session.id()), &payload, Some(tally))
        {
            return Err(rpc::not_own_sender(session.hub(), &name));
        }
        Ok(Arc::clone(&record.gate))
    }
}

/// Whether a pysig client says that it does not know the listener, as it does before it has read the reply to its
/// registration.
fn is_not_ready(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(failure)
        if failure.text.contains("listener id") && failure.text.contains("not found"))
}
