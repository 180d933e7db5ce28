//! The peer's calls, answered.

use std::sync::Arc;
use std::time::Duration;

use sig_core::{MessageId, Outcome, Reply};
use tokio::sync::OwnedSemaphorePermit;

use super::asked::{Asked, Running};
use super::{MAX_RUNNING, Peer};
use crate::error::RequestError;
use crate::hub::Hub;
use crate::pressure::Gate;
use crate::request::{Answer, Question, Requests};
use crate::router::within;
use crate::session::params::RequestParams;
use crate::turns::Turns;

/// What is waited for less than this is given up to the millisecond, by a timer of its own.
const LEAST_PASSED_ON: Duration = Duration::from_secs(1);

/// How long a goodbye waits for requests that still run.
const LAST_REQUESTS: Duration = Duration::from_millis(500);

impl Peer {
    /// Answers a call, if it wants an answer.
    pub(crate) fn reply(&self, id: Option<MessageId>, outcome: Outcome) {
        let Some(id) = id else { return };
        let reply = Reply {
            id: id.clone(),
            outcome,
        };
        if let Err(error) = self.outbox.send_promptly(&reply.into()) {
            // It may be too large for the peer; a few words never are.
            let failure = RequestError::Codec(error.to_string()).to_failure();
            let _ = self.outbox.send(
                &Reply {
                    id,
                    outcome: Outcome::Failed(failure),
                }
                .into(),
            );
        }
    }

    /// Leave to run something in the background for this peer, if it does not have too much of that.
    pub(crate) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.work().requests).try_acquire_owned().ok()
    }

    /// Works out the answer to a call in the background: where it takes long, others have their turn in between.
    pub(crate) fn answer_in_turn(
        self: &Arc<Self>,
        id: Option<MessageId>,
        answer: impl FnOnce() -> Outcome + Send + 'static,
    ) {
        let Some(permit) = self.permit() else {
            return self.reply(id, Outcome::Failed(RequestError::Busy.to_failure()));
        };
        let peer = Arc::clone(self);
        self.tasks.spawn("answer", async move {
            let outcome = answer();
            drop(permit);
            peer.reply(id, outcome);
        });
    }

    /// Answers a request of the peer to whichever sender the hub knows, sooner or later.
    ///
    /// One to another peer's sender is passed on as it is, and so is the answer, without a task that waits for it.
    pub(crate) fn run_request(self: &Arc<Self>, hub: &Arc<Hub>, id: Option<MessageId>, params: RequestParams) {
        let forward = || hub.forward_to(params.sender.as_str(), &params.method);
        let is_patient = params.timeout() >= LEAST_PASSED_ON;
        let Some(forward) = is_patient.then(forward).flatten() else {
            return self.run(id, params, hub.turns(), |question| hub.request(question));
        };
        match self.permit() {
            Some(permit) => forward.pass_on(Asked::new(self, id, permit, &params), params),
            None => self.reply(id, Outcome::Failed(RequestError::Busy.to_failure())),
        }
    }

    /// Runs a request of the peer to one sender in the background and answers it.
    pub(crate) fn run_request_to(
        self: &Arc<Self>,
        requests: &Requests,
        id: Option<MessageId>,
        params: RequestParams,
        turns: &Turns,
    ) {
        self.run(id, params, turns, |question| requests.ask(question));
    }

    fn run(
        self: &Arc<Self>,
        id: Option<MessageId>,
        params: RequestParams,
        turns: &Turns,
        ask: impl FnOnce(Question) -> Answer,
    ) {
        let Some(permit) = self.permit() else {
            return self.reply(id, Outcome::Failed(RequestError::Busy.to_failure()));
        };
        let timeout = params.timeout();
        let RequestParams {
            sender, method, params, ..
        } = params;
        let token = self.gone.child_token();
        let number = id.as_ref().and_then(MessageId::number);
        if let Some(number) = number {
            self.note_running(number, Running::Here(token.clone()));
        }
        let answer = ask(Question {
            sender,
            method,
            params,
            timeout,
            asker: token.clone(),
            turns: Some(turns.clone()),
        });
        let peer = Arc::clone(self);
        self.tasks.spawn("request", async move {
            let answer = within(timeout, answer);
            let answer = token
                .run_until_cancelled(answer)
                .await
                .unwrap_or(Err(RequestError::Cancelled));
            drop(permit);
            if let Some(number) = number {
                peer.forget_running(number);
            }
            peer.reply(
                id,
                answer.map_or_else(|error| Outcome::Failed(error.to_failure()), Outcome::Done),
            );
        });
    }

    /// Waits until nothing runs for this peer any more, but not for long; what it asks for meanwhile is answered with
    /// `busy`.
    pub(crate) async fn idle(&self) {
        let Some(work) = self.work.get() else { return };
        // The semaphore is never closed; what still runs is cut off with the link.
        let _ = tokio::time::timeout(LAST_REQUESTS, work.requests.acquire_many(MAX_RUNNING)).await;
    }

    /// Cancels a request of the peer.
    pub(crate) fn cancel(&self, id: u64) {
        let running = self.work().running.lock().remove(&id);
        if let Some(running) = running {
            running.cancel();
        }
    }

    /// Notes who works on a request of the peer.
    pub(super) fn note_running(&self, id: u64, running: Running) {
        self.work().running.lock().insert(id, running);
    }

    /// Nobody works on a request of the peer any more.
    pub(super) fn forget_running(&self, id: u64) {
        self.work().running.lock().remove(&id);
    }

    /// The peer is gone: nobody waits for the answers.
    pub(super) fn give_up_all(&self) {
        let Some(work) = self.work.get() else { return };
        let running = std::mem::take(&mut *work.running.lock());
        running.into_values().for_each(Running::cancel);
    }

    /// Answers a call once the gate is open, or this much time has passed: at once if it is open now.
    pub(crate) fn reply_when_open(
        self: &Arc<Self>,
        id: Option<MessageId>,
        outcome: Outcome,
        gate: Arc<Gate>,
        patience: Duration,
        permit: OwnedSemaphorePermit,
    ) {
        if gate.is_open() {
            return self.reply(id, outcome);
        }
        let open = async move {
            // In vain or not, the peer gets its answer.
            let _ = tokio::time::timeout(patience, wait_open(&gate)).await;
        };
        self.reply_after(id, outcome, open, permit);
    }

    /// Answers a call once the future is done.
    pub(crate) fn reply_after(
        self: &Arc<Self>,
        id: Option<MessageId>,
        outcome: Outcome,
        ready: impl Future<Output = ()> + Send + 'static,
        permit: OwnedSemaphorePermit,
    ) {
        let peer = Arc::clone(self);
        self.tasks.spawn("signal", async move {
            let _ = peer.gone.run_until_cancelled(ready).await;
            drop(permit);
            peer.reply(id, outcome);
        });
    }
}

pub(crate) async fn wait_open(gate: &Gate) {
    loop {
        let opened = gate.opened();
        if gate.is_open() {
            return;
        }
        opened.await;
    }
}
