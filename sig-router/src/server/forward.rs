//! Requests that go on to the client whose sender was asked.

use std::sync::{Arc, Weak};

use sig_core::{Call, CarrierError, Outcome, RawJson, SenderName, async_trait};
use tokio::sync::oneshot;

use super::awaited::Waiting;
use super::client::ClientSession;
use crate::error::RequestError;
use crate::peer::{Asked, Elsewhere};
use crate::request::{Forward, Request, now};
use crate::session::methods;
use crate::session::params::{Cancel, RequestParams};

/// Passes requests on to one sender of a client.
pub(super) struct ClientForward {
    session: Weak<ClientSession>,
    sender: SenderName,
    /// Whether the client must be fed slowly, so that requests wait for their turn.
    is_paced: bool,
}

impl ClientForward {
    pub(super) fn to(session: &ClientSession, sender: &SenderName) -> Arc<dyn Forward> {
        Arc::new(Self {
            session: session.weak(),
            sender: sender.clone(),
            is_paced: session.outbox().peer().pacing.is_some(),
        })
    }
}

impl ClientSession {
    /// Asks the client for another one.
    fn ask_for(self: &Arc<Self>, asked: Asked, mut params: RequestParams) {
        params.deadline_ms = Some(u64::try_from(params.timeout().as_millis()).unwrap_or(u64::MAX));
        let (note, deadline) = (asked.note(), asked.deadline());
        let id = match self.wait_for(Waiting::PassedOn(Box::new(asked)), deadline) {
            Ok(id) => id,
            Err(Waiting::PassedOn(asked)) if self.peer().ending().is_none() => return asked.fail(&RequestError::Busy),
            Err(_) => return,
        };
        let session: Arc<Self> = Arc::clone(self);
        note.elsewhere(session, id);
        if !self.awaited().has(id) {
            // The client went just now, and nobody else takes the note away.
            return note.over();
        }
        let call = RawJson::new(&params).map(|params| Call::new(id, methods::REQUEST, params));
        let sent = call
            .map_err(CarrierError::from)
            .and_then(|call| self.outbox().send_promptly(&call.into()));
        let Err(error) = sent else { return };
        match (self.awaited().take(id), error) {
            (Some(Waiting::PassedOn(asked)), CarrierError::Codec(error)) => asked.fail(&error.into()),
            // Dropped, it says that the sender is gone.
            (waiting, _) => drop(waiting),
        }
    }

    /// A reply did not come in time.
    pub(super) fn expired(&self, id: u64, waiting: Waiting) {
        if let Waiting::PassedOn(asked) = waiting {
            self.take_back(id);
            drop(asked);
        }
    }

    /// Tells the client that nobody waits for its reply any more.
    fn take_back(&self, id: u64) {
        let outbox = self.outbox();
        if outbox.peer().pacing.is_some() {
            return outbox.drop_call(id);
        }
        let params = RawJson::new(&Cancel { id }).unwrap_or_default();
        // A link that is about to end cancels it as well.
        let _ = outbox.send(&Call::notice(methods::CANCEL, params).into());
    }
}

impl Elsewhere for ClientSession {
    fn give_up(&self, id: u64) {
        if let Some(Waiting::PassedOn(asked)) = self.awaited().take(id) {
            self.take_back(id);
            asked.fail(&RequestError::Cancelled);
        }
    }
}

/// Cancels the request at the client when nobody waits for the reply any more.
struct CancelOnDrop {
    session: Arc<ClientSession>,
    id: u64,
    answered: bool,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        // Also where whoever looks after deadlines was the first to give it up.
        self.session.awaited().take(self.id);
        if !self.answered {
            self.session.take_back(self.id);
        }
    }
}

#[async_trait]
impl Forward for ClientForward {
    async fn forward(&self, request: Request) -> Result<RawJson, RequestError> {
        let sender = request.sender().clone();
        let gone = || RequestError::SenderGone {
            sender: sender.to_string(),
        };
        let session = self.session.upgrade().ok_or_else(gone)?;
        let (asker, answer) = oneshot::channel();
        let id = session
            .wait_for(Waiting::Request(asker), request.deadline())
            .map_err(|_| RequestError::Busy)?;
        let mut cancel = CancelOnDrop {
            session: Arc::clone(&session),
            id,
            answered: false,
        };
        let left = request.deadline().saturating_duration_since(now());
        let params = RequestParams {
            sender: sender.clone(),
            method: request.method().to_owned(),
            params: request.raw_params().clone(),
            deadline_ms: Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        };
        let call = Call::new(id, methods::REQUEST, RawJson::new(&params)?);
        session
            .outbox()
            .send_promptly(&call.into())
            .map_err(|error| match error {
                CarrierError::Codec(error) => RequestError::from(error),
                _ => gone(),
            })?;
        let outcome = answer.await.map_err(|_| {
            // It may have been due before the client went.
            if request.deadline() <= now() {
                let after = request.timeout();
                RequestError::TimedOut { after }
            } else {
                gone()
            }
        })?;
        cancel.answered = true;
        match outcome {
            Outcome::Done(response) => Ok(response),
            Outcome::Failed(failure) => Err(RequestError::from_failure(
                &failure,
                sender.as_str(),
                request.method(),
                request.timeout(),
            )),
            Outcome::UnknownMethod | Outcome::NoMethod => Err(RequestError::NoSuchMethod {
                sender: sender.to_string(),
                method: request.method().to_owned(),
            }),
        }
    }

    fn passes_on(&self) -> bool {
        !self.is_paced
    }

    fn pass_on(&self, asked: Asked, params: RequestParams) {
        // Dropped, it says that the sender is gone.
        if let Some(session) = self.session.upgrade() {
            session.ask_for(asked, params);
        }
    }

    fn sender_left(&self) {
        let Some(session) = self.session.upgrade() else { return };
        for (id, waiting) in session.awaited().take_asked(&self.sender) {
            session.take_back(id);
            drop(waiting);
        }
    }
}
