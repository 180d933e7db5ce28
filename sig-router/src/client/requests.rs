//! Requests to remote senders, and questions to the router itself.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde::Serialize;
use sig_core::{EventName, NameError, Payload, RawJson, SenderName};

use super::ClientRouter;
use super::call::CallError;
use super::link::Link;
use super::shared::Shared;
use super::state::LinkState;
use crate::clock;
use crate::error::{AddSenderError, RequestError};
use crate::event::{Event, EventId};
use crate::request::DEFAULT_TIMEOUT;
use crate::router::PendingRequest;
use crate::session::params::{LastParams, LastReply, ListSenders, ListedSender, RequestParams};
use crate::session::{methods, read_response};

/// How long a request waits for a link, within its deadline.
const LINK_PATIENCE: Duration = Duration::from_secs(5);

/// What the router tells of a sender (P48).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteSenderInfo {
    /// Its name; `None` for the broadcast sender, which stands for all of them.
    pub name: Option<SenderName>,
    /// Whether it is there; if not, listeners wait for it.
    pub connected: bool,
    /// Its events, if they were asked for; `None` among them stands for all of them.
    pub events: Vec<Option<EventName>>,
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotConnected => f.write_str("not connected to the router"),
            Self::Busy => f.write_str("too many calls are under way"),
            Self::TimedOut => f.write_str("the router did not answer in time"),
            Self::Codec(error) => error.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
            Self::UnknownMethod => f.write_str("the router knows no such method"),
        }
    }
}

impl CallError {
    fn into_request_error(self, sender: &str, method: &str, timeout: Duration) -> RequestError {
        match self {
            Self::NotConnected => RequestError::NotConnected,
            Self::Busy => RequestError::Busy,
            Self::TimedOut => RequestError::TimedOut { after: timeout },
            Self::Codec(error) => error.into(),
            Self::Failed(failure) => RequestError::from_failure(&failure, sender, method, timeout),
            Self::UnknownMethod => RequestError::Refused("the router knows no such method".to_owned()),
        }
    }
}

impl AddSenderError {
    /// The refusal of a router, which says so in pysig's words.
    pub(super) fn from_refusal(name: &SenderName, text: String) -> Self {
        if text.ends_with("is already connected") {
            return Self::NameTaken { name: name.to_string() };
        }
        Self::Refused(text)
    }
}

impl Shared {
    /// The link, once everything is registered over it; waits for it within the deadline, but not for long.
    async fn ready_link(&self, timeout: Duration) -> Result<Arc<Link>, RequestError> {
        let mut states = self.states.subscribe();
        let ready = async {
            loop {
                match &*states.borrow_and_update() {
                    LinkState::Refused { .. } | LinkState::Closed => return None,
                    LinkState::Connected => {
                        if let Some(link) = self.link() {
                            return Some(link);
                        }
                    }
                    LinkState::Connecting | LinkState::Waiting { .. } => {}
                }
                states.changed().await.ok()?;
            }
        };
        let patience = timeout.min(LINK_PATIENCE);
        tokio::time::timeout(patience, ready)
            .await
            .ok()
            .flatten()
            .ok_or(RequestError::NotConnected)
    }

    /// Asks the router itself.
    async fn ask<P: Serialize>(&self, method: &'static str, params: &P) -> Result<RawJson, RequestError> {
        let link = self.ready_link(DEFAULT_TIMEOUT).await?;
        let answer = match link.call(method, params, DEFAULT_TIMEOUT) {
            Ok(pending) => pending.response().await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| error.into_request_error("", method, DEFAULT_TIMEOUT))
    }
}

impl ClientRouter {
    /// Asks a remote sender; await the result. The deadline is ten seconds unless set otherwise, and travels along.
    ///
    /// While there is no link it waits for one, up to five seconds within the deadline; the handler is told what is left.
    ///
    /// # Errors
    ///
    /// Awaiting it gives a [`RequestError`]. Those of the handler's side come as they are, with text and code, over
    /// every hop; see [`Router::request`](crate::Router::request). [`NotConnected`](RequestError::NotConnected) when
    /// there is no link in time, or it is lost while the answer is waited for; [`Busy`](RequestError::Busy) at once when
    /// 256 requests of this client run already, or of all clients at the one that is asked;
    /// [`Refused`](RequestError::Refused) when a name breaks the rules.
    ///
    /// # Cancel safety
    ///
    /// Giving up the wait gives up the request: the handler at the other end is cancelled. So does the loss of the link.
    pub fn remote_request<P: Serialize + ?Sized>(
        &self,
        sender: impl Into<String>,
        method: impl Into<String>,
        params: &P,
    ) -> PendingRequest<'_> {
        let (sender, method) = (sender.into(), method.into());
        let shared = self.shared();
        PendingRequest::new(RawJson::new(params), move |params, timeout| {
            async move {
                let name = SenderName::new(&sender).map_err(|error| RequestError::Refused(error.to_string()))?;
                let began = tokio::time::Instant::now();
                let link = shared.ready_link(timeout).await?;
                let left = timeout.saturating_sub(began.elapsed());
                let deadline_ms = Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
                let params = RequestParams {
                    sender: name,
                    method: method.clone(),
                    params,
                    deadline_ms,
                };
                let answer = match link.call(methods::REQUEST, &params, left) {
                    Ok(pending) => pending.response().await,
                    Err(error) => Err(error),
                };
                answer.map_err(|error| error.into_request_error(&sender, &method, timeout))
            }
            .boxed()
        })
    }

    /// Every sender that the router knows, the broadcast sender first (P48), with their events.
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no link or the router does not answer.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn list_remote_senders(&self) -> Result<Vec<RemoteSenderInfo>, RequestError> {
        let response = self
            .shared()
            .ask(methods::LIST_SENDERS, &ListSenders { list_events: true })
            .await?;
        let listed: Vec<ListedSender> =
            read_response(methods::LIST_SENDERS, &response).map_err(|error| RequestError::Codec(error.to_string()))?;
        let info = |listed: ListedSender| RemoteSenderInfo {
            name: listed.sender,
            connected: listed.connected,
            events: listed
                .events
                .unwrap_or_default()
                .into_iter()
                .map(|listed| listed.event)
                .collect(),
        };
        Ok(listed.into_iter().map(info).collect())
    }

    /// The last value of a remote sender's event that keeps it, without listening; see
    /// [`Router::last`](crate::Router::last).
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no link, the router does not answer, or it is pysig's, which keeps none.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn last_remote(
        &self,
        sender: impl AsRef<str>,
        event: impl AsRef<str>,
    ) -> Result<Option<Event<'static>>, RequestError> {
        let refused = |error: NameError| RequestError::Refused(error.to_string());
        let params = LastParams {
            sender: SenderName::new(sender.as_ref()).map_err(refused)?,
            event: EventName::new(event.as_ref()).map_err(refused)?,
        };
        let response = self.shared().ask(methods::LAST, &params).await?;
        let reply: Option<LastReply> =
            read_response(methods::LAST, &response).map_err(|error| RequestError::Codec(error.to_string()))?;
        let id = EventId {
            sender: params.sender,
            event: params.event,
        };
        Ok(reply.map(|reply| {
            let payload = Payload::from_json_text(reply.data.text().to_owned());
            let since = clock::now().checked_sub(Duration::from_millis(reply.age_ms));
            let since = since.or_else(|| Some(clock::now()));
            Event::packed(Arc::new(id), reply.number, payload).with_retained(since)
        }))
    }

    /// The version of the protocol that the router speaks towards pysig peers (P47).
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no link or the router does not answer.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn remote_version(&self) -> Result<String, RequestError> {
        let response = self.shared().ask(methods::GET_VERSION, &serde_json::json!({})).await?;
        Ok(response.parse()?)
    }
}
