//! The methods of a sender, and the functions that answer them.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, ready};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Serialize;
use sig_core::{CancellationToken, RawJson, async_trait};

use super::{HandlerError, Question, Request};
use crate::error::RequestError;
use crate::nesting::nested;
use crate::peer::Asked;
use crate::session::params::RequestParams;
use crate::turns::Turns;

/// Passes requests on to another router.
#[async_trait]
pub(crate) trait Forward: Send + Sync {
    async fn forward(&self, request: Request) -> Result<RawJson, RequestError>;

    /// Whether [`pass_on`](Self::pass_on) can be called.
    fn passes_on(&self) -> bool;

    /// Passes on what a client of this router asked; the answer goes straight back to it.
    fn pass_on(&self, asked: Asked, params: RequestParams);

    /// The sender leaves: those whose requests were passed on learn so at once.
    fn sender_left(&self);
}

/// The answer to a question, once it is there.
pub(crate) type Answer = BoxFuture<'static, Result<RawJson, RequestError>>;

type SyncHandler = dyn Fn(Request) -> Result<RawJson, RequestError> + Send + Sync;
type AsyncHandler = dyn Fn(Request) -> Answer + Send + Sync;

/// What takes no longer does not keep the other tasks of its thread waiting.
const QUICK: Duration = Duration::from_micros(100);

/// A function that answers.
pub(crate) struct Function {
    call: Box<SyncHandler>,
    /// Whether it was the last time.
    is_quick: AtomicBool,
}

impl Function {
    /// Answers the request, on this thread.
    pub(crate) fn call(&self, request: Request) -> Result<RawJson, RequestError> {
        (self.call)(request)
    }

    /// The same, for a task: one that may block has a turn if one is free, and the thread's other tasks another thread. To
    /// find that takes some microseconds, so not for one that is known to be quick.
    fn call_in_turn(&self, request: Request, turns: &Turns) -> Result<RawJson, RequestError> {
        let call = || {
            let began = Instant::now();
            let answer = self.call(request);
            self.is_quick.store(began.elapsed() <= QUICK, Ordering::Relaxed);
            answer
        };
        if self.is_quick.load(Ordering::Relaxed) || !Turns::has_workers() {
            return call();
        }
        match turns.free() {
            Some(turn) => turn.run(call),
            None => call(),
        }
    }
}

/// Answers requests.
#[derive(Clone)]
pub(crate) enum Handler {
    Sync(Arc<Function>),
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
        Self::Sync(Arc::new(Function {
            call: Box::new(move |request| to_json(handler(request))),
            is_quick: AtomicBool::new(false),
        }))
    }

    pub(crate) fn asynchronous<R, F, Fut>(handler: F) -> Self
    where
        R: Serialize + 'static,
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        Self::Async(Arc::new(move |request| handler(request).map(to_json).boxed()))
    }

    fn forward(&self) -> Option<&Arc<dyn Forward>> {
        match self {
            Self::Remote(forward) => Some(forward),
            Self::Sync(_) | Self::Async(_) => None,
        }
    }

    /// Runs the handler. One that panics has failed.
    async fn run(self, request: Request, turns: Option<Turns>) -> Result<RawJson, RequestError> {
        let place = format!("{}.{}", request.sender, request.method);
        let answer = async move {
            match self {
                Self::Sync(function) => match turns {
                    Some(turns) => function.call_in_turn(request, &turns),
                    None => function.call(request),
                },
                Self::Async(handler) => handler(request).await,
                Self::Remote(handler) => handler.forward(request).await,
            }
        };
        let answer = AssertUnwindSafe(nested(answer.boxed())).catch_unwind().await;
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

/// The methods of one sender. Clones are the same sender's: when it leaves, all of them stop answering.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    methods: HashMap<String, Handler>,
    default: Option<Handler>,
    left: CancellationToken,
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

    /// Lets every handler that is a plain function be run in another way.
    pub(crate) fn run_sync_with(&mut self, wrap: impl Fn(Arc<Function>) -> Handler) {
        for handler in self.methods.values_mut().chain(&mut self.default) {
            if let Handler::Sync(function) = handler {
                *handler = wrap(Arc::clone(function));
            }
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

    /// The sender leaves: whoever waits for an answer of it learns so at once, and handlers that run are dropped.
    pub(crate) fn leave(&self) {
        self.left.cancel();
        // All of them are the same client's.
        let forward = self.methods.values().chain(&self.default).find_map(Handler::forward);
        if let Some(forward) = forward {
            forward.sender_left();
        }
    }

    /// Who passes on requests for this method as they are, if somebody does.
    pub(crate) fn forward_to(&self, method: &str) -> Option<Arc<dyn Forward>> {
        let forward = self.methods.get(method).or(self.default.as_ref())?.forward()?;
        forward.passes_on().then(|| Arc::clone(forward))
    }

    /// Answers a question, with a deadline that begins now: the method's own handler first, then the default one (P34).
    ///
    /// The handler is called when the answer is polled. Boxed, since handlers ask handlers, all on one stack.
    pub(crate) fn ask(&self, mut question: Question) -> Answer {
        let sender = question.sender.to_string();
        if self.is_empty() {
            return ready(Err(RequestError::NotSupported { sender })).boxed();
        }
        let Some(handler) = self.methods.get(&question.method).or(self.default.as_ref()) else {
            let method = question.method;
            return ready(Err(RequestError::NoSuchMethod { sender, method })).boxed();
        };
        // However this ends: what still works on the answer learns that nobody waits for it.
        let over = question.asker.clone().drop_guard();
        let left = self.left.clone();
        let turns = question.turns.take();
        let answer = handler.clone().run(Request::new(question, left.clone()), turns).boxed();
        let answer = async move {
            let _over = over;
            let answer = left.run_until_cancelled(answer).await;
            answer.unwrap_or(Err(RequestError::SenderGone { sender }))
        };
        answer.boxed()
    }
}
