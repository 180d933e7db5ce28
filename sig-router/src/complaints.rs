//! Events that could not be put into a queue, to be told of once no lock is held.

use std::cell::RefCell;
use std::fmt;

use sig_core::CarrierError;

use crate::hub::EventRecord;

/// What went wrong while an event was put into the queues.
///
/// That happens under the sender's lane, where nothing may be logged: a program that turns its log into events would
/// lock itself up.
#[derive(Debug, Default)]
pub(crate) struct Complaints(RefCell<Vec<(String, CarrierError)>>);

impl Complaints {
    pub(crate) fn add(&self, to: &dyn fmt::Debug, error: impl Into<CarrierError>) {
        self.0.borrow_mut().push((format!("{to:?}"), error.into()));
    }

    /// Takes over what went wrong with another event of the kind.
    pub(crate) fn extend(&self, others: Self) {
        let mut others = others.0.into_inner();
        if !others.is_empty() {
            self.0.borrow_mut().append(&mut others);
        }
    }

    /// Logs them. No lock may be held.
    pub(crate) fn report(self, event: &EventRecord) {
        for (to, error) in self.0.into_inner() {
            let (sender, event) = (&event.id().sender, event.name());
            tracing::warn!(to, %sender, %event, %error, "an event could not be sent and is lost to this peer");
        }
    }
}
