//! Requests and who answers them.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sig_core::{CodecError, RawJson, SenderName, async_trait};

use crate::error::RequestError;
use crate::nesting::nested;

/// How long a request may take unless it says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Stands for a deadline beyond what the clock can express.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The end of this timeout, which may be beyond what the clock can express.
pub(crate) fn deadline_in(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + FOREVER)
}

/// A request, as its handler is given it.
#[derive(Debug, Clone)]
pub struct Request {
    sender: SenderName,
    method: String,
    params: RawJson,
    timeout: Duration,
    deadline: Instant,
}

impl Request {
    pub(crate) fn new(sender: SenderName, method: String, params: RawJson, timeout: Duration) -> Self {
        let deadline = deadline_in(timeout);
        Self {
            sender,
            method,
            params,
            timeout,
            deadline,
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

    /// When the asker stops waiting.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
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

/// Passes requests on to another router.
#[async_trait]
pub(crate) trait Forward: Send + Sync {
    async fn forward(&self, request: Request) -> Result<RawJson, RequestError>;
}

type SyncHandler = dyn Fn(Request) -> Result<RawJson, RequestError> + Send + Sync;
type AsyncHandler = dyn Fn(Request) -> BoxFuture<'static, Result<RawJson, RequestError>> + Send + Sync;

/// Answers requests.
#[derive(Clone)]
pub(crate) enum Handler {
    Sync(Arc<SyncHandler>),
    Async(Arc<AsyncHandler>),
    Remote(Arc<dyn Forward>),
}

fn to_json<R: Serialize>(response: Result<R, HandlerError>) -> Result<RawJson, RequestError> {
    Ok(RawJson::new(&response?)?)
}

impl Handler {
    pub(crate) fn sync<R, F>(handler: F) -> Self
    where
        R: Serialize,
        F: Fn(Request) -> Result<R, HandlerError> + Send + Sync + 'static,
    {
        Self::Sync(Arc::new(move |request| to_json(handler(request))))
    }

    pub(crate) fn asynchronous<R, F, Fut>(handler: F) -> Self
    where
        R: Serialize + 'static,
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        Self::Async(Arc::new(move |request| handler(request).map(to_json).boxed()))
    }

    /// Runs the handler. One that panics has failed.
    async fn run(self, request: Request) -> Result<RawJson, RequestError> {
        let place = format!("{}.{}", request.sender, request.method);
        let answer = async move {
            match self {
                Self::Sync(handler) => handler(request),
                Self::Async(handler) => handler(request).await,
                Self::Remote(handler) => handler.forward(request).await,
            }
        };
        let answer = AssertUnwindSafe(nested(answer)).catch_unwind().await;
        let answer = answer.map(|answer| answer.unwrap_or_else(|limit| Err(too_deep(limit))));
        answer.unwrap_or_else(|panic| {
            let text = panic_text(&*panic);
            tracing::error!(handler = place, panic = text, "a request handler panicked");
            Err(RequestError::HandlerFailed {
                code: Some("panic".to_owned()),
                text: format!("handler panicked: {text}"),
            })
        })
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sync(_) => "Sync",
            Self::Async(_) => "Async",
            Self::Remote(_) => "Remote",
        })
    }
}

/// Handlers ask each other in a circle, without ever waiting.
fn too_deep(limit: u32) -> RequestError {
    RequestError::Refused(format!(
        "requests are nested {limit} deep; handlers ask each other in a circle"
    ))
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

/// The methods of one sender.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    methods: HashMap<String, Handler>,
    default: Option<Handler>,
}

impl Requests {
    /// All of these methods (`None` stands for the default handler), passed on to `forward`.
    pub(crate) fn forwarded(methods: &[Option<String>], forward: &Arc<dyn Forward>) -> Self {
        let mut requests = Self::default();
        for method in methods {
            requests.set(method.clone(), Handler::Remote(Arc::clone(forward)));
        }
        requests
    }

    pub(crate) fn set(&mut self, method: Option<String>, handler: Handler) {
        match method {
            Some(method) => {
                self.methods.insert(method, handler);
            }
            None => self.default = Some(handler),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.methods.is_empty() && self.default.is_none()
    }

    /// The methods as presence tells them: `None` if there are none, an entry `None` for a default handler.
    pub(crate) fn names(&self) -> Option<Vec<Option<String>>> {
        let mut names: Vec<_> = self.methods.keys().cloned().map(Some).collect();
        names.sort();
        names.extend(self.default.as_ref().map(|_| None));
        (!names.is_empty()).then_some(names)
    }

    /// Asks for a method, with a deadline that begins now.
    pub(crate) async fn ask(
        &self,
        sender: SenderName,
        method: String,
        params: RawJson,
        timeout: Duration,
    ) -> Result<RawJson, RequestError> {
        self.answer(Request::new(sender, method, params, timeout)).await
    }

    /// Answers a request: its own handler first, then the default one (P34).
    pub(crate) async fn answer(&self, request: Request) -> Result<RawJson, RequestError> {
        let sender = || request.sender.to_string();
        if self.is_empty() {
            return Err(RequestError::NotSupported { sender: sender() });
        }
        let Some(handler) = self.methods.get(request.method()).or(self.default.as_ref()) else {
            return Err(RequestError::NoSuchMethod {
                sender: sender(),
                method: request.method.clone(),
            });
        };
        handler.clone().run(request).await
    }
}
