//! What goes out to a pysig peer, one document at a time.
//!
//! pysig takes whatever one `recv(4096)` returns for one message: two documents that lie in its socket together are
//! both lost. At either end of a link **one** thread receives, runs the handler of what it received, writes the answer
//! and receives again (`_thread_receive` of its client, `handle` of its server). From that follows all that is here:
//!
//! - **An answer is the proof.** When our call is answered, the peer has read it and everything before it, and is about
//!   to receive again. So after a call nothing is sent until its answer is there.
//! - **Replies are held as well** while a call is unanswered. Sent earlier, a reply would merge with the call if the
//!   call was not read yet, and lie unread in the socket if it was, since the thread that would read it runs the
//!   handler. Holding costs a round trip and makes no deadlock that pysig does not have by itself: a handler that calls
//!   us and waits for our reply waits in vain for its 10 seconds either way.
//! - **After a reply mostly time helps.** No call of ours is unanswered then, so the receiving thread is idle and reads
//!   at once: within a millisecond or so, rarely in some 50 where the machine is overloaded (measured). A new call
//!   from the peer proves that the reply was read if the peer calls from one thread, as nearly all do, since that
//!   thread waited for it (unless it was kept waiting for 10 seconds); from another thread it proves nothing. So the
//!   pause is [`UNPROVEN`] gaps, and one gap once the peer calls again.
//!   A busy machine reads late: the pauses grow with the time that the peer took to answer lately.
//! - **A call may never be answered**: pysig stays silent when it cannot write a response as JSON. After 10 seconds (P46)
//!   the call is given up, but its handler may as well still run, with everything after it unread. So the next document
//!   is a **probe**, `get_version`, which is answered without user code on both ends; it is repeated every 10 seconds,
//!   and the rest is held until the newest probe is answered. What merges with a probe is a call that was given up
//!   already, or another probe, and nobody waits for these.
//!
//! Calls go out in their order. Replies go first, since they may tell the peer the id of a listener that the calls are
//! for, but a waiting call is overtaken by [`BURST`] of them at most.

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sig_core::{CodecError, Pacing};
use thiserror::Error;

use super::methods::GET_VERSION;

/// How long an answer is waited for (P46).
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Pause before a call is repeated: pysig stores a listener's id up to 10 ms after it got it.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// How many gaps to wait after a reply if the peer does not call again.
const UNPROVEN: u32 = 5;

/// The slowest peer whose slowness is allowed for in the pause after a reply.
const SLOWEST: Duration = Duration::from_secs(1);

/// How many replies in a row may overtake a waiting call.
const BURST: usize = 8;

/// The id of the first probe; later ones count down. Far from the ids of calls, and exact in every JSON library.
const FIRST_PROBE: u64 = (1 << 53) - 1;

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Write this document, by itself, and ask again.
    Send(Bytes),
    /// The call with this id got no answer in time; ask again.
    GaveUp(u64),
    /// Nothing before this instant, unless something is added or answered.
    Wait(Instant),
    /// Nothing, until something is added or answered.
    Idle,
}

/// A document that the peer could not receive in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a message of {size} bytes is over the {limit} bytes that a pysig peer can receive; send less, or in pieces")]
pub(crate) struct TooLarge {
    /// Its size in bytes.
    pub(crate) size: usize,
    /// The limit in bytes.
    pub(crate) limit: usize,
}

impl From<TooLarge> for CodecError {
    fn from(TooLarge { size, limit }: TooLarge) -> Self {
        Self::TooLarge { size, limit }
    }
}

/// A call that was not answered yet.
#[derive(Debug)]
struct Call {
    id: u64,
    bytes: Bytes,
    /// Until when it is repeated if the peer is not ready for it.
    retry_until: Option<Instant>,
    /// The end of the pause before it is repeated.
    not_before: Option<Instant>,
}

/// What the peer has read of what was sent.
#[derive(Debug)]
enum Wire {
    /// Everything.
    Free,
    /// A reply went out, and is read by this time; by `short` if the peer calls again.
    Gap { until: Instant, short: Instant },
    /// This call went out; its answer is waited for until then. `wanted` while the owner did not drop it.
    Call { call: Call, until: Instant, wanted: bool },
    /// The call or probe with this id went out and was not answered in time.
    Doubt(u64),
    /// The probe with this id went out; its answer is waited for until then.
    Probe { id: u64, until: Instant },
}

/// Holds what is to be sent to one pysig peer and says when which document goes out.
///
/// It does not limit how much it holds: its owner looks at [`len`](Self::len) and [`byte_len`](Self::byte_len) before it
/// adds.
#[derive(Debug)]
pub(crate) struct Pacer {
    pacing: Pacing,
    replies: VecDeque<Bytes>,
    calls: VecDeque<Call>,
    bytes: usize,
    wire: Wire,
    /// Replies since the last call.
    burst: usize,
    /// Calls of the peer that no reply was sent to.
    owed: usize,
    /// How long the peer took to answer lately: on a busy machine it takes as long to read a reply.
    slow: Duration,
    /// When the last call came, if none was owed then: `None` where calls overlap, so that replies may be to any.
    called_alone: Option<Instant>,
    next_probe: u64,
}

impl Pacer {
    /// Nothing to send, to a peer that was sent nothing.
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self {
            pacing,
            replies: VecDeque::new(),
            calls: VecDeque::new(),
            bytes: 0,
            wire: Wire::Free,
            burst: 0,
            owed: 0,
            slow: Duration::ZERO,
            called_alone: None,
            next_probe: FIRST_PROBE,
        }
    }

    /// Adds a reply, which the peer does not answer.
    ///
    /// # Errors
    ///
    /// [`TooLarge`]; the peer still waits for some reply.
    pub(crate) fn reply(&mut self, bytes: Bytes) -> Result<(), TooLarge> {
        self.check(&bytes)?;
        self.bytes += bytes.len();
        self.replies.push_back(bytes);
        Ok(())
    }

    /// Adds a call, which the peer answers with this id. With `retry_until`, a call that the peer is not ready for
    /// ([`answered_not_ready`](Self::answered_not_ready)) is repeated until then.
    ///
    /// # Errors
    ///
    /// [`TooLarge`].
    pub(crate) fn call(&mut self, id: u64, bytes: Bytes, retry_until: Option<Instant>) -> Result<(), TooLarge> {
        self.check(&bytes)?;
        self.bytes += bytes.len();
        self.calls.push_back(Call {
            id,
            bytes,
            retry_until,
            not_before: None,
        });
        Ok(())
    }

    /// The peer made a call, which will get a reply.
    pub(crate) fn called(&mut self, now: Instant) {
        if let Wire::Gap { until, short } = &mut self.wire {
            *until = *short;
        }
        self.called_alone = (self.owed == 0).then_some(now);
        self.owed = self.owed.saturating_add(1);
    }

    /// Measures how long the peer took, if this is the call that it was sent last. To be called before
    /// [`answered`](Self::answered).
    pub(crate) fn measure(&mut self, id: u64, now: Instant) {
        if let Wire::Call { call, until, .. } = &self.wire {
            if call.id == id {
                let took = (now + PATIENCE).saturating_duration_since(*until).min(SLOWEST);
                self.slow = took.max(self.slow * 3 / 4);
            }
        }
    }

    /// The peer answered the call with this id. To be called for **every** reply from the peer, also where its call is
    /// not known: it may answer a probe.
    pub(crate) fn answered(&mut self, id: u64) {
        self.end_of(id);
    }

    /// The peer answered the call with this id that it does not know the listener (yet). Whether it is sent again: if
    /// not, this was its answer.
    pub(crate) fn answered_not_ready(&mut self, id: u64, now: Instant) -> bool {
        let Some(mut call) = self.end_of(id) else {
            return false;
        };
        let again = now + RETRY_PAUSE;
        if call.retry_until.is_none_or(|until| until < again) {
            return false;
        }
        call.not_before = Some(again);
        self.bytes += call.bytes.len();
        // In front of the others: events stay in their order.
        self.calls.push_front(call);
        true
    }

    /// Forgets the call with this id: `true` when it will not go out (again). A call that is with the peer is still
    /// waited for, since nothing may follow it, but no more is said about it and it is not repeated.
    pub(crate) fn drop_call(&mut self, id: u64) -> bool {
        if let Wire::Call { call, wanted, .. } = &mut self.wire {
            if call.id == id {
                *wanted = false;
                return false;
            }
        }
        let Some(position) = self.calls.iter().position(|call| call.id == id) else {
            return false;
        };
        if let Some(call) = self.calls.remove(position) {
            self.bytes -= call.bytes.len();
        }
        true
    }

    /// What to do at `now`. The gap after a document counts from here: ask right before writing.
    pub(crate) fn next(&mut self, now: Instant) -> Next {
        match self.wire {
            Wire::Call { until, .. } | Wire::Probe { until, .. } if now < until => return Next::Wait(until),
            Wire::Gap { until, .. } if now < until && self.has_work() => return Next::Wait(until),
            Wire::Gap { until, .. } if now < until => return Next::Idle,
            Wire::Gap { .. } => self.wire = Wire::Free,
            Wire::Probe { id, .. } => self.wire = Wire::Doubt(id),
            Wire::Call { ref call, wanted, .. } => {
                let id = call.id;
                self.bytes -= call.bytes.len();
                self.wire = Wire::Doubt(id);
                if wanted {
                    return Next::GaveUp(id);
                }
            }
            Wire::Free | Wire::Doubt(_) => {}
        }
        match self.wire {
            _ if !self.has_work() => Next::Idle,
            Wire::Doubt(_) => self.probe(now),
            _ => self.send(now),
        }
    }

    /// How many documents are held: not sent, or calls without an answer.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let in_flight = usize::from(matches!(self.wire, Wire::Call { .. }));
        self.replies.len() + self.calls.len() + in_flight
    }

    /// The size of the documents that are held.
    pub(crate) fn byte_len(&self) -> usize {
        self.bytes
    }

    fn check(&self, bytes: &Bytes) -> Result<(), TooLarge> {
        let (size, limit) = (bytes.len(), self.pacing.max_message);
        if size > limit {
            Err(TooLarge { size, limit })
        } else {
            Ok(())
        }
    }

    fn has_work(&self) -> bool {
        !self.replies.is_empty() || !self.calls.is_empty()
    }

    /// The last document sent, if it has this id, was answered: frees the wire. Gives the call if it is wanted still.
    ///
    /// An answer to anything older proves nothing about what was sent after it.
    fn end_of(&mut self, id: u64) -> Option<Call> {
        let last = match &self.wire {
            Wire::Call { call, .. } => call.id,
            Wire::Probe { id, .. } | Wire::Doubt(id) => *id,
            Wire::Free | Wire::Gap { .. } => return None,
        };
        if last != id {
            return None;
        }
        match std::mem::replace(&mut self.wire, Wire::Free) {
            Wire::Call { call, wanted, .. } => {
                self.bytes -= call.bytes.len();
                wanted.then_some(call)
            }
            _ => None,
        }
    }

    /// Sends a reply or a call over a free wire.
    fn send(&mut self, now: Instant) -> Next {
        let pause = self.calls.front().and_then(|call| call.not_before);
        let paused = pause.filter(|pause| now < *pause);
        let call_is_due = !self.calls.is_empty() && paused.is_none();
        if !call_is_due || self.burst < BURST {
            if let Some(reply) = self.replies.pop_front() {
                self.bytes -= reply.len();
                self.burst += 1;
                self.owed = self.owed.saturating_sub(1);
                self.wire = self.gap(now);
                return Next::Send(reply);
            }
        }
        if let Some(pause) = paused {
            return Next::Wait(pause);
        }
        let Some(call) = self.calls.pop_front() else {
            return Next::Idle;
        };
        let bytes = call.bytes.clone();
        self.burst = 0;
        self.wire = Wire::Call {
            call,
            until: now + PATIENCE,
            wanted: true,
        };
        Next::Send(bytes)
    }

    /// The pause after a reply that goes out now.
    fn gap(&mut self, now: Instant) -> Wire {
        let until = now + (self.pacing.gap * UNPROVEN).max(2 * self.slow);
        let waits_for_it = |called| now.saturating_duration_since(called) < PATIENCE / 2;
        let provable = self.called_alone.take().is_some_and(waits_for_it);
        let short = if provable {
            now + self.pacing.gap.max(self.slow)
        } else {
            until
        };
        Wire::Gap { until, short }
    }

    fn probe(&mut self, now: Instant) -> Next {
        let id = self.next_probe;
        self.next_probe -= 1;
        self.wire = Wire::Probe {
            id,
            until: now + PATIENCE,
        };
        Next::Send(format!(r#"{{"id": {id}, "method": "{GET_VERSION}"}}"#).into())
    }
}
