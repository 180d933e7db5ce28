//! A peer that takes one message at a time, and answers each.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sig_core::CodecError;

use super::{Outbox, PACED_MARKS, Sending, State};
use crate::pressure::{Gate, release_all};

/// An event for a paced peer.
#[derive(Debug)]
pub(crate) struct PacedEvent {
    pub(crate) id: u64,
    pub(crate) document: Bytes,
    /// Until when it is sent again if the peer does not know its listener yet.
    pub(crate) retry_until: Option<Instant>,
}

impl Outbox {
    /// Puts an event in for a paced peer, as a call that it answers; false if it was lost.
    pub(crate) fn offer_call(&self, event: PacedEvent, presence: bool, gate: &Arc<Gate>) -> Result<bool, CodecError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.closed || !(presence || state.pressure.accepts(gate)) {
            state.lost += 1;
            return Ok(false);
        }
        let PacedEvent {
            id,
            document,
            retry_until,
        } = event;
        let bytes = document.len();
        match &mut state.lanes {
            Sending::Paced(pacer) => {
                pacer.call(id, document, retry_until)?;
                state.paced_events.insert(id, bytes);
            }
            // A medium that keeps messages apart needs no pacing.
            Sending::Free(lanes) => lanes.push_packed(document),
        }
        let turned_full = state.pressure.put(1, bytes, gate, PACED_MARKS.patience);
        drop(guard);
        self.put_in(turned_full, true);
        Ok(true)
    }

    /// A paced peer made a call, which will get a reply.
    pub(crate) fn called(&self, now: Instant) {
        if let Sending::Paced(pacer) = &mut self.state.lock().lanes {
            pacer.called(now);
        }
        self.wake.notify_one();
    }

    /// The reply to this call is not waited for any more: a paced peer need not get it, if it has not gone out yet.
    pub(crate) fn drop_call(&self, id: u64) {
        if let Sending::Paced(pacer) = &mut self.state.lock().lanes {
            pacer.drop_call(id);
        }
    }

    /// A paced peer answered a call. One that it was not `ready` for may be sent again: whether it is.
    pub(crate) fn answered(&self, id: u64, ready: bool, now: Instant) -> bool {
        let mut state = self.state.lock();
        let Sending::Paced(pacer) = &mut state.lanes else {
            return false;
        };
        pacer.measure(id, now);
        if ready {
            pacer.answered(id);
        }
        let again = !ready && pacer.answered_not_ready(id, now);
        let released = if again { None } else { state.event_done(id, now) };
        state.tally.flushed += u64::from(released.is_some());
        drop(state);
        release_all(released.unwrap_or_default());
        self.wake.notify_one();
        again
    }
}

impl State {
    /// An event to a paced peer was answered, or given up on. `None` if this is not the call of an event.
    pub(super) fn event_done(&mut self, id: u64, now: Instant) -> Option<Vec<Arc<Gate>>> {
        let bytes = self.paced_events.remove(&id)?;
        Some(self.pressure.took(1, bytes, now))
    }
}
