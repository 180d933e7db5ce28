//! What waits to be sent to one peer, and the task that sends it.

mod pack;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use sig_core::{
    Batch, Call, Carrier, CarrierError, ClientId, CodecError, Disconnect, Encoding, Message, PeerInfo, RawJson, Reason,
};
use tokio::sync::Notify;

use crate::hub::EventRecord;
use crate::outlet::Item;
use crate::pressure::{Gate, GivenUp, Marks, Pressure, Stallable, Stalls, release_all};
use crate::session::{Next, Pacer, methods};

/// How many events one peer may have waiting.
const PEER_MARKS: Marks = Marks {
    count: 64 * 1024,
    bytes: 1024 * 1024,
    patience: Duration::from_secs(5),
};

/// How many events a paced peer, which takes some hundred a second, may have waiting.
const PACED_MARKS: Marks = Marks {
    count: 256,
    bytes: 256 * 1024,
    patience: Duration::from_secs(12),
};

/// Most bytes of control messages that may wait for one peer: one that asks and never reads is let go of.
const MAX_CONTROL: usize = 32 * 1024 * 1024;

/// Why such a peer is let go of.
pub(crate) const UNREAD: &str = "the peer asks and does not read the answers";

/// What waits to be sent to one peer.
///
/// There are two lanes. Control messages overtake events; what must keep its place among the events goes with them.
/// Everything is packed when it is put in, so that the sending task only moves bytes.
pub(crate) struct Outbox {
    id: ClientId,
    carrier: Arc<dyn Carrier>,
    peer: PeerInfo,
    state: Mutex<State>,
    wake: Notify,
    stalls: Arc<Stalls>,
    me: Weak<Self>,
}

struct State {
    lanes: Lanes,
    pressure: Pressure,
    /// Bytes of control messages in the fast lane.
    fast_bytes: usize,
    /// The same in the bulk lane, among the events.
    ordered_bytes: usize,
    /// Events in the bulk lane and their bytes, for the pressure.
    bulk_count: usize,
    bulk_bytes: usize,
    /// Events that a paced peer has not answered yet, and their bytes.
    paced_events: HashMap<u64, usize>,
    /// Events that the peer did not get, all in all.
    lost: u64,
    /// How many of them since the last one of the same alias that it got: said with the next.
    missed: HashMap<u32, u64>,
    /// Aliases that the peer was told.
    announced: HashSet<u32>,
    max_frame: usize,
    /// Whether the session is not open yet, so that nothing but JSON is sure to be understood.
    greeting: bool,
    closed: bool,
    last_sent: Instant,
}

enum Lanes {
    Free { fast: Batch, bulk: Batch },
    Paced(Pacer),
}

/// An event for a paced peer.
#[derive(Debug)]
pub(crate) struct PacedEvent {
    pub(crate) id: u64,
    pub(crate) document: Bytes,
    /// Until when it is sent again if the peer does not know its listener yet.
    pub(crate) retry_until: Option<Instant>,
}

/// What the sending task does next.
enum Take {
    /// Send the batch.
    Ready,
    /// Nothing yet: a paced peer did not answer this call; ask again.
    GaveUp(u64),
    /// Nothing before this time.
    At(Instant),
    /// Nothing for now.
    Empty,
    /// Nothing ever again.
    Closed,
}

impl Outbox {
    pub(crate) fn new(id: ClientId, carrier: Arc<dyn Carrier>, peer: PeerInfo, stalls: Arc<Stalls>) -> Arc<Self> {
        let (lanes, marks) = match peer.pacing {
            Some(pacing) => (Lanes::Paced(Pacer::new(pacing)), PACED_MARKS),
            None => {
                let (fast, bulk) = (Batch::new(peer.encoding), Batch::new(peer.encoding));
                (Lanes::Free { fast, bulk }, PEER_MARKS)
            }
        };
        let state = State {
            lanes,
            pressure: Pressure::new(marks),
            fast_bytes: 0,
            ordered_bytes: 0,
            bulk_count: 0,
            bulk_bytes: 0,
            paced_events: HashMap::new(),
            lost: 0,
            missed: HashMap::new(),
            announced: HashSet::new(),
            max_frame: peer.max_frame,
            greeting: peer.pacing.is_none(),
            closed: false,
            last_sent: Instant::now(),
        };
        Arc::new_cyclic(|me| Self {
            id,
            carrier,
            peer,
            state: Mutex::new(state),
            wake: Notify::new(),
            stalls,
            me: me.clone(),
        })
    }

    pub(crate) fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    pub(crate) fn carrier(&self) -> &Arc<dyn Carrier> {
        &self.carrier
    }

    /// When something was last handed to the carrier.
    pub(crate) fn last_sent(&self) -> Instant {
        self.state.lock().last_sent
    }

    pub(crate) fn max_frame(&self) -> usize {
        self.state.lock().max_frame
    }

    /// Keeps frames within what the peer takes.
    pub(crate) fn limit_frames(&self, max_frame: usize) {
        let mut state = self.state.lock();
        state.max_frame = state.max_frame.min(max_frame);
    }

    /// The session is open: the codec is the same at both ends.
    pub(crate) fn greeted(&self) {
        self.state.lock().greeting = false;
    }

    /// Sends a control message ahead of waiting events.
    pub(crate) fn send(&self, message: &Message) -> Result<(), CarrierError> {
        self.send_in(message, true)
    }

    /// Sends a control message behind the events that wait now.
    pub(crate) fn send_in_order(&self, message: &Message) -> Result<(), CarrierError> {
        self.send_in(message, false)
    }

    /// Whether the peer asked so much without reading the answers that it is let go of.
    pub(crate) fn overflowed(&self) -> bool {
        let state = self.state.lock();
        state.closed && state.fast_bytes + state.ordered_bytes > MAX_CONTROL
    }

    /// Sends a sign of life.
    pub(crate) fn send_heartbeat(&self) {
        // A failure shows where the heartbeat is missed.
        let _ = self.send(&Call::notice(methods::HEARTBEAT, RawJson::null()).into());
    }

    fn send_in(&self, message: &Message, ahead: bool) -> Result<(), CarrierError> {
        let mut state = self.state.lock();
        let State {
            lanes,
            max_frame,
            greeting,
            closed,
            fast_bytes,
            ordered_bytes,
            ..
        } = &mut *state;
        if *closed {
            return Err(CarrierError::UnknownClient(self.id));
        }
        match lanes {
            Lanes::Free { fast, bulk } => {
                let lane = if ahead { fast } else { bulk };
                let bytes = if *greeting {
                    pack::greeting(lane, &self.peer, message, *max_frame)?
                } else {
                    pack::message(lane, &*self.carrier, &self.peer, message, *max_frame)?
                };
                *(if ahead { &mut *fast_bytes } else { &mut *ordered_bytes }) += bytes;
            }
            Lanes::Paced(pacer) => {
                let bytes = pack::to_bytes(&*self.carrier, &self.peer, message)?;
                match message {
                    Message::Call(call) => match call.id.as_ref().and_then(|id| id.number()) {
                        Some(id) => pacer.call(id, bytes, None).map_err(CodecError::from)?,
                        None => pacer.reply(bytes).map_err(CodecError::from)?,
                    },
                    Message::Reply(_) | Message::Event(_) => pacer.reply(bytes).map_err(CodecError::from)?,
                }
                *fast_bytes = pacer.byte_len();
            }
        }
        let overflow = *fast_bytes + *ordered_bytes > MAX_CONTROL;
        *closed = overflow;
        drop(state);
        self.wake.notify_one();
        if overflow {
            self.carrier
                .close_client(self.id, &Disconnect::new(Reason::Kicked, UNREAD));
            return Err(CarrierError::Other(UNREAD.to_owned()));
        }
        Ok(())
    }

    /// Puts an event in, under this alias, and gives the bytes that it was packed in; `None` if it was lost. Before an alias is first used, `announce` tells the peer
    /// what it stands for.
    pub(crate) fn offer(
        &self,
        alias: u32,
        announce: Option<&EventRecord>,
        item: &Item<'_>,
        gate: &Arc<Gate>,
    ) -> Result<Option<usize>, CodecError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.closed {
            return Ok(None);
        }
        if !state.accepts(item.presence) {
            state.miss(alias, item);
            return Ok(None);
        }
        let Lanes::Free { bulk, .. } = &mut state.lanes else {
            return Ok(None);
        };
        if let Some(event) = announce {
            if !state.announced.contains(&alias) {
                pack::message(
                    bulk,
                    &*self.carrier,
                    &self.peer,
                    &pack::announcement(event)?,
                    state.max_frame,
                )?;
                state.announced.insert(alias);
            }
        }
        let missed = state.missed.get(&alias).copied().unwrap_or(0);
        let packed = pack::event(bulk, &*self.carrier, &self.peer, alias, item, missed, state.max_frame);
        let bytes = match packed {
            Ok(bytes) => bytes,
            Err(error) => {
                state.miss(alias, item);
                return Err(error);
            }
        };
        state.missed.remove(&alias);
        let was_empty = state.bulk_count == 0;
        state.bulk_count += 1;
        state.bulk_bytes += bytes;
        let turned_full = state.pressure.put(bytes, gate);
        drop(guard);
        self.put_in(turned_full, was_empty);
        Ok(Some(bytes))
    }

    /// Puts an event in for a paced peer, as a call that it answers; false if it was lost.
    pub(crate) fn offer_call(&self, event: PacedEvent, presence: bool, gate: &Arc<Gate>) -> Result<bool, CodecError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.closed || !state.accepts(presence) {
            return Ok(false);
        }
        let PacedEvent {
            id,
            document,
            retry_until,
        } = event;
        let bytes = document.len();
        match &mut state.lanes {
            Lanes::Paced(pacer) => {
                pacer.call(id, document, retry_until)?;
                state.paced_events.insert(id, bytes);
            }
            // A medium that keeps messages apart needs no pacing.
            Lanes::Free { bulk, .. } => {
                bulk.push_frame(document);
                state.bulk_count += 1;
                state.bulk_bytes += bytes;
            }
        }
        let turned_full = state.pressure.put(bytes, gate);
        drop(guard);
        self.put_in(turned_full, true);
        Ok(true)
    }

    /// An event could not be put in: it is too large, or cannot be packed.
    pub(crate) fn count_lost(&self) {
        self.state.lock().lost += 1;
    }

    /// How many events the peer did not get.
    pub(crate) fn lost(&self) -> u64 {
        self.state.lock().lost
    }

    /// An event was put in; the lock is free again.
    fn put_in(&self, turned_full: bool, wake: bool) {
        if turned_full {
            self.stalls.add(self.me.clone());
        }
        if wake {
            self.wake.notify_one();
        }
    }

    /// A paced peer made a call, which will get a reply.
    pub(crate) fn called(&self, now: Instant) {
        if let Lanes::Paced(pacer) = &mut self.state.lock().lanes {
            pacer.called(now);
        }
        self.wake.notify_one();
    }

    /// The reply to this call is not waited for any more: a paced peer need not get it, if it has not gone out yet.
    pub(crate) fn drop_call(&self, id: u64) {
        if let Lanes::Paced(pacer) = &mut self.state.lock().lanes {
            pacer.drop_call(id);
        }
    }

    /// A paced peer answered a call. One that it was not `ready` for may be sent again: whether it is.
    pub(crate) fn answered(&self, id: u64, ready: bool, now: Instant) -> bool {
        let mut state = self.state.lock();
        let Lanes::Paced(pacer) = &mut state.lanes else {
            return false;
        };
        pacer.measure(id, now);
        if ready {
            pacer.answered(id);
        }
        let again = !ready && pacer.answered_not_ready(id, now);
        let released = if again { Vec::new() } else { state.event_done(id) };
        drop(state);
        release_all(released);
        self.wake.notify_one();
        again
    }

    /// Takes nothing more; what waits is still sent, then the sending task ends.
    pub(crate) fn finish(&self) {
        self.state.lock().closed = true;
        self.wake.notify_one();
    }

    /// Takes nothing more and drops what waits. Gives how many events that were.
    pub(crate) fn close(&self) -> usize {
        let mut state = self.state.lock();
        state.closed = true;
        let dropped = std::mem::take(&mut state.bulk_count);
        match &mut state.lanes {
            // New ones, since whoever still knows this outbox would keep the memory of these.
            Lanes::Free { fast, bulk } => {
                (*fast, *bulk) = (Batch::new(self.peer.encoding), Batch::new(self.peer.encoding));
            }
            Lanes::Paced(_) => state.paced_events.clear(),
        }
        let released = state.pressure.close();
        drop(state);
        release_all(released);
        self.wake.notify_one();
        dropped
    }

    /// Moves what waits into `batch`, which is empty.
    fn take(&self, now: Instant, batch: &mut Batch) -> Take {
        let mut released = Vec::new();
        let mut state = self.state.lock();
        let taken = state.take(now, batch, self.peer.encoding, &mut released);
        drop(state);
        // A gate that opens may want to tell its sender so, through this very outbox.
        release_all(released);
        taken
    }
}

impl State {
    /// An event of this alias is lost, and with it the news of those that were lost before it.
    fn miss(&mut self, alias: u32, item: &Item<'_>) {
        let missed = self.missed.entry(alias).or_default();
        *missed = missed.saturating_add(item.lagged).saturating_add(1);
    }

    /// Whether there is room for an event; if not, it is counted.
    fn accepts(&mut self, presence: bool) -> bool {
        let accepts = self.pressure.accepts(presence);
        self.lost += u64::from(!accepts);
        accepts
    }

    /// An event to a paced peer was answered, or given up on.
    fn event_done(&mut self, id: u64) -> Vec<Arc<Gate>> {
        self.paced_events
            .remove(&id)
            .map(|bytes| self.pressure.took(1, bytes))
            .unwrap_or_default()
    }

    fn take(&mut self, now: Instant, batch: &mut Batch, encoding: Encoding, released: &mut Vec<Arc<Gate>>) -> Take {
        let when_empty = if self.closed { Take::Closed } else { Take::Empty };
        match &mut self.lanes {
            Lanes::Free { fast, bulk } if fast.is_empty() && bulk.is_empty() => {
                // An idle peer holds no buffer.
                (*fast, *bulk) = (Batch::new(encoding), Batch::new(encoding));
                when_empty
            }
            Lanes::Free { fast, .. } if !fast.is_empty() => {
                std::mem::swap(fast, batch);
                (self.fast_bytes, self.last_sent) = (0, now);
                Take::Ready
            }
            Lanes::Free { bulk, .. } => {
                std::mem::swap(bulk, batch);
                (self.ordered_bytes, self.last_sent) = (0, now);
                let (count, bytes) = (
                    std::mem::take(&mut self.bulk_count),
                    std::mem::take(&mut self.bulk_bytes),
                );
                if count > 0 {
                    *released = self.pressure.took(count, bytes);
                }
                Take::Ready
            }
            Lanes::Paced(pacer) => match pacer.next(now) {
                Next::Send(bytes) => {
                    batch.push_frame(bytes);
                    self.last_sent = now;
                    Take::Ready
                }
                Next::GaveUp(id) => {
                    self.lost += u64::from(self.paced_events.contains_key(&id));
                    *released = self.event_done(id);
                    Take::GaveUp(id)
                }
                Next::Wait(until) => Take::At(until),
                Next::Idle => when_empty,
            },
        }
    }
}

impl Stallable for Outbox {
    fn give_up(&self, now: Instant) -> GivenUp {
        self.state.lock().pressure.give_up(now)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {} at {}", self.id, self.peer.address)
    }
}
