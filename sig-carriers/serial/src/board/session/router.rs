//! What the board's client says to the router, and is told.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use sig_core::{Call, Disconnect, EventMessage, EventName, Message, MessageId, Outcome, Payload, RawJson, Reply};
use tokio::time::Instant;

use super::{Out, Session};
use crate::board::asks::Ask;

/// How long a request may take whose deadline is not said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// When the router is asked again that said no.
const PAUSE: Duration = Duration::from_secs(1);

/// What an event costs beside its data.
const EVENT_COST: u64 = sig_wire::event::HEAD_LEN as u64;

/// Where the board stands at the router.
#[derive(Debug, Default)]
pub(super) struct Link {
    stage: Stage,
    /// No sooner than this it is let in again.
    not_before: Option<Instant>,
    last_call: u64,
    granted: u64,
    spent: u64,
    /// More events are being declared, with this call.
    declaring: Option<u64>,
    /// Why the router does not take it, for people.
    refusal: Option<String>,
    heartbeat: Option<Duration>,
    /// When something went to the router last.
    spoke: Option<Instant>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    /// It is no client.
    #[default]
    Away,
    /// It is about to be one.
    Entering,
    /// Its sender is being added, with this call.
    Adding(u64),
    /// Its sender is there.
    Here,
    /// Its sender was refused, and is added again then.
    Refused(Instant),
}

impl Link {
    pub(super) fn is_away(&self) -> bool {
        self.stage == Stage::Away
    }

    pub(super) fn is_here(&self) -> bool {
        self.stage == Stage::Here
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.stage, Stage::Refused(_) | Stage::Away)
    }

    fn next_call(&mut self) -> u64 {
        self.last_call += 1;
        self.last_call
    }
}

#[derive(Deserialize)]
struct Added {
    aliases: BTreeMap<EventName, u32>,
    credit: u64,
}

#[derive(Deserialize)]
struct Granted {
    granted: u64,
}

#[derive(Deserialize)]
struct Welcome {
    #[serde(default)]
    heartbeat_ms: u64,
}

#[derive(Deserialize)]
struct Asked {
    method: String,
    #[serde(default)]
    params: RawJson,
    deadline_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Cancelled {
    id: u64,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    text: String,
}

impl Session {
    /// Wants the board to be a client, if it is none.
    pub(super) fn enter(&mut self, now: Instant) {
        if self.link.is_away() && self.link.not_before.is_none_or(|at| at <= now) {
            self.link.stage = Stage::Entering;
            self.out.push_back(Out::Enter);
        }
    }

    /// The board is a client now.
    pub(crate) fn admitted(&mut self, now: Instant) {
        let instance = format!("{:032x}", fastrand::u128(..));
        self.link = Link {
            stage: Stage::Entering,
            ..Link::default()
        };
        self.notice(
            "hello",
            &json!({"versions": [sig_wire::VERSION, sig_wire::VERSION], "codec": "json", "instance": instance}),
        );
        self.link.spoke = Some(now);
        self.add();
    }

    /// The router does not let the board in.
    pub(crate) fn turned_away(&mut self, why: &str, now: Instant) {
        self.leave_quietly();
        self.link.not_before = Some(now + PAUSE);
        self.link.refusal = Some(why.to_owned());
    }

    /// Why the router does not have the board's sender, although the board is there.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.link.refusal.as_deref()
    }

    /// Whether the board is a sender at the router.
    pub(crate) fn is_there(&self) -> bool {
        self.link.is_here()
    }

    /// The board is not there any more.
    pub(crate) fn end(&mut self, why: Disconnect) {
        if !self.link.is_away() {
            self.leave(why);
        }
    }

    /// The name of the sender that the board is.
    pub(crate) fn name(&self) -> &sig_core::SenderName {
        &self.name
    }

    /// The router ended the client.
    pub(crate) fn let_go(&mut self, now: Instant) {
        self.leave_quietly();
        self.link.not_before = Some(now + PAUSE);
    }

    pub(super) fn leave(&mut self, why: Disconnect) {
        self.leave_quietly();
        self.out.push_back(Out::Leave(why));
    }

    fn leave_quietly(&mut self) {
        self.link = Link::default();
        self.asks.clear();
        self.drop_pending();
        self.events.values_mut().for_each(|known| known.alias = None);
    }

    /// What waits is lost; that shows, since its numbers are used up.
    fn drop_pending(&mut self) {
        self.counts.lost += self.pending.len() as u64;
        self.pending.clear();
    }

    /// Something from the router.
    pub(crate) fn message(&mut self, message: Message, now: Instant) {
        match message {
            Message::Call(call) => self.called(call, now),
            Message::Reply(reply) => self.replied(reply, now),
            // It has no listeners.
            Message::Event(_) => {}
        }
    }

    fn called(&mut self, call: Call, now: Instant) {
        let params = &call.params;
        match (call.method.as_deref(), call.id) {
            (Some("welcome"), _) => {
                let period = params.parse::<Welcome>().map_or(0, |welcome| welcome.heartbeat_ms);
                self.link.heartbeat = Some(Duration::from_millis(period)).filter(|period| !period.is_zero());
            }
            (Some("credit"), _) => {
                if let Ok(Granted { granted }) = params.parse() {
                    self.link.granted = self.link.granted.max(granted);
                }
            }
            (Some("request"), Some(id)) => self.asked(id, params, now),
            (Some("cancel"), _) => {
                if let Ok(Cancelled { id }) = params.parse() {
                    self.asks.cancel(id);
                }
            }
            (Some(end @ ("refuse" | "goodbye")), _) => {
                let text = params.parse::<Said>().map_or_else(|_| String::new(), |said| said.text);
                self.leave(Disconnect::closed());
                self.link.not_before = Some(now + PAUSE);
                self.link.refusal = (end == "refuse").then_some(text);
            }
            (_, Some(id)) => self.reply(id, Outcome::UnknownMethod),
            (_, None) => {}
        }
    }

    fn asked(&mut self, call: MessageId, params: &RawJson, now: Instant) {
        let Asked {
            method,
            params,
            deadline_ms,
        } = match params.parse() {
            Ok(asked) => asked,
            Err(error) => {
                let failure = sig_core::Failure::new("invalid_params", error.to_string());
                return self.reply(call, Outcome::Failed(failure));
            }
        };
        let timeout = deadline_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
        let ask = Ask {
            call,
            method,
            params,
            timeout,
            // One that is never due.
            deadline: now
                .checked_add(timeout)
                .unwrap_or(now + Duration::from_secs(365 * 24 * 3600)),
        };
        self.asks.ask(ask, now, &mut self.out);
    }

    fn replied(&mut self, reply: Reply, now: Instant) {
        let Some(id) = reply.id.number() else { return };
        let is_adding = self.link.stage == Stage::Adding(id);
        let is_declaring = self.link.declaring == Some(id);
        if !is_adding && !is_declaring {
            return;
        }
        if is_declaring {
            self.link.declaring = None;
        }
        let added = match reply.outcome {
            Outcome::Done(response) => response.parse::<Added>().map_err(|error| error.to_string()),
            Outcome::Failed(failure) => Err(failure.text),
            Outcome::UnknownMethod | Outcome::NoMethod => Err("the router knows no such call".to_owned()),
        };
        match added {
            Ok(added) => {
                for (name, alias) in added.aliases {
                    if let Some(known) = self.events.get_mut(&name) {
                        known.alias = Some(alias);
                    }
                }
                if is_adding {
                    self.link.stage = Stage::Here;
                    self.link.refusal = None;
                    (self.link.granted, self.link.spent) = (added.credit, 0);
                }
                self.send_pending();
                self.declare();
            }
            Err(why) => {
                self.drop_pending();
                self.link.refusal = Some(why);
                if is_adding {
                    self.link.stage = Stage::Refused(now + PAUSE);
                } else {
                    // These cannot be declared; with the next hello they may.
                    self.events.retain(|_, known| known.alias.is_some());
                }
            }
        }
    }

    /// Takes the sender back: it has another name, or answers other requests.
    pub(super) fn withdraw(&mut self) {
        let was_there = matches!(self.link.stage, Stage::Here | Stage::Adding(_));
        if was_there {
            let sender = self.name.clone();
            self.call("remove_sender", &json!({"sender": sender}));
        }
        if was_there || matches!(self.link.stage, Stage::Refused(_)) {
            self.drop_pending();
            self.link.declaring = None;
            self.events.values_mut().for_each(|known| known.alias = None);
            self.link.stage = Stage::Entering;
        }
    }

    /// Adds the sender.
    fn add(&mut self) {
        let mut params = self.declaration(|_| true);
        if let (Some(methods), Some(params)) = (&self.methods, params.as_object_mut()) {
            params.insert("requests".to_owned(), json!(methods));
        }
        self.known_there = true;
        let id = self.call("add_sender", &params);
        self.link.stage = Stage::Adding(id);
    }

    /// Declares what the router does not know yet, when it may be asked.
    pub(super) fn declare(&mut self) {
        match self.link.stage {
            Stage::Entering if self.link.spoke.is_some() => self.add(),
            Stage::Here if self.link.declaring.is_none() && self.has_unknown() => {
                let params = self.declaration(|known| known.alias.is_none());
                self.link.declaring = Some(self.call("add_events", &params));
            }
            _ => {}
        }
    }

    /// Whether the router does not know how to take one of its events.
    fn has_unknown(&self) -> bool {
        self.events.values().any(|known| known.alias.is_none())
    }

    /// Those events, and where their numbers are.
    fn declaration(&self, which: impl Fn(&super::Known) -> bool) -> serde_json::Value {
        let mut numbers = BTreeMap::new();
        let events: Vec<_> = self.events.iter().filter(|(_, known)| which(known)).collect();
        for (name, known) in &events {
            let first = self.pending.iter().find(|pending| pending.name == **name);
            let number = first.map_or(known.number, |first| first.before);
            if number > 0 {
                numbers.insert(*name, number);
            }
        }
        let events: Vec<_> = events.into_iter().map(|(name, _)| name).collect();
        json!({"sender": self.name, "events": events, "series": self.series, "numbers": numbers})
    }

    fn send_pending(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            match self.events.get(&pending.name).and_then(|known| known.alias) {
                Some(alias) => self.send(alias, pending.number, pending.payload),
                None => self.pending.push_back(pending),
            }
        }
    }

    /// Sends an event, if the router has room for it.
    pub(super) fn send(&mut self, alias: u32, number: u64, payload: Payload) {
        if self.link.spent >= self.link.granted {
            self.counts.lost += 1;
            return;
        }
        self.link.spent += EVENT_COST + payload.len() as u64;
        self.counts.events += 1;
        let event = EventMessage {
            alias,
            number,
            ext: Bytes::new(),
            payload,
        };
        self.out.push_back(Out::Router(event.into()));
    }

    fn call(&mut self, method: &'static str, params: &serde_json::Value) -> u64 {
        let id = self.link.next_call();
        let call = Call::new(id, method, RawJson::new(params).unwrap_or_default());
        self.out.push_back(Out::Router(call.into()));
        id
    }

    fn notice(&mut self, method: &'static str, params: &serde_json::Value) {
        let call = Call::notice(method, RawJson::new(params).unwrap_or_default());
        self.out.push_back(Out::Router(call.into()));
    }

    fn reply(&mut self, id: MessageId, outcome: Outcome) {
        self.out.push_back(Out::Router(Reply { id, outcome }.into()));
    }

    pub(super) fn tick_link(&mut self, now: Instant) {
        if matches!(self.link.stage, Stage::Refused(again) if again <= now) {
            self.add();
        }
        if self.heartbeat_at().is_some_and(|at| at <= now) {
            self.notice("heartbeat", &serde_json::Value::Null);
            self.link.spoke = Some(now);
        }
    }

    pub(super) fn link_deadline(&self) -> Option<Instant> {
        let again = match self.link.stage {
            Stage::Refused(again) => Some(again),
            _ => None,
        };
        again.into_iter().chain(self.heartbeat_at()).min()
    }

    fn heartbeat_at(&self) -> Option<Instant> {
        self.link.spoke?.checked_add(self.link.heartbeat?)
    }
}
