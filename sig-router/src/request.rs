//! Requests and who answers them.

mod handlers;

use std::fmt;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use sig_core::{CancellationToken, CodecError, RawJson, SenderName};

pub(crate) use handlers::{Answer, Forward, Function, Handler, Requests, panic_text};

use crate::error::RequestError;
use crate::turns::Turns;

/// How long a request may take unless it says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Stands for a deadline beyond what the clock can express.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The time by the clock of the runtime, which a test may have stopped.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The end of this timeout, which may be beyond what the clock can express.
pub(crate) fn deadline_in(timeout: Duration) -> Instant {
    let now = now();
    now.checked_add(timeout).unwrap_or(now + FOREVER)
}

/// What somebody asks of a sender.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) sender: SenderName,
    pub(crate) method: String,
    pub(crate) params: RawJson,
    /// How long the answer is waited for.
    pub(crate) timeout: Duration,
    /// Cancelled when it is not waited for any more.
    pub(crate) asker: CancellationToken,
    /// For a function that may block its thread, where that is a task's.
    pub(crate) turns: Option<Turns>,
}

/// A request, as its handler is given it.
#[derive(Debug, Clone)]
pub struct Request {
    sender: SenderName,
    method: String,
    params: RawJson,
    timeout: Duration,
    deadline: Instant,
    asker: CancellationToken,
    left: CancellationToken,
}

impl Request {
    fn new(question: Question, left: CancellationToken) -> Self {
        let Question {
            sender,
            method,
            params,
            timeout,
            asker,
            ..
        } = question;
        Self {
            sender,
            method,
            params,
            timeout,
            deadline: deadline_in(timeout),
            asker,
            left,
        }
    }

    /// How long the asker waits in all.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The sender that was asked.
    #[must_use]
    pub fn sender(&self) -> &SenderName {
        &self.sender
    }

    /// The method that was asked for.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The parameters as a `T`.
    ///
    /// # Errors
    ///
    /// [`CodecError`] when they are not a `T`; with `?` in a handler it reaches the asker as the handler's error.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        self.params.parse()
    }

    /// The parameters as JSON text.
    #[must_use]
    pub fn raw_params(&self) -> &RawJson {
        &self.params
    }

    /// When the asker stops waiting. It travels along: over every hop less time is left.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether nobody waits for the answer any more: the asker gave up or is gone, the deadline has passed, or the
    /// sender left.
    ///
    /// The future of an asynchronous handler is dropped then, so this is for what cannot be dropped: a handler that is a
    /// plain function, or work that was handed to another thread. A function that the asker itself runs, as in one
    /// process, is seen to its end: only the deadline and the sender's leaving show there.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.asker.is_cancelled() || self.left.is_cancelled() || self.deadline <= now()
    }

    /// Waits until nobody waits for the answer any more, or it was given: for tasks that a handler started.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn cancelled(&self) {
        tokio::select! {
            () = self.asker.cancelled() => {}
            () = self.left.cancelled() => {}
        }
    }
}

/// Why a handler could not answer: a text for people and, if you like, a code for programs.
///
/// Any error becomes one through `?`.
///
/// ```
/// use sig_router::HandlerError;
///
/// fn parse(text: &str) -> Result<i32, HandlerError> {
///     if text.is_empty() {
///         return Err(HandlerError::new("nothing to parse").with_code("empty"));
///     }
///     Ok(text.parse()?)
/// }
/// assert!(parse("x").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerError {
    code: Option<String>,
    text: String,
}

impl HandlerError {
    /// An error in words.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            code: None,
            text: text.into(),
        }
    }

    /// The error with a code for programs.
    #[must_use]
    pub fn with_code(self, code: impl Into<String>) -> Self {
        Self {
            code: Some(code.into()),
            ..self
        }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

impl From<HandlerError> for RequestError {
    fn from(error: HandlerError) -> Self {
        Self::HandlerFailed {
            code: error.code,
            text: error.text,
        }
    }
}
