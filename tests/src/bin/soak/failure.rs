//! What goes wrong first ends a run.

use tokio::sync::watch;

use crate::flat::{self, SETTLED};
use crate::gauges::Gauges;

/// What everybody says that goes wrong.
#[derive(Debug, Default)]
pub(crate) struct Failure(watch::Sender<Option<String>>);

impl Failure {
    /// The run has failed; the first reason counts.
    pub(crate) fn say(&self, what: String) {
        self.0.send_if_modified(|failure| {
            let is_first = failure.is_none();
            if is_first {
                *failure = Some(what);
            }
            is_first
        });
    }

    /// Runs something until it ends or anybody says that it has failed, and then looks that no task is left. Gives what it gave.
    ///
    /// # Errors
    ///
    /// What failed.
    pub(crate) async fn ends(&self, run: impl Future<Output = Result<String, String>>) -> Result<String, String> {
        let before = Gauges::read();
        let mut failure = self.0.subscribe();
        let outcome = tokio::select! {
            biased;
            failed = failure.wait_for(Option::is_some) => Err(failed.ok().and_then(|failed| failed.clone()).unwrap_or_default()),
            outcome = run => outcome,
        };
        // What came last counts too.
        let failed = failure.borrow().clone();
        if let Some(failed) = failed {
            return Err(failed);
        }
        let said = outcome?;
        flat::tasks_end("everything is closed", before.tasks, SETTLED).await?;
        Ok(said)
    }
}
