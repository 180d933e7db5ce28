//! What a peer asked of another one, and waits for.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sig_core::{CancellationToken, MessageId, Outcome, SenderName};
use tokio::sync::OwnedSemaphorePermit;

use super::Peer;
use crate::clock;
use crate::error::RequestError;
use crate::request::deadline_in;
use crate::session::params::RequestParams;

/// A request of a peer that runs.
pub(crate) enum Running {
    /// A task works on it.
    Here(CancellationToken),
    /// Another peer was asked for it, under this id.
    Elsewhere(Arc<dyn Elsewhere>, u64),
}

impl Running {
    pub(super) fn cancel(self) {
        match self {
            Self::Here(token) => token.cancel(),
            Self::Elsewhere(peer, id) => peer.give_up(id),
        }
    }
}

/// Who was asked for somebody else.
pub(crate) trait Elsewhere: Send + Sync {
    /// Nobody waits for this answer any more.
    fn give_up(&self, id: u64);
}

/// A request that was passed on as it came: the answer is owed to the peer that asked. Dropped before, it tells the peer
/// that the time is up or that the sender is gone.
pub(crate) struct Asked {
    peer: Arc<Peer>,
    id: Option<MessageId>,
    sender: SenderName,
    method: String,
    timeout: Duration,
    deadline: Instant,
    /// Until it is answered.
    permit: Option<OwnedSemaphorePermit>,
}

impl Asked {
    pub(super) fn new(
        peer: &Arc<Peer>,
        id: Option<MessageId>,
        permit: OwnedSemaphorePermit,
        params: &RequestParams,
    ) -> Self {
        let timeout = params.timeout();
        Self {
            peer: Arc::clone(peer),
            id,
            sender: params.sender.clone(),
            method: params.method.clone(),
            timeout,
            deadline: deadline_in(timeout),
            permit: Some(permit),
        }
    }

    pub(crate) fn sender(&self) -> &SenderName {
        &self.sender
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What notes, for the peer that asked, who works on it.
    pub(crate) fn note(&self) -> Note {
        Note {
            peer: Arc::clone(&self.peer),
            number: self.number(),
        }
    }

    /// Hands on the answer of the one that was asked. Its failures read as this router's own do.
    pub(crate) fn pass_back(mut self, outcome: Outcome) {
        let error = match outcome {
            Outcome::Done(_) => return self.settle(outcome),
            Outcome::Failed(failure) => {
                RequestError::from_failure(&failure, self.sender.as_str(), &self.method, self.timeout)
            }
            Outcome::UnknownMethod | Outcome::NoMethod => RequestError::NoSuchMethod {
                sender: self.sender.to_string(),
                method: self.method.clone(),
            },
        };
        self.fail(&error);
    }

    /// Tells the peer why there is no answer.
    pub(crate) fn fail(mut self, error: &RequestError) {
        self.settle(Outcome::Failed(error.to_failure()));
    }

    fn number(&self) -> Option<u64> {
        self.id.as_ref().and_then(MessageId::number)
    }

    fn settle(&mut self, outcome: Outcome) {
        // Given back first: who has its answer may ask again.
        if self.permit.take().is_none() {
            return;
        }
        if let Some(number) = self.number() {
            self.peer.forget_running(number);
        }
        self.peer.reply(self.id.take(), outcome);
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.permit.is_none() {
            return;
        }
        let error = if self.deadline <= clock::now() {
            RequestError::TimedOut { after: self.timeout }
        } else {
            RequestError::SenderGone {
                sender: self.sender.to_string(),
            }
        };
        self.settle(Outcome::Failed(error.to_failure()));
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asked({}.{})", self.sender, self.method)
    }
}

/// Where a peer notes who works on a request of its.
pub(crate) struct Note {
    peer: Arc<Peer>,
    number: Option<u64>,
}

impl Note {
    /// Somebody else does, so that the peer may cancel it.
    pub(crate) fn elsewhere(&self, who: Arc<dyn Elsewhere>, id: u64) {
        if let Some(number) = self.number {
            self.peer.note_running(number, Running::Elsewhere(who, id));
        }
    }

    /// Nobody does any more.
    pub(crate) fn over(&self) {
        if let Some(number) = self.number {
            self.peer.forget_running(number);
        }
    }
}
