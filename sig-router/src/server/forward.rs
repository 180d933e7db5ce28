//! Requests that go on to the client whose sender was asked.

use std::sync::{Arc, Weak};

use sig_core::{Call, Outcome, RawJson, async_trait};
use tokio::sync::oneshot;

use super::client::{ClientSession, Waiting};
use crate::error::RequestError;
use crate::request::{Forward, Request, now};
use crate::session::methods;
use crate::session::params::{Cancel, RequestParams};

/// Passes requests on to one client.
pub(super) struct ClientForward {
    session: Weak<ClientSession>,
}

impl ClientForward {
    pub(super) fn to(session: &ClientSession) -> Arc<dyn Forward> {
        Arc::new(Self {
            session: session.weak(),
        })
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
        self.session.forget(self.id);
        if self.answered {
            return;
        }
        let outbox = self.session.outbox();
        if outbox.peer().pacing.is_some() {
            return outbox.drop_call(self.id);
        }
        let params = RawJson::new(&Cancel { id: self.id }).unwrap_or_default();
        // A link that is about to end cancels it as well.
        let _ = outbox.send(&Call::notice(methods::CANCEL, params).into());
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
            .ok_or(RequestError::Busy)?;
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
                sig_core::CarrierError::Codec(error) => RequestError::from(error),
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
}
