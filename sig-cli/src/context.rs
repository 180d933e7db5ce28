//! What every command is given.

use std::future::Future;

use sig_core::{NoRuntime, Tasks};

use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::stop::Stop;

/// Where to write, when to end, and the owner of what runs in the background.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) out: Output,
    pub(crate) stop: Stop,
    pub(crate) tasks: Tasks,
}

impl Context {
    /// Takes the signals over. Needs a runtime.
    pub(crate) fn new(out: Output) -> Result<Self, Failure> {
        let tasks = Tasks::new().map_err(|error: NoRuntime| Failure::new(Code::Failed, "system", error))?;
        let stop = Stop::install(&tasks)?;
        Ok(Self { out, stop, tasks })
    }

    /// Awaits work that is cut short when the command is told to end.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.stop.requested() => Err(self.stop.failure()),
            done = work => Ok(done),
        }
    }
}
