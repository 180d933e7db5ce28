//! Calls to the router at the other end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use sig_core::{Call, CarrierError, CodecError, Outcome, RawJson, Topic};
use tokio::sync::oneshot;

use super::link::{Asker, Link};
use crate::request::{deadline_in, now};
use crate::session::methods;
use crate::session::params::{AddListener, Cancel};

/// Why a call brought no response.
#[derive(Debug)]
pub(super) enum CallError {
    /// The link is down.
    NotConnected,
    /// Too many calls wait for their reply.
    Busy,
    /// The reply did not come in time.
    TimedOut,
    /// The call cannot be sent.
    Codec(CodecError),
    /// The router says that it went wrong.
    Failed(sig_core::Failure),
    /// The router knows no such method.
    UnknownMethod,
}

/// A call that was sent.
#[derive(Debug)]
pub(super) struct PendingCall {
    link: Arc<Link>,
    id: u64,
    answer: oneshot::Receiver<Outcome>,
    deadline: Instant,
    /// Whether it runs a handler, which is cancelled when nobody waits any more.
    is_request: bool,
    answered: bool,
}

impl Link {
    /// Sends a call; its place among the others is where it was sent, not where its reply is awaited.
    pub(super) fn call<P: Serialize>(
        self: &Arc<Self>,
        method: &'static str,
        params: &P,
        timeout: Duration,
    ) -> Result<PendingCall, CallError> {
        self.call_in(method, params, timeout, None, true)
    }

    /// Asks a pysig server for a topic; it mints the listener's id.
    pub(super) fn call_for_listener(
        self: &Arc<Self>,
        params: &AddListener,
        topic: Topic,
        timeout: Duration,
    ) -> Result<PendingCall, CallError> {
        self.call_in(methods::ADD_LISTENER, params, timeout, Some(topic), true)
    }

    /// As [`call`](Self::call), but behind the events that wait.
    pub(super) fn call_in_order<P: Serialize>(
        self: &Arc<Self>,
        method: &'static str,
        params: &P,
        timeout: Duration,
    ) -> Result<PendingCall, CallError> {
        self.call_in(method, params, timeout, None, false)
    }

    fn call_in<P: Serialize>(
        self: &Arc<Self>,
        method: &'static str,
        params: &P,
        timeout: Duration,
        topic: Option<Topic>,
        ahead: bool,
    ) -> Result<PendingCall, CallError> {
        let params = RawJson::new(params).map_err(CallError::Codec)?;
        let deadline = deadline_in(timeout);
        let (asker, answer) = oneshot::channel();
        let id = self
            .replies()
            .insert(Asker::Call { answer: asker, topic }, deadline)
            .map_err(|_| CallError::Busy)?;
        let is_request = method == methods::REQUEST;
        let pending = PendingCall {
            link: Arc::clone(self),
            id,
            answer,
            deadline,
            is_request,
            answered: false,
        };
        let message = Call::new(id, method, params).into();
        let sent = match (is_request, ahead) {
            (true, _) => self.outbox().send_promptly(&message),
            (false, true) => self.outbox().send(&message),
            (false, false) => self.outbox().send_in_order(&message),
        };
        match sent {
            Ok(()) => Ok(pending),
            Err(CarrierError::Codec(error)) => Err(CallError::Codec(error)),
            Err(_) => Err(CallError::NotConnected),
        }
    }

    /// Sends a call that wants no reply.
    pub(super) fn notify<P: Serialize>(&self, method: &'static str, params: &P) {
        if let Ok(params) = RawJson::new(params) {
            // A link that is about to end needs no notices.
            let _ = self.outbox().send(&Call::notice(method, params).into());
        }
    }
}

impl PendingCall {
    /// Waits for the response.
    pub(super) async fn response(mut self) -> Result<RawJson, CallError> {
        let outcome = tokio::time::timeout_at(self.deadline.into(), &mut self.answer).await;
        self.answered = matches!(outcome, Ok(Ok(_)));
        match outcome {
            Err(_) => Err(CallError::TimedOut),
            // The link's own look at the deadlines came first.
            Ok(Err(_)) if self.deadline <= now() => Err(CallError::TimedOut),
            Ok(Err(_)) => Err(CallError::NotConnected),
            Ok(Ok(Outcome::Done(response))) => Ok(response),
            Ok(Ok(Outcome::Failed(failure))) => Err(CallError::Failed(failure)),
            Ok(Ok(Outcome::UnknownMethod | Outcome::NoMethod)) => Err(CallError::UnknownMethod),
        }
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        // Also where the link's own look at the deadlines was the first to give it up.
        self.link.replies().take(self.id);
        if self.answered || !self.is_request {
            return;
        }
        if self.link.is_pysig() {
            self.link.outbox().drop_call(self.id);
        } else {
            self.link.notify(methods::CANCEL, &Cancel { id: self.id });
        }
    }
}
