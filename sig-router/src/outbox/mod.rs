//! What waits to be sent to one peer, and the task that sends it.

mod bulk;
mod events;
mod lanes;
mod paced;
mod pack;
mod prompt;
mod state;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sig_core::{
    Batch, Call, Carrier, CarrierError, ClientId, CodecError, Disconnect, Encoding, Message, PeerInfo, Profile,
    RawJson, Reason,
};
use tokio::sync::Notify;

use lanes::{Form, Lanes};
pub(crate) use paced::PacedEvent;
pub(crate) use pack::Heading;
pub(crate) use state::Tally;
use state::{Announced, Hands, Sending, State, Take};

use crate::clock;
use crate::confirm::Recall;
use crate::pressure::{Gate, GivenUp, Marks, Pressure, Stallable, Stalls, Whose, release_all};
use crate::session::{Pacer, methods};

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

/// Fewest bytes of a frame that go in one piece.
const LEAST_CHUNK: usize = 64;

/// How long nothing is sent until buffers are let go of.
const IDLE: Duration = Duration::from_millis(200);

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
    /// Something was put in for the one who did so to [send](Self::send_now).
    unsent: AtomicBool,
    /// Larger frames go in pieces of this size.
    chunk: AtomicUsize,
    stalls: Arc<Stalls>,
    /// Who asks the peer what became of events.
    asker: OnceLock<Weak<dyn Recall>>,
    me: Weak<Self>,
}

impl Outbox {
    pub(crate) fn new(id: ClientId, carrier: Arc<dyn Carrier>, peer: PeerInfo, stalls: Arc<Stalls>) -> Arc<Self> {
        let (lanes, marks) = match peer.pacing {
            Some(pacing) => (Sending::Paced(Pacer::new(pacing)), PACED_MARKS),
            None => {
                let lanes = Lanes::new(peer.encoding, portion(&*carrier, peer.encoding));
                let bytes = lanes.portions(PEER_MARKS.bytes);
                (Sending::Free(lanes), Marks { bytes, ..PEER_MARKS })
            }
        };
        let state = State {
            lanes,
            pressure: Pressure::new(marks),
            fast_bytes: 0,
            ordered_bytes: 0,
            hands: Hands::Task,
            rest: None,
            spare: None,
            in_hand: 0,
            tally: Tally::default(),
            paced_events: HashMap::new(),
            lost: 0,
            skipped: 0,
            missed: HashMap::new(),
            announced: Announced::default(),
            catch_ups: VecDeque::new(),
            max_frame: peer.max_frame,
            greeting: peer.pacing.is_none(),
            closed: false,
            last_sent: clock::now(),
        };
        Arc::new_cyclic(|me| Self {
            id,
            carrier,
            peer,
            state: Mutex::new(state),
            wake: Notify::new(),
            unsent: AtomicBool::new(false),
            chunk: AtomicUsize::new(usize::MAX),
            stalls,
            asker: OnceLock::new(),
            me: me.clone(),
        })
    }

    pub(crate) fn id(&self) -> ClientId {
        self.id
    }

    /// From now on, who asks is told what never went out.
    pub(crate) fn set_asker(&self, asker: Weak<dyn Recall>) {
        // There is one for each link.
        let _ = self.asker.set(asker);
    }

    pub(crate) fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    pub(crate) fn carrier(&self) -> &Arc<dyn Carrier> {
        &self.carrier
    }

    /// When something was last handed to the carrier. A peer that has been idle for a while holds no buffer from then on.
    pub(crate) fn look_after(&self, now: Instant) -> Instant {
        let mut state = self.state.lock();
        if now.saturating_duration_since(state.last_sent) >= IDLE {
            state.spare = None;
            if let Sending::Free(lanes) = &mut state.lanes {
                lanes.shrink(self.peer.encoding);
            }
        }
        state.last_sent
    }

    pub(crate) fn max_frame(&self) -> usize {
        self.state.lock().max_frame
    }

    /// Keeps frames within what the peer takes.
    pub(crate) fn limit_frames(&self, max_frame: usize) {
        let mut state = self.state.lock();
        state.max_frame = state.max_frame.min(max_frame);
    }

    /// The peer puts frames together that come in pieces: from now on large ones are cut.
    pub(crate) fn cut_frames(&self) {
        if self.peer.encoding == Encoding::Sig1 {
            let chunk = self.carrier.profile().chunk.max(LEAST_CHUNK);
            self.chunk.store(chunk, Ordering::Relaxed);
        }
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
        self.put_message(message, ahead)?;
        self.wake.notify_one();
        Ok(())
    }

    fn put_message(&self, message: &Message, ahead: bool) -> Result<(), CarrierError> {
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
            Sending::Free(lanes) => {
                let bytes = if *greeting {
                    let lane = if ahead { lanes.fast() } else { lanes.bulk() };
                    pack::greeting(lane, &self.peer, message, *max_frame)?
                } else if ahead {
                    lanes.push_ahead(self.form(*max_frame), message)?
                } else {
                    lanes.push_in_order(self.form(*max_frame), message)?
                };
                *(if ahead { &mut *fast_bytes } else { &mut *ordered_bytes }) += bytes;
            }
            Sending::Paced(pacer) => {
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
        if overflow {
            self.wake.notify_one();
            self.carrier
                .close_client(self.id, &Disconnect::new(Reason::Kicked, UNREAD));
            return Err(CarrierError::Other(UNREAD.to_owned()));
        }
        Ok(())
    }

    fn form(&self, max_frame: usize) -> Form<'_> {
        Form {
            carrier: &*self.carrier,
            peer: &self.peer,
            max_frame,
            chunk: self.chunk.load(Ordering::Relaxed),
            asker: self.asker.get(),
        }
    }

    /// Whether it is full. The gate is shut then, until there is room, for so long at most: for who has more than one
    /// event to put in, and is not held up by others' events.
    pub(crate) fn is_full(&self, gate: &Arc<Gate>, patience: Duration) -> bool {
        let mut state = self.state.lock();
        if state.closed || !state.pressure.is_full() {
            return false;
        }
        let turned_full = state.pressure.hold(gate, patience);
        drop(state);
        self.put_in(turned_full, false);
        true
    }

    /// An event could not be put in: it is too large, or cannot be packed.
    pub(crate) fn count_lost(&self) {
        self.state.lock().lost += 1;
    }

    /// How many events its listeners' policies left out here.
    pub(crate) fn skipped(&self) -> u64 {
        self.state.lock().skipped
    }

    /// How many events wait for the peer.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.state.lock();
        match &state.lanes {
            Sending::Free(lanes) => lanes.events(),
            Sending::Paced(_) => state.paced_events.len(),
        }
    }

    /// How many events wait for the peer, or are in the batch that the carrier has now.
    pub(crate) fn unsent(&self) -> usize {
        self.waiting() + self.state.lock().in_hand
    }

    /// Whether events are lost until what waits has gone out.
    pub(crate) fn is_lagging(&self) -> bool {
        self.state.lock().pressure.is_lagging()
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

    /// The same, where whoever put it in may send it.
    fn put_in_promptly(&self, heading: Heading, turned_full: bool, was_empty: bool, fills_portion: bool) {
        self.put_in(turned_full, was_empty && !heading.prompt);
        if heading.prompt && (was_empty || fills_portion) {
            self.unsent.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it takes nothing more.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Takes nothing more; what waits is still sent, then the sending task ends.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        if let Sending::Free(lanes) = &mut state.lanes {
            lanes.let_all_go();
        }
        drop(state);
        self.wake.notify_one();
    }

    /// What became so far of the events that were put in.
    pub(crate) fn tally(&self) -> Tally {
        self.state.lock().tally
    }

    /// Takes nothing more and drops what waits, also what the carrier was given and did not say to have sent.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.missed.clear();
        state.catch_ups.clear();
        (state.rest, state.spare) = (None, None);
        let waiting = match &mut state.lanes {
            Sending::Free(lanes) => lanes.clear(self.peer.encoding),
            Sending::Paced(_) => std::mem::take(&mut state.paced_events).len(),
        };
        state.tally.dropped += (waiting + std::mem::take(&mut state.in_hand)) as u64;
        let released = state.pressure.close();
        drop(state);
        release_all(released);
        self.wake.notify_one();
    }

    /// Moves what waits into `batch`, which is empty: what was in it before has been sent.
    fn take(&self, batch: &mut Batch) -> Take {
        let mut released = Vec::new();
        let mut state = self.state.lock();
        // To look at the clock takes longer than all the rest, where nothing is there.
        let now = if state.has_nothing() {
            state.last_sent
        } else {
            clock::now()
        };
        let form = self.form(state.max_frame);
        let taken = state.take(now, batch, form, &mut released);
        drop(state);
        // A gate that opens may want to tell its sender so, through this very outbox.
        release_all(released);
        taken
    }
}

/// How many bytes of small events the carrier is handed at a time: where it wants small pieces, no more than one of those.
fn portion(carrier: &dyn Carrier, encoding: Encoding) -> usize {
    let chunk = carrier.profile().chunk.max(LEAST_CHUNK);
    if encoding == Encoding::Sig1 && chunk < Profile::default().chunk {
        chunk
    } else {
        usize::MAX
    }
}

impl Stallable for Outbox {
    fn give_up(&self, now: Instant) -> GivenUp {
        self.state.lock().pressure.give_up(now)
    }

    fn laggard(&self) -> (Whose, Option<Instant>) {
        (Whose::Client(self.id), Some(self.state.lock().pressure.last_taken()))
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {} at {}", self.id, self.peer.address)
    }
}
