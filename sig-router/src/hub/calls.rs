//! Functions that listen, ready to be called on the spot.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use super::callback::{Callback, Function};
use super::record::EventRecord;
use super::snapshot::Versions;
use crate::confirm::Receipt;
use crate::event::Event;
use crate::nesting::Here;
use crate::request::panic_text;

/// The functions that hear an event, in the order in which they are called.
///
/// Who has them may call all of them: the functions are asked for once, when this is made, and not with every event. As
/// long as it is there they are not dropped, and [`Callback::ended`] waits. So a record of an event lets go of it as soon
/// as one of its functions no longer listens.
#[derive(Debug)]
pub(super) struct Calls {
    /// Of which listeners it was made.
    versions: Option<Versions>,
    calls: Vec<Call>,
}

impl Calls {
    /// Those of these that still listen, to be kept by the event's record.
    pub(super) fn of(event: &Arc<EventRecord>, versions: Versions, callbacks: &[Arc<Callback>]) -> Arc<Self> {
        Arc::new_cyclic(|calls| Self {
            versions: Some(versions),
            calls: hold_all(callbacks, calls, &Arc::downgrade(event)),
        })
    }

    /// This one, for a moment.
    pub(super) fn of_one(callback: &Arc<Callback>) -> Arc<Self> {
        Arc::new_cyclic(|calls| Self {
            versions: None,
            calls: hold_all(std::slice::from_ref(callback), calls, &Weak::new()),
        })
    }

    /// Whether it was made of these listeners.
    pub(super) fn are_made_of(&self, versions: &Versions) -> bool {
        self.versions.as_ref() == Some(versions)
    }

    /// Whether it was made of those who listen now.
    #[inline]
    pub(super) fn are_current(&self, event: &EventRecord) -> bool {
        self.versions.is_some_and(|versions| versions.are_of(event))
    }

    pub(super) fn are_none(&self) -> bool {
        self.calls.is_empty()
    }

    /// What names it, for as long as it is there.
    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Calls the functions, one after the other. A panic is caught and reported; the others are still called.
    #[inline]
    pub(super) fn run(&self, here: &Here, event: &Event<'_>) {
        let _inside = here.go_inside(self.address());
        for call in &self.calls {
            call.run(event);
        }
    }

    /// The same, each with a receipt: the event is delivered when the function has returned.
    pub(super) fn run_with(&self, here: &Here, event: &Event<'_>, receipt: impl Fn() -> Option<Receipt>) {
        let _inside = here.go_inside(self.address());
        for call in &self.calls {
            let receipt = receipt();
            if call.run(event) {
                receipt.into_iter().for_each(Receipt::delivered);
            }
        }
    }
}

fn hold_all(callbacks: &[Arc<Callback>], calls: &Weak<Calls>, event: &Weak<EventRecord>) -> Vec<Call> {
    let callbacks = callbacks.iter();
    callbacks
        .filter_map(|callback| Call::of(callback, calls, event))
        .collect()
}

/// One function that may be called.
struct Call {
    /// Taken out to be dropped.
    function: Option<Arc<Function>>,
    callback: Arc<Callback>,
    /// Whose call it is.
    calls: usize,
}

impl Call {
    fn of(callback: &Arc<Callback>, calls: &Weak<Calls>, event: &Weak<EventRecord>) -> Option<Self> {
        Some(Self {
            function: Some(callback.hold(calls, event)?),
            callback: Arc::clone(callback),
            calls: calls.as_ptr().addr(),
        })
    }

    /// Calls the function unless its guard is gone; whether it returned.
    #[inline]
    fn run(&self, event: &Event<'_>) -> bool {
        let Some(function) = self.function.as_ref().filter(|_| self.callback.is_live()) else {
            return false;
        };
        match catch_unwind(AssertUnwindSafe(|| function(event))) {
            Ok(()) => true,
            Err(panic) => {
                report(&self.callback, event, &*panic);
                false
            }
        }
    }
}

#[cold]
fn report(callback: &Callback, event: &Event<'_>, panic: &(dyn Any + Send)) {
    let (sender, name, panic) = (event.sender(), event.name(), panic_text(panic));
    tracing::error!(%sender, event = %name, listener = %callback.place(), panic, "a listener panicked");
}

impl Drop for Call {
    fn drop(&mut self) {
        // Before `ended` is told: the function may be dropped here, with all that it owns.
        let function = self.function.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(function))) {
            let panic = panic_text(&*panic);
            tracing::error!(listener = %self.callback.place(), panic, "what a listener owned panicked when it was dropped");
        }
        self.callback.let_go(self.calls);
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.callback.fmt(f)
    }
}
