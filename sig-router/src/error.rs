//! What can go wrong in a router.

use std::convert::Infallible;
use std::time::Duration;

use sig_core::{CarrierError, CodecError, Failure, NameError, Outcome};
use thiserror::Error;

/// A sender could not be added.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AddSenderError {
    /// A name breaks the rules.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A sender of this name is connected already (P19).
    #[error("sender {name} is already connected")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Neither events nor requests were given (P18).
    #[error("no events or requests registered for sender {name}")]
    Empty {
        /// The name.
        name: String,
    },
    /// `#connect` and `#disconnect` are emitted by the router.
    #[error("event {name} is emitted by the router for every sender; leave it out")]
    Presence {
        /// The event.
        name: String,
    },
    /// Listeners to `#connect` add senders in a circle.
    #[error("triggers are nested {limit} deep; listeners to #connect add senders in a circle")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// The router has told every alias there is to somebody; none is used for two events.
    #[error("the router has given out all of its 4294967295 aliases of events; start it anew")]
    NoAliases,
    /// The remote router refused.
    #[error("the router refused the sender: {0}")]
    Refused(String),
    /// The router is closed.
    #[error("the router is closed")]
    Closed,
}

/// A listener could not be added.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// A name breaks the rules.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The policy cannot be kept.
    #[error("no such policy: {0}")]
    Policy(String),
    /// The remote router refused.
    #[error("the router refused the listener: {0}")]
    Refused(String),
    /// The router is closed.
    #[error("the router is closed")]
    Closed,
}

impl From<Infallible> for ListenError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A sender has no such event to trigger.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The sender did not declare the event.
    #[error("sender {sender} did not declare event {event}; it has: {}", known.join(", "))]
    NoSuchEvent {
        /// The sender.
        sender: String,
        /// The event asked for.
        event: String,
        /// The events it declared.
        known: Vec<String>,
    },
    /// The event belongs to the router.
    #[error("event {event} is emitted by the router, not by senders")]
    Presence {
        /// The event.
        event: String,
    },
    /// The sender is not connected (any more).
    #[error("sender {sender} is not connected")]
    SenderGone {
        /// The sender.
        sender: String,
    },
}

/// An event could not be triggered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TriggerError {
    /// A listener's queue is full (`try_trigger`), or stayed so beyond all patience.
    #[error("a listener of {sender}/{event} has no room for more events now; use trigger(), which waits")]
    Busy {
        /// The sender.
        sender: String,
        /// The event.
        event: String,
    },
    /// The sender was removed (P26 is not carried over).
    #[error("sender {sender} is not connected any more")]
    SenderGone {
        /// The sender.
        sender: String,
    },
    /// The link to the remote router is down.
    #[error("no link to the router of {sender}; the event was counted, not sent")]
    Offline {
        /// The sender.
        sender: String,
    },
    /// The value could not be packed.
    #[error("the value cannot be packed: {0}")]
    Pack(#[from] CodecError),
    /// Listeners trigger each other in a circle.
    #[error("triggers are nested {limit} deep; listeners trigger each other in a circle")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// It would have to wait for room, and the router is closing.
    #[error("the router is closing; the event was not sent")]
    Closed,
    /// Waiting needs a tokio runtime.
    #[error("waiting needs a tokio runtime; use try_trigger or blocking_trigger outside of one")]
    NoRuntime,
}

/// A request that was not answered with a response.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No sender of this name is connected (P36).
    #[error("Sender {sender} is not connected")]
    NoSuchSender {
        /// The sender.
        sender: String,
    },
    /// The sender answers no requests at all (P35).
    #[error("requests not supported")]
    NotSupported {
        /// The sender.
        sender: String,
    },
    /// The sender has neither such a method nor a default handler (P35).
    #[error("method {method} not found")]
    NoSuchMethod {
        /// The sender.
        sender: String,
        /// The method.
        method: String,
    },
    /// The sender left before it answered.
    #[error("sender {sender} left before it answered")]
    SenderGone {
        /// The sender.
        sender: String,
    },
    /// No answer came in time.
    #[error("no answer within {after:?}")]
    TimedOut {
        /// The deadline.
        after: Duration,
    },
    /// The request was cancelled.
    #[error("the request was cancelled")]
    Cancelled,
    /// Too many requests are under way.
    #[error("too many requests are under way; try again later")]
    Busy,
    /// There is no link to the remote router.
    #[error("not connected to the router")]
    NotConnected,
    /// The router refused the request.
    #[error("refused: {0}")]
    Refused(String),
    /// The handler failed.
    #[error("{text}")]
    HandlerFailed {
        /// The handler's own code, if it gave one.
        code: Option<String>,
        /// Its error in words.
        text: String,
    },
    /// The parameters or the response could not be packed.
    #[error("{0}")]
    Codec(String),
}

impl RequestError {
    /// The word that stands for the error on the wire.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchSender { .. } => "no_such_sender",
            Self::NotSupported { .. } => "not_supported",
            Self::NoSuchMethod { .. } => "no_such_method",
            Self::SenderGone { .. } => "sender_gone",
            Self::TimedOut { .. } => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Busy => "busy",
            Self::NotConnected => "not_connected",
            Self::Refused(_) => "refused",
            Self::HandlerFailed { .. } => "handler_failed",
            Self::Codec(_) => "codec",
        }
    }

    /// The error as it travels: its code, or `handler_failed:` and the handler's own.
    pub(crate) fn to_failure(&self) -> Failure {
        match self {
            Self::HandlerFailed { code: Some(code), text } => Failure::new(format!("handler_failed:{code}"), text),
            Self::Refused(text) => Failure::new(self.code(), text),
            other => Failure::new(other.code(), other.to_string()),
        }
    }

    /// The error that a peer reported for a request to this sender and method.
    pub(crate) fn from_failure(failure: &Failure, sender: &str, method: &str, deadline: Duration) -> Self {
        let (sender, method) = (sender.to_owned(), method.to_owned());
        let code = failure.code.as_deref().unwrap_or_default();
        match code {
            "no_such_sender" => Self::NoSuchSender { sender },
            "not_supported" => Self::NotSupported { sender },
            "no_such_method" => Self::NoSuchMethod { sender, method },
            "sender_gone" => Self::SenderGone { sender },
            "timed_out" => Self::TimedOut { after: deadline },
            "cancelled" => Self::Cancelled,
            "busy" => Self::Busy,
            "not_connected" => Self::NotConnected,
            "refused" | "invalid_params" => Self::Refused(failure.text.clone()),
            "codec" => Self::Codec(failure.text.clone()),
            _ => Self::HandlerFailed {
                code: code.strip_prefix("handler_failed:").map(str::to_owned),
                text: failure.text.clone(),
            },
        }
    }
}

impl RequestError {
    /// Whether this says no more than that the asker gave up, which it knows.
    pub(crate) fn is_given_up(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Failed(failure)
            if matches!(failure.code.as_deref(), Some("cancelled" | "timed_out")))
    }
}

impl From<CodecError> for RequestError {
    fn from(error: CodecError) -> Self {
        Self::Codec(error.to_string())
    }
}

/// A router could not be set up, or its link failed for good.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RouterError {
    /// No tokio runtime was found.
    #[error(transparent)]
    NoRuntime(#[from] sig_core::NoRuntime),
    /// The threads of a blocking router could not be started.
    #[error("the system gives the router no threads: {0}")]
    Threads(#[source] std::io::Error),
    /// A carrier failed.
    #[error(transparent)]
    Carrier(#[from] CarrierError),
    /// The router refused this client.
    #[error("the router refused this client: {text}")]
    Refused {
        /// The reason as a word.
        code: String,
        /// The reason in words.
        text: String,
    },
    /// The link did not come up in time.
    #[error("no link within {after:?}; last: {last}")]
    NotReady {
        /// How long was waited.
        after: Duration,
        /// What the last attempt came to.
        last: String,
    },
    /// The router is closed.
    #[error("the router is closed")]
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_4_every_error_of_a_request_travels_as_itself() {
        let (sender, method) = (|| "s".to_owned(), "m".to_owned());
        let after = Duration::from_secs(3);
        let text = || "in words".to_owned();
        let failed = |code: Option<&str>| RequestError::HandlerFailed {
            code: code.map(str::to_owned),
            text: text(),
        };
        let errors = [
            RequestError::NoSuchSender { sender: sender() },
            RequestError::NotSupported { sender: sender() },
            RequestError::NoSuchMethod {
                sender: sender(),
                method,
            },
            RequestError::SenderGone { sender: sender() },
            RequestError::TimedOut { after },
            RequestError::Cancelled,
            RequestError::Busy,
            RequestError::NotConnected,
            RequestError::Refused(text()),
            RequestError::Codec(text()),
            failed(None),
            failed(Some("")),
            failed(Some("busy")),
            failed(Some("handler_failed:x")),
        ];
        for error in errors {
            // Over two hops.
            let once = RequestError::from_failure(&error.to_failure(), "s", "m", after);
            let twice = RequestError::from_failure(&once.to_failure(), "s", "m", after);
            assert_eq!((&once, &twice), (&error, &error));
        }
        // What is not known is the handler's own affair.
        let odd = RequestError::from_failure(&Failure::new("odd", text()), "s", "m", after);
        assert_eq!(odd, failed(None));
    }
}
