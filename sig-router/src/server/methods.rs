//! What both dialects answer alike.

use std::sync::Arc;

use serde::Serialize;
use sig_core::{MessageId, Outcome, RawJson};

use super::client::{ClientSession, failed};
use crate::error::{AddSenderError, RequestError};
use crate::hub::Hub;
use crate::session::params::{LastParams, LastReply, ListSenders, ListedEvent, ListedSender};

/// The version of the protocol towards pysig peers (P47).
pub(super) const VERSION: &str = "1.01";

/// Most listeners of one client.
pub(super) const MAX_LISTENERS: usize = 64 * 1024;

/// Most senders of one client.
pub(super) const MAX_SENDERS: usize = 64 * 1024;

/// Most events that the senders of one client declare, all together.
pub(super) const MAX_EVENTS: usize = 128 * 1024;

/// Whether a client that has so many of something may have so many more.
pub(super) fn within(most: usize, has: usize, more: usize, what: &str) -> Result<(), String> {
    if has.saturating_add(more) > most {
        return Err(format!("this client has {has} {what}; {most} are the most"));
    }
    Ok(())
}

/// The answer to a call: both sides are outcomes, so that `?` leaves early.
pub(super) type Answer = Result<Outcome, Outcome>;

/// A response.
pub(super) fn done<T: Serialize>(response: &T) -> Answer {
    let response = RawJson::new(response).map_err(|error| Outcome::Failed(RequestError::from(error).to_failure()))?;
    Ok(Outcome::Done(response))
}

pub(super) fn get_version() -> Answer {
    done(&VERSION)
}

/// The last value of an event, or null.
pub(super) fn last(hub: &Hub, params: &LastParams) -> Answer {
    let Some(event) = hub.last(params.sender.as_str(), params.event.as_str()) else {
        return done(&());
    };
    let text = event.payload().and_then(|payload| {
        let text = payload.json_text()?;
        RawJson::from_text(text.into_owned())
    });
    let age = event.retained().unwrap_or_default();
    done(&LastReply {
        number: event.number(),
        age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        data: text.map_err(|error| failed("codec", error))?,
    })
}

/// Answers with [`list_senders`], which takes long where there are many.
pub(super) fn list_senders_in_turn(session: &ClientSession, id: Option<MessageId>, params: RawJson) {
    let hub = Arc::clone(session.hub());
    session.peer().answer_in_turn(id, move || {
        list_senders(&hub, &params).unwrap_or_else(|outcome| outcome)
    });
}

/// Every sender, the broadcast sender among them, and with `list_events` its events (P48).
fn list_senders(hub: &Hub, params: &RawJson) -> Answer {
    let params: ListSenders = if params.is_null() {
        ListSenders::default()
    } else {
        params.parse().map_err(|error| failed("malformed", error))?
    };
    let everyone = ListedEvent { event: None };
    let mut listed = vec![ListedSender {
        sender: None,
        connected: true,
        events: params.list_events.then(|| {
            let channels = hub
                .channels()
                .into_iter()
                .map(|event| ListedEvent { event: Some(event) });
            std::iter::once(everyone.clone()).chain(channels).collect()
        }),
    }];
    listed.extend(hub.senders().into_iter().map(|info| ListedSender {
        sender: Some(info.name),
        connected: info.connected,
        events: params.list_events.then(|| {
            let events = info.events.into_iter().map(|event| ListedEvent { event: Some(event) });
            std::iter::once(everyone.clone()).chain(events).collect()
        }),
    }));
    done(&listed)
}

/// Why a sender was not added.
pub(super) fn refused_sender(error: &AddSenderError) -> Outcome {
    let code = match error {
        AddSenderError::NameTaken { .. } => "name_taken",
        AddSenderError::Name(_) | AddSenderError::Empty { .. } | AddSenderError::Presence { .. } => "malformed",
        AddSenderError::Refused(_)
        | AddSenderError::TooDeep { .. }
        | AddSenderError::NoAliases
        | AddSenderError::Closed => "refused",
    };
    failed(code, error)
}

/// Why a client cannot do this to a sender: it is not there, or belongs to somebody else.
pub(super) fn not_own_sender(hub: &Hub, name: &str) -> Outcome {
    match hub.sender(name) {
        None => failed("no_such_sender", format!("sender {name} not found")),
        Some(record) if record.is_connected() => failed(
            "not_owner",
            format!("sender {name} belongs to somebody else; only its owner may do this"),
        ),
        Some(_) => failed("no_such_sender", format!("sender {name} not connected")),
    }
}
