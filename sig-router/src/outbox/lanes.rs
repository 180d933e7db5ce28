//! The two lanes to a peer that takes whatever it is sent: control messages ahead, events and presence in order.

use std::ops::{Add, AddAssign, SubAssign};
use std::sync::Weak;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use sig_core::{Batch, Carrier, CodecError, Encoding, Message, PeerInfo};
use sig_wire::{EventHeader, Flags};

use super::bulk::{self, Bulk};
use super::pack::{self, Heading, Piece};
use crate::burst::{self, Burst};
use crate::clock;
use crate::confirm::{Recall, Unsent};
use crate::flow::{Arriving, Backlog, Class, Pushed};
use crate::hub::EventRecord;
use crate::outlet::{Item, Terms};
use crate::policy::Policy;
use crate::session::methods;

/// While fewer bytes than this wait, the policies that drop have nothing to do.
const LITTLE: usize = 16 * 1024;

/// While fewer bytes than this wait, presence just goes with the events.
const MUCH: usize = 1024 * 1024;

/// How much of the backlog goes out in one batch.
const PORTION: usize = 64 * 1024;

/// How many portions are much, over a slow medium.
const PORTIONS: usize = 64;

/// To whom something goes, and in which form.
#[derive(Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) carrier: &'a dyn Carrier,
    pub(super) peer: &'a PeerInfo,
    pub(super) max_frame: usize,
    /// Larger frames go in pieces of this size.
    pub(super) chunk: usize,
    /// Who asks questions about events.
    pub(super) asker: Option<&'a Weak<dyn Recall>>,
}

/// What waits piece by piece.
struct Queued {
    piece: Piece,
    unsent: Option<Unsent>,
}

/// What waits for a peer that takes whatever it is sent.
///
/// Events are appended to the outgoing bytes as they come. Only where some of them may be dropped later, since a policy
/// says so and the peer does not keep up, do they wait piece by piece in the backlog, and what comes then waits behind
/// them.
pub(super) struct Lanes {
    fast: Batch,
    /// Control messages that are large and need not keep their place go in pieces, in turns with the events.
    large: Option<Box<Bulk>>,
    /// Whether it was their turn.
    turn: bool,
    bulk: Bulk,
    backlog: Backlog<Queued>,
}

/// Events and their bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    /// All of them.
    pub(super) events: usize,
    pub(super) bytes: usize,
    /// Those that hold up their senders.
    pub(super) blocking: usize,
    pub(super) blocking_bytes: usize,
}

impl Load {
    fn of(events: u64, bytes: usize, blocks: bool) -> Self {
        let events = usize::try_from(events).unwrap_or(usize::MAX);
        let (blocking, blocking_bytes) = if blocks { (events, bytes) } else { (0, 0) };
        Self {
            events,
            bytes,
            blocking,
            blocking_bytes,
        }
    }
}

impl Add for Load {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.bytes += other.bytes;
        self.blocking += other.blocking;
        self.blocking_bytes += other.blocking_bytes;
    }
}

impl SubAssign for Load {
    fn sub_assign(&mut self, other: Self) {
        self.events -= other.events;
        self.bytes -= other.bytes;
        self.blocking -= other.blocking;
        self.blocking_bytes -= other.blocking_bytes;
    }
}

/// What was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Fast,
    Bulk,
}

impl Lanes {
    /// For a peer of this encoding, who is handed so many bytes of events at a time where they are small.
    pub(super) fn new(encoding: Encoding, portion: usize) -> Self {
        Self {
            fast: Batch::new(encoding),
            large: None,
            turn: false,
            bulk: Bulk::new(encoding, Flags::NONE, portion),
            backlog: Backlog::default(),
        }
    }

    /// The batch of control messages.
    pub(super) fn fast(&mut self) -> &mut Batch {
        &mut self.fast
    }

    /// Appends a control message that overtakes events. Gives the bytes that it counts for.
    pub(super) fn push_ahead(&mut self, form: Form<'_>, message: &Message) -> Result<usize, CodecError> {
        let Form {
            carrier,
            peer,
            max_frame,
            ..
        } = form;
        let method = match message {
            Message::Call(call) => call.method.as_deref(),
            Message::Reply(_) | Message::Event(_) => None,
        };
        // The request that it is about may be among those that wait.
        if method == Some(methods::CANCEL)
            && let Some(large) = self.large.as_mut().filter(|large| !large.is_empty())
        {
            let bytes = pack::message(large.rest(), carrier, peer, message, max_frame)?;
            large.count(Load::of(0, bytes, false));
            return Ok(bytes);
        }
        let bytes = pack::message(&mut self.fast, carrier, peer, message, max_frame)?;
        // Requests and replies come in any order.
        if bytes > form.chunk && (method == Some(methods::REQUEST) || matches!(message, Message::Reply(_))) {
            let frame = bulk::split_last(&mut self.fast, bytes);
            let large = self
                .large
                .get_or_insert_with(|| Box::new(Bulk::new(peer.encoding, Flags::AHEAD, usize::MAX)));
            large.push_large([frame], Load::of(0, bytes, false));
        }
        Ok(bytes)
    }

    /// Bytes of control messages that overtake events.
    pub(super) fn bytes_ahead(&self) -> usize {
        self.fast.byte_len() + self.large.as_ref().map_or(0, |large| large.load().bytes)
    }

    /// How many events wait.
    pub(super) fn events(&self) -> usize {
        self.bulk.load().events + self.backlog.len()
    }

    /// How many bytes of events wait; far more than any mark where they wait piece by piece.
    pub(super) fn bytes(&self) -> usize {
        if self.backlog.is_empty() {
            self.bulk.load().bytes
        } else {
            usize::MAX
        }
    }

    /// Whether nothing waits that could be sent now.
    pub(super) fn is_empty(&self) -> bool {
        self.fast.is_empty() && self.large.as_ref().is_none_or(|large| large.is_empty()) && self.has_no_events()
    }

    /// Whether pieces of a large event, or what is behind it, wait.
    pub(super) fn has_large(&self) -> bool {
        self.bulk.has_large()
    }

    /// Whether no event waits that could be sent now, and nothing among the events.
    pub(super) fn has_no_events(&self) -> bool {
        self.bulk.is_empty() && self.backlog.is_empty()
    }

    /// When an event is due that is held back.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.backlog.next_due()
    }

    /// Appends a control message behind the events.
    pub(super) fn push_in_order(&mut self, form: Form<'_>, message: &Message) -> Result<usize, CodecError> {
        let Form {
            carrier,
            peer,
            max_frame,
            ..
        } = form;
        if self.backlog.is_empty() {
            let bytes = pack::message(self.bulk.rest(), carrier, peer, message, max_frame)?;
            if bytes > form.chunk {
                self.bulk.cut_off(bytes, Load::default());
            } else {
                self.bulk.appended(bytes);
            }
            return Ok(bytes);
        }
        let piece = Piece::message(carrier, peer, message, max_frame)?;
        let size = piece.size();
        self.backlog.push_notice(Queued { piece, unsent: None });
        Ok(size)
    }

    /// What waits of this event stays in front of what follows: it is neither held back nor replaced any more.
    pub(super) fn settle(&mut self, alias: u32) {
        self.backlog.settle(alias);
    }

    /// The batch of events: for what comes before there are any.
    pub(super) fn bulk(&mut self) -> &mut Batch {
        self.bulk.rest()
    }

    /// Puts an event in that is packed already.
    pub(super) fn push_packed(&mut self, frame: Bytes) {
        self.bulk.count(Load::of(1, frame.len(), true));
        self.bulk.rest().push_frame(frame);
    }

    /// Appends events that came together, which [go directly](Self::goes_directly) and hold up their sender.
    pub(super) fn push_burst(&mut self, burst: &Burst<'_>) {
        self.bulk.rest().bytes().extend_from_slice(burst.frames);
        self.bulk.count(Load::of(burst.count, burst.frames.len(), true));
    }

    /// Appends a plain event, if it [goes directly](Self::goes_directly) and holds up its sender. Gives the bytes that it
    /// was packed in.
    pub(super) fn push_plain(
        &mut self,
        form: Form<'_>,
        heading: Heading,
        item: &Item<'_>,
        terms: &Terms,
    ) -> Option<usize> {
        if form.peer.encoding != Encoding::Sig1 || heading.ask.is_some() || !terms.policy.blocks() {
            return None;
        }
        let content_type = item.plain()?;
        if !self.goes_directly(heading.alias, false, terms.policy) {
            return None;
        }
        let header = EventHeader {
            alias: heading.alias,
            number: item.number,
        };
        let limit = u32::try_from(form.max_frame).unwrap_or(u32::MAX);
        let data = item.bytes();
        if data.len() > form.chunk {
            let mut head = BytesMut::new();
            let size = burst::append_head(&mut head, header, content_type, data.len(), limit).ok()? + data.len();
            let frame = [head.freeze(), item.payload().bytes().clone()];
            self.bulk.push_large(frame, Load::of(1, size, true));
            return Some(size);
        }
        let size = burst::append(self.bulk.rest().bytes(), header, content_type, data, limit).ok()?;
        self.bulk.count(Load::of(1, size, true));
        Some(size)
    }

    /// Puts an event in. Gives what became of it, and the bytes that it was packed in.
    pub(super) fn push_event(
        &mut self,
        form: Form<'_>,
        event: &EventRecord,
        heading: Heading,
        item: &Item<'_>,
        terms: &Terms,
    ) -> Result<(Pushed, usize), CodecError> {
        let Form {
            carrier,
            peer,
            max_frame,
            asker,
            chunk,
        } = form;
        if self.goes_directly(heading.alias, item.presence, terms.policy) {
            let bytes = pack::event(self.bulk.rest(), carrier, peer, heading, item, max_frame)?;
            let load = Load::of(1, bytes, terms.policy.blocks() && !item.presence);
            if bytes > chunk {
                self.bulk.cut_off(bytes, load);
            } else {
                self.bulk.count(load);
            }
            return Ok((Pushed::STORED, bytes));
        }
        let class = if item.presence {
            Class::Presence {
                connects: event.name().as_str() == sig_core::CONNECT,
            }
        } else {
            Class::Event {
                policy: terms.policy,
                listener: terms.listener,
            }
        };
        let arriving = Arriving {
            alias: heading.alias,
            number: item.number,
            sender: &event.id().sender,
            skipped: item.skipped,
            bytes: item.bytes().len(),
            class,
        };
        let mut bytes = 0;
        let pushed = self.backlog.push(&arriving, clock::now(), |skipped| {
            let piece = Piece::event(carrier, peer, heading, item, skipped, max_frame)?;
            bytes = piece.size();
            let unsent = asker.zip(heading.ask.as_ref());
            let unsent = unsent.map(|(asker, ask)| Unsent::new(asker, ask));
            Ok::<_, CodecError>(Queued { piece, unsent })
        })?;
        Ok((pushed, bytes))
    }

    /// Whether an event under this policy just goes behind those that wait.
    pub(super) fn goes_directly(&self, alias: u32, presence: bool, policy: Policy) -> bool {
        if !self.backlog.is_empty() || self.backlog.holds(alias) {
            return false;
        }
        if presence {
            return self.bulk.load().bytes < self.portions(MUCH) && self.backlog.next_due().is_none();
        }
        match policy {
            Policy::Block(_) => true,
            Policy::DropOldest(_) | Policy::DropNewest(_) => self.bulk.load().bytes < LITTLE.min(self.bulk.portion()),
            Policy::Latest => self.bulk.load().events == 0,
            Policy::Rate(_) => false,
        }
    }

    /// How many bytes of small events go at a time.
    pub(super) fn portion(&self) -> usize {
        self.bulk.portion()
    }

    /// This many bytes, or some portions where that is less: over a slow medium everything is smaller.
    pub(super) fn portions(&self, most: usize) -> usize {
        most.min(self.bulk.portion().saturating_mul(PORTIONS))
    }

    /// Moves what waits into `batch`, which is empty: control messages, or else a batch of events and their load.
    pub(super) fn take(&mut self, now: Instant, batch: &mut Batch, form: Form<'_>) -> Option<(Lane, Load)> {
        if !self.fast.is_empty() {
            std::mem::swap(&mut self.fast, batch);
            return Some((Lane::Fast, Load::default()));
        }
        self.turn = !self.turn;
        if self.turn
            && let Some(taken) = self.take_large(batch, form)
        {
            return Some(taken);
        }
        if let Some(load) = self.bulk.take(form.chunk, batch) {
            return Some((Lane::Bulk, load));
        }
        self.backlog.ripen(now);
        self.take_from_backlog(batch, form)
            .or_else(|| self.take_large(batch, form))
    }

    fn take_large(&mut self, batch: &mut Batch, form: Form<'_>) -> Option<(Lane, Load)> {
        let load = self.large.as_mut()?.take(form.chunk, batch)?;
        Some((Lane::Fast, load))
    }

    fn take_from_backlog(&mut self, batch: &mut Batch, form: Form<'_>) -> Option<(Lane, Load)> {
        let encoding = form.peer.encoding;
        let mut load = Load::default();
        let mut portion = 0;
        let most = PORTION.min(self.bulk.portion());
        while portion < most {
            let Some(entry) = self.backlog.pop() else { break };
            let Queued { piece, unsent } = entry.item;
            let size = piece.size();
            let its_load = match entry.class {
                Class::Notice => Load::default(),
                Class::Presence { .. } => Load::of(1, size, false),
                Class::Event { policy, .. } => Load::of(1, size, policy.blocks()),
            };
            unsent.into_iter().for_each(Unsent::sent);
            match piece {
                Piece::Packed(frame) if size > form.chunk => {
                    // It goes next: nothing else is in front of the backlog.
                    self.bulk.push_large([frame], its_load);
                    break;
                }
                piece => {
                    portion += size;
                    load += its_load;
                    // It is of the batch's encoding: both are the peer's.
                    if piece.put(batch, encoding).is_err() {
                        break;
                    }
                }
            }
        }
        match portion {
            0 => self.bulk.take(form.chunk, batch).map(|load| (Lane::Bulk, load)),
            _ => Some((Lane::Bulk, load)),
        }
    }

    /// Lets go of what is held back: nothing follows any more.
    pub(super) fn let_all_go(&mut self) {
        self.backlog.let_all_go();
    }

    /// An idle peer holds no buffer.
    pub(super) fn shrink(&mut self, encoding: Encoding) {
        if self.fast.is_empty() {
            self.fast = Batch::new(encoding);
        }
        self.large.take_if(|large| large.is_empty());
        self.bulk.shrink(encoding);
    }

    /// Drops what waits, and gives how many events that were.
    pub(super) fn clear(&mut self, encoding: Encoding) -> usize {
        let dropped = self.bulk.load().events + self.backlog.events();
        *self = Self::new(encoding, self.bulk.portion());
        dropped
    }
}
