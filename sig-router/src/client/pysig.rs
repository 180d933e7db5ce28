//! A link to pysig's own server.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use sig_core::{
    Call, CarrierError, CodecError, EventName, Message, MessageId, Outcome, Payload, RawJson, SenderName, Topic,
};

use super::link::{Asker, Link};
use crate::clock;
use crate::confirm::Receipt;
use crate::error::RequestError;
use crate::hub::EventRecord;
use crate::outbox::PacedEvent;
use crate::outlet::Item;
use crate::pressure::Gate;
use crate::session::params::{AddListenerReply, RequestParams, SignalIn};
use crate::session::{methods, read_params};

/// How long an event may wait for its answer in all.
const EVENT_DEADLINE: Duration = Duration::from_secs(600);

/// How long a signal may wait for listeners that have no room before it is answered.
const SIGNAL_PATIENCE: Duration = Duration::from_secs(9);

/// What is special about a link to pysig's own server: it mints the ids of listeners.
#[derive(Debug, Default)]
pub(super) struct PysigServer {
    listeners: Mutex<HashMap<u64, Topic>>,
}

#[derive(Serialize)]
struct SignalOut<'a> {
    info: InfoOut<'a>,
    data: RawJson,
}

#[derive(Serialize)]
struct InfoOut<'a> {
    sender: &'a SenderName,
    event: &'a EventName,
}

impl PysigServer {
    /// The server answered a registration. To be told before anything else that it sent is looked at. Gives the id back
    /// when it is one too many: the topic is not wanted any more, or was registered meanwhile.
    pub(super) fn registered(&self, topic: Topic, response: &RawJson, wanted: bool) -> Option<u64> {
        let AddListenerReply { listener_id } = response.parse().ok()?;
        let mut listeners = self.listeners.lock();
        if !wanted || listeners.values().any(|other| *other == topic) {
            return Some(listener_id);
        }
        listeners.insert(listener_id, topic);
        None
    }

    /// The server's id of this topic's listener, which is not wanted any more.
    pub(super) fn forget_listener(&self, topic: &Topic) -> Option<u64> {
        let mut listeners = self.listeners.lock();
        let id = listeners.iter().find(|(_, other)| *other == topic).map(|(id, _)| *id)?;
        listeners.remove(&id);
        Some(id)
    }

    /// Sends an event as a call; false if it was lost.
    pub(super) fn send_event(
        &self,
        link: &Arc<Link>,
        receipt: &Cell<Option<Receipt>>,
        event: &EventRecord,
        item: &Item<'_>,
        gate: &Arc<Gate>,
    ) -> Result<bool, CodecError> {
        let info = InfoOut {
            sender: &event.sender.name,
            event: event.name(),
        };
        let params = SignalOut {
            info,
            data: RawJson::from_text(item.payload().json_text()?)?,
        };
        let asker = Asker::Event(receipt.take());
        let Ok(id) = link.replies().insert(asker, clock::now() + EVENT_DEADLINE) else {
            return Ok(false);
        };
        let message = Message::Call(Call::new(id, methods::SIGNAL, RawJson::new(&params)?));
        let mut document = bytes::BytesMut::new();
        let outbox = link.outbox();
        let packed = outbox.carrier().pack(outbox.peer(), &message, &mut document);
        let event = PacedEvent {
            id,
            document: document.freeze(),
            retry_until: None,
        };
        let sent = packed.and_then(|()| outbox.offer_call(event, item.presence, gate));
        if !matches!(sent, Ok(true)) {
            receipt.set(link.take_back(id));
        }
        sent
    }

    pub(super) fn take_call(&self, link: &Link, call: Call) -> Result<(), CarrierError> {
        let Call { id, method, params } = call;
        link.outbox().called(clock::now());
        // pysig answers whatever it gets, with the id it got, or null (P39); so do we.
        let id = Some(id.unwrap_or_else(|| MessageId::Other(RawJson::null())));
        match method.as_deref() {
            None => link.peer().reply(id, Outcome::NoMethod),
            Some(methods::SIGNAL) => match read_params::<SignalIn>(methods::SIGNAL, &params) {
                Ok(signal) => self.take_signal(link, id, &signal),
                Err(error) => link.peer().reply(id, Outcome::Failed(error.into())),
            },
            Some(methods::REQUEST) => match read_params::<RequestParams>(methods::REQUEST, &params) {
                Ok(params) => link.run_request(id, params),
                Err(error) => link.peer().reply(id, Outcome::Failed(error.into())),
            },
            Some(_) => link.peer().reply(id, Outcome::UnknownMethod),
        }
        Ok(())
    }

    /// Hands an event to the listeners of the topic that it was sent for, and answers when they have room for the next.
    fn take_signal(&self, link: &Link, id: Option<MessageId>, signal: &SignalIn) {
        let listener = signal.listener();
        let topic = listener.and_then(|listener| self.listeners.lock().get(&listener).cloned());
        let (Some(topic), Some(event)) = (topic, &signal.info.event) else {
            let text = format!(
                "listener id {} not found",
                signal.listener_id.as_ref().map_or("null", RawJson::text)
            );
            let failure = RequestError::HandlerFailed { code: None, text }.to_failure();
            return link.peer().reply(id, Outcome::Failed(failure));
        };
        let remote = &link.shared().remote;
        let event = remote.event(&signal.info.sender, event);
        let payload = Payload::from_json_text(signal.data.text().to_owned());
        // pysig does not number its events.
        let item = Item::new(event.next_number(), &payload).marked_presence(event.name().is_presence());
        if event.name().as_str() == sig_core::DISCONNECT {
            drop(event.sender.forget_last());
        }
        remote.spread_in(&topic, &event, &item);
        let (gate, done) = (Arc::clone(&event.sender.gate), Outcome::Done(RawJson::null()));
        match link.peer().permit() {
            Some(permit) => link.peer().reply_when_open(id, done, gate, SIGNAL_PATIENCE, permit),
            None => link.peer().reply(id, done),
        }
    }
}
