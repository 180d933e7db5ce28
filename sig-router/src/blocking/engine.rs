//! The threads of a blocking router.

use std::future::Future;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{RequestError, RouterError};
use crate::request::{Function, Handler};
use crate::wait::wait;

/// How many threads work for the links of one router. Nothing of the user's runs there, so that it need not be many.
const WORKERS: usize = 2;

/// Most handlers that run at a time.
const MAX_HANDLERS: usize = 128;

/// The threads of a blocking router. Clones share them; the last one ends them.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    owned: Arc<Owned>,
}

#[derive(Debug)]
struct Owned {
    /// Taken out when this is dropped.
    runtime: Option<Runtime>,
    handlers: Arc<Semaphore>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // To wait for its threads would panic inside async code, and for ever in a thread of its own.
            runtime.shutdown_background();
        }
    }
}

impl Engine {
    pub(super) fn start() -> Result<Self, RouterError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("sig-router")
            .enable_all()
            .build()
            .map_err(RouterError::Threads)?;
        Ok(Self {
            owned: Arc::new(Owned {
                runtime: Some(runtime),
                handlers: Arc::new(Semaphore::new(MAX_HANDLERS)),
            }),
        })
    }

    /// Until the guard is dropped, what is made on this thread belongs to the router's runtime.
    pub(super) fn enter(&self) -> Option<EnterGuard<'_>> {
        self.owned.runtime.as_ref().map(Runtime::enter)
    }

    /// Parks the thread until the future is done. Does not panic inside async code, as `block_on` does.
    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        let _inside = self.enter();
        wait(future)
    }

    /// Makes a handler run on a thread that it may block.
    pub(super) fn off_the_workers(&self, handler: Arc<Function>) -> Handler {
        // Not the engine itself: its own hub holds the handler.
        let runtime = self.owned.runtime.as_ref().map(|runtime| runtime.handle().clone());
        let turns = Arc::clone(&self.owned.handlers);
        Handler::Async(Arc::new(move |request| {
            let (handler, runtime) = (Arc::clone(&handler), runtime.clone());
            let turn = Arc::clone(&turns).try_acquire_owned();
            async move {
                let (Some(runtime), Ok(turn)) = (runtime, turn) else {
                    return Err(RequestError::Busy);
                };
                let answer = runtime.spawn_blocking(move || {
                    // One whose asker is gone runs on, and still counts.
                    let _turn = turn;
                    handler.call(request)
                });
                // One that has not begun yet when its asker goes need not begin.
                match AbortOnDropHandle::new(answer).await {
                    Ok(answer) => answer,
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => Err(RequestError::Cancelled),
                    },
                }
            }
            .boxed()
        }))
    }
}
