//! The senders of a client.

use std::collections::BTreeMap;
use std::sync::Arc;

use sig_core::{EventName, Outcome, Reason, SenderName};

use super::{Native, OwnSender, Published};
use crate::hub::{Added, MoreEventsError, NewSender, Owner, SenderRecord, new_series};
use crate::pressure::GateWatch;
use crate::request::Requests;
use crate::server::client::{ClientSession, failed};
use crate::server::credit::CreditLine;
use crate::server::forward::ClientForward;
use crate::server::methods::{self as rpc, Answer};
use crate::session::params::{AddSender, AddSenderReply, RemoveSender};

impl Native {
    pub(super) fn add_sender(&mut self, session: &ClientSession, params: AddSender) -> Answer {
        let shared = session.shared().map_err(|error| refused(error.to_string()))?;
        rpc::within(rpc::MAX_SENDERS, self.senders.len(), 1, "senders").map_err(refused)?;
        let (name, events) = (params.sender.clone(), params.events.clone());
        let series = params.series.unwrap_or_else(new_series);
        let new = self.new_sender(session, params, series)?;
        let Added { sender, generation } = session
            .hub()
            .add_sender(new)
            .map_err(|error| rpc::refused_sender(&error))?;
        let credit = CreditLine::new(
            &shared.credits,
            name.clone(),
            Arc::clone(&sender.gate),
            session.outbox(),
        );
        let credit_hook: Arc<dyn GateWatch> = credit.clone();
        sender.gate.set_watch(Some(Arc::downgrade(&credit_hook)));
        let own = OwnSender {
            generation,
            series,
            aliases: Vec::new(),
            credit,
        };
        self.senders.insert(name.clone(), own);
        self.publish_events(&name, &sender, events)
    }

    /// More events of a sender that the client added before.
    pub(super) fn add_events(&mut self, session: &ClientSession, params: AddSender) -> Answer {
        let (name, events) = (params.sender.clone(), params.events.clone());
        let not_own = || rpc::not_own_sender(session.hub(), name.as_str());
        let OwnSender { generation, series, .. } = *self.senders.get(&name).ok_or_else(not_own)?;
        let series = params.series.unwrap_or(series);
        let more = self.new_sender(session, params, series)?;
        let sender = session
            .hub()
            .add_events(&more, generation)
            .map_err(|error| match error {
                MoreEventsError::NotOwn => not_own(),
                MoreEventsError::Events(error) => rpc::refused_sender(&error),
            })?;
        self.publish_events(&name, &sender, events)
    }

    /// What a client says of a sender, as the hub takes it.
    fn new_sender(&self, session: &ClientSession, params: AddSender, series: u64) -> Result<NewSender, Outcome> {
        rpc::within(rpc::MAX_EVENTS, self.aliases.len(), params.events.len(), "events").map_err(refused)?;
        let requests = params
            .requests
            .map(|methods| Requests::forwarded(&methods, &ClientForward::to(session, &params.sender)));
        Ok(NewSender {
            name: params.sender,
            events: params.events.into_iter().collect(),
            requests: requests.unwrap_or_default(),
            owner: Owner::Client(session.id()),
            carrier: session.carrier_name(),
            uplink: None,
            keep_last: params.keep_last.into_iter().collect(),
            series,
            numbers: params.numbers,
        })
    }

    /// From here on the client may send these events of its sender. Answers under which aliases.
    fn publish_events(&mut self, name: &SenderName, sender: &SenderRecord, events: Vec<EventName>) -> Answer {
        let Some(own) = self.senders.get_mut(name) else {
            return Err(failed("no_such_sender", format!("sender {name} not found")));
        };
        let mut aliases = BTreeMap::new();
        for event in events {
            let Some(record) = sender.event(event.as_str()) else {
                continue;
            };
            let alias = record.alias;
            aliases.insert(event, alias);
            let published = Published {
                event: record,
                credit: Arc::clone(&own.credit),
            };
            let former = self.aliases.insert(alias, published);
            if former.is_none_or(|former| !Arc::ptr_eq(&former.credit, &own.credit)) {
                own.aliases.push(alias);
            }
        }
        rpc::done(&AddSenderReply {
            generation: own.generation,
            aliases,
            credit: own.credit.granted(),
        })
    }

    pub(super) fn remove_sender(&mut self, session: &ClientSession, params: &RemoveSender) -> Answer {
        let RemoveSender { sender: name } = params;
        let Some(own) = self.senders.remove(name) else {
            return Err(rpc::not_own_sender(session.hub(), name.as_str()));
        };
        for alias in &own.aliases {
            // Not if the event has a new owner entry by now.
            if self
                .aliases
                .get(alias)
                .is_some_and(|published| Arc::ptr_eq(&published.credit, &own.credit))
            {
                self.aliases.remove(alias);
            }
        }
        let owner = Owner::Client(session.id());
        let removed = session
            .hub()
            .remove_sender(name.as_str(), Some(owner), Some(own.generation), Reason::Removed);
        rpc::done(&removed.is_ok())
    }
}

fn refused(text: String) -> Outcome {
    failed("refused", text)
}
