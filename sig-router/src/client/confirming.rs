//! Events that the router tells of, and those that the router is told of.

use std::cell::Cell;
use std::sync::Arc;

use sig_core::{CodecError, Outcome};

use super::link::{Asker, Link};
use crate::confirm::{ANSWER_GRACE, Ask, Receipt};

impl Link {
    /// Sends an event with what the router is asked about it, if anything; `send` gives `None` if it did not go. The
    /// receipt is left where it is unless the event went.
    pub(super) fn send_counted(
        &self,
        receipt: &Cell<Option<Receipt>>,
        send: impl FnOnce(Option<Ask>) -> Result<Option<usize>, CodecError>,
    ) -> Result<Option<usize>, CodecError> {
        let Some(kept) = receipt.take() else { return send(None) };
        if !self.peer().confirms() {
            let sent = send(None);
            if matches!(sent, Ok(Some(_))) {
                kept.unknown();
            } else {
                receipt.set(Some(kept));
            }
            return sent;
        }
        let tally = Arc::clone(kept.tally());
        let asker = Asker::Event(Some(kept));
        let id = self.replies().insert(asker, tally.deadline() + ANSWER_GRACE).ok();
        let sent = send(id.map(|id| Ask::new(id, &tally)));
        if let Some(id) = id.filter(|_| !matches!(sent, Ok(Some(_)))) {
            receipt.set(self.take_back(id));
        }
        sent
    }

    /// What was to be told of an event that did not go.
    pub(super) fn take_back(&self, id: u64) -> Option<Receipt> {
        match self.replies().take(id) {
            Some(Asker::Event(receipt)) => receipt,
            Some(Asker::Call { .. }) | None => None,
        }
    }

    /// The router tells what became of an event.
    pub(super) fn take_confirmation(&self, receipt: Receipt, outcome: &Outcome) {
        if !self.is_pysig() {
            receipt.take_answer(outcome);
        } else if let Outcome::Done(_) = outcome {
            // pysig answers when all of its listeners have run (P63), and does not count them.
            receipt.delivered();
        }
    }
}
