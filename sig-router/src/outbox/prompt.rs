//! Sending at once, without the way over the task.

#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;
use std::time::Duration;

use sig_core::{Batch, CarrierError, Encoding, Message};

use super::{Hands, Outbox, Sending, Take};
use crate::clock;
use crate::pressure::release_all;

/// What follows sooner than this upon something that was sent waits for more, or for the task: a burst is sent in batches,
/// not one by one.
///
/// From the end of the sending: the peer that it woke may have had the core meanwhile.
const BURST: Duration = Duration::from_micros(2);

/// So many bytes do not wait for more.
const PORTION: usize = 128 * 1024;

/// So many pieces of a large frame go one behind the other before it is left to the task.
const PIECES: usize = 4;

/// What became of a batch in the caller's hands.
enum Sent {
    /// Nothing is left.
    All,
    /// The next piece of a large frame is in hand.
    NextInHand,
    /// What is left is the task's affair.
    LeftToTask,
}

/// Whether so many bytes more fill another portion.
pub(super) fn fills_portion(waiting: usize, more: usize) -> bool {
    waiting / PORTION != (waiting + more) / PORTION
}

impl Outbox {
    /// Whether an event that was put in [promptly](super::Heading::prompt) found nothing before it or filled a portion, and
    /// waits for [`send_now`](Self::send_now).
    pub(crate) fn is_unsent(&self) -> bool {
        self.unsent.load(Ordering::Relaxed)
    }

    /// Sends a control message ahead of waiting events, at once if that can be. No lock may be held.
    pub(crate) fn send_promptly(&self, message: &Message) -> Result<(), CarrierError> {
        self.put_message(message, true)?;
        self.send_now();
        Ok(())
    }

    /// Hands what waits to the carrier, if nothing else is under way and it goes at once; otherwise the task does. No lock
    /// may be held.
    pub(crate) fn send_now(&self) {
        self.unsent.store(false, Ordering::Relaxed);
        let mut batch = Batch::new(self.peer.encoding);
        if self.take_promptly(&mut batch) {
            for left in (0..PIECES).rev() {
                match self.send_in_hand(&mut batch, left > 0) {
                    Sent::All => return,
                    Sent::NextInHand => {}
                    Sent::LeftToTask => break,
                }
            }
        }
        self.wake.notify_one();
    }

    /// Hands the batch in the caller's hands to the carrier; what follows of a large frame may be in it afterwards.
    fn send_in_hand(&self, batch: &mut Batch, goes_on: bool) -> Sent {
        let mut released = Vec::new();
        let all = self.carrier.try_handle_tx(self.id, batch);
        let now = clock::now();
        let mut state = self.state.lock();
        let mut next = Batch::new(self.peer.encoding);
        std::mem::swap(batch, &mut next);
        if !matches!(all, Ok(true)) {
            // An error shows again when the task goes on with it.
            state.hands = Hands::Task;
            state.rest = Some(next);
            return Sent::LeftToTask;
        }
        next.clear();
        (state.last_sent, state.hands, state.spare) = (now, Hands::Nobody, Some(next));
        let in_hand = std::mem::take(&mut state.in_hand);
        state.tally.flushed += in_hand as u64;
        let Sending::Free(lanes) = &state.lanes else {
            return Sent::LeftToTask;
        };
        if goes_on && lanes.has_large() {
            let form = self.form(state.max_frame);
            if matches!(state.take(now, batch, form, &mut released), Take::Ready) {
                state.hands = Hands::Caller;
                drop(state);
                release_all(released);
                return Sent::NextInHand;
            }
            return Sent::LeftToTask;
        }
        let is_done = !state.closed && lanes.is_empty() && state.missed.is_empty() && state.catch_ups.is_empty();
        if is_done { Sent::All } else { Sent::LeftToTask }
    }

    /// The task has sent what it took.
    pub(super) fn sent(&self) {
        let now = clock::now();
        self.state.lock().last_sent = now;
    }

    /// Takes what waits into the caller's hands, unless the task has something in its own or there is a burst.
    fn take_promptly(&self, batch: &mut Batch) -> bool {
        let mut released = Vec::new();
        let now = clock::now();
        let mut state = self.state.lock();
        let is_burst = now.saturating_duration_since(state.last_sent) < BURST;
        let waits = is_burst && matches!(&state.lanes, Sending::Free(lanes) if lanes.bytes() < PORTION);
        if waits || self.peer.encoding != Encoding::Sig1 || state.hands != Hands::Nobody {
            return false;
        }
        let form = self.form(state.max_frame);
        let is_ready = matches!(state.take(now, batch, form, &mut released), Take::Ready);
        if is_ready {
            state.hands = Hands::Caller;
        }
        drop(state);
        release_all(released);
        is_ready
    }
}
