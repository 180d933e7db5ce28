//! A runtime of its own for those who have none.

use std::future::Future;
use std::sync::mpsc::sync_channel;

use tokio::runtime::{Builder, Runtime};

use crate::{Error, Kind};

/// Drives something asynchronous on a thread of its own, for callers that block.
///
/// Callers may themselves run inside a runtime: they block their thread, but never panic.
#[derive(Debug)]
pub(super) struct Bridge {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    kind: Kind,
}

impl Bridge {
    pub(super) fn new(kind: Kind) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sig-zmq")
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| Error::Other {
            kind,
            reason: format!("cannot start a thread: {error}"),
        })?;
        let runtime = Some(runtime);
        Ok(Self { runtime, kind })
    }

    /// Waits for the future, which runs on the other thread.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (kind, action) = (self.kind, "be used");
        let Some(runtime) = &self.runtime else {
            return Err(Error::Closed { kind, action });
        };
        let (done, result) = sync_channel(1);
        // Its end is awaited here, by way of the channel.
        runtime.spawn(async move {
            let _ = done.send(future.await);
        });
        result.recv().unwrap_or(Err(Error::Closed { kind, action }))
    }

    /// Ends it in the background, after what is left to do.
    pub(super) fn end(&mut self, last: impl Future<Output = ()> + Send + 'static) {
        let Some(runtime) = self.runtime.take() else { return };
        let (given, taken) = sync_channel(1);
        // Dropping a runtime waits, and inside another one it panics: so it ends on a thread that may wait.
        let ended = std::thread::Builder::new().name("sig-zmq-end".into()).spawn(move || {
            let Ok(runtime) = taken.recv() else { return };
            let runtime: Runtime = runtime;
            runtime.block_on(last);
            runtime.shutdown_background();
        });
        match ended {
            Ok(_) => drop(given.send(runtime)),
            Err(_) => runtime.shutdown_background(),
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
