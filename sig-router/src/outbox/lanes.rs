//! The two lanes to a peer that takes whatever it is sent: control messages ahead, events and presence in order.

use std::sync::Weak;
use std::time::Instant;

use bytes::Bytes;
use sig_core::{Batch, Carrier, CodecError, Encoding, Message, PeerInfo};
use sig_wire::EventHeader;

use super::pack::{self, Heading, Piece};
use crate::burst::{self, Burst};
use crate::clock;
use crate::confirm::{Recall, Unsent};
use crate::flow::{Arriving, Backlog, Class, Pushed};
use crate::hub::EventRecord;
use crate::outlet::{Item, Terms};
use crate::policy::Policy;

/// While fewer bytes than this wait, the policies that drop have nothing to do.
const LITTLE: usize = 16 * 1024;

/// While fewer bytes than this wait, presence just goes with the events.
const MUCH: usize = 1024 * 1024;

/// How much of the backlog goes out in one batch.
const PORTION: usize = 64 * 1024;

/// To whom something goes, and in which form.
#[derive(Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) carrier: &'a dyn Carrier,
    pub(super) peer: &'a PeerInfo,
    pub(super) max_frame: usize,
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
    bulk: Batch,
    in_bulk: Load,
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
    fn add(&mut self, events: u64, bytes: usize, blocks: bool) {
        let events = usize::try_from(events).unwrap_or(usize::MAX);
        (self.events, self.bytes) = (self.events + events, self.bytes + bytes);
        if blocks {
            (self.blocking, self.blocking_bytes) = (self.blocking + events, self.blocking_bytes + bytes);
        }
    }
}

/// What was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Fast,
    Bulk,
}

impl Lanes {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self {
            fast: Batch::new(encoding),
            bulk: Batch::new(encoding),
            in_bulk: Load::default(),
            backlog: Backlog::default(),
        }
    }

    /// The batch of control messages.
    pub(super) fn fast(&mut self) -> &mut Batch {
        &mut self.fast
    }

    /// How many events wait.
    pub(super) fn events(&self) -> usize {
        self.in_bulk.events + self.backlog.len()
    }

    /// How many bytes of events wait; far more than any mark where they wait piece by piece.
    pub(super) fn bytes(&self) -> usize {
        if self.backlog.is_empty() {
            self.in_bulk.bytes
        } else {
            usize::MAX
        }
    }

    /// Whether nothing waits that could be sent now.
    pub(super) fn is_empty(&self) -> bool {
        self.fast.is_empty() && self.has_no_events()
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
            return pack::message(&mut self.bulk, carrier, peer, message, max_frame);
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
        &mut self.bulk
    }

    /// Puts an event in that is packed already.
    pub(super) fn push_packed(&mut self, frame: Bytes) {
        self.in_bulk.add(1, frame.len(), true);
        self.bulk.push_frame(frame);
    }

    /// Appends events that came together, which [go directly](Self::goes_directly) and hold up their sender.
    pub(super) fn push_burst(&mut self, burst: &Burst<'_>) {
        self.bulk.bytes().extend_from_slice(burst.frames);
        self.in_bulk.add(burst.count, burst.frames.len(), true);
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
        let size = burst::append(self.bulk.bytes(), header, content_type, data, limit).ok()?;
        self.in_bulk.add(1, size, true);
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
        } = form;
        if self.goes_directly(heading.alias, item.presence, terms.policy) {
            let bytes = pack::event(&mut self.bulk, carrier, peer, heading, item, max_frame)?;
            self.in_bulk.add(1, bytes, terms.policy.blocks() && !item.presence);
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
            return self.in_bulk.bytes < MUCH && self.backlog.next_due().is_none();
        }
        match policy {
            Policy::Block(_) => true,
            Policy::DropOldest(_) | Policy::DropNewest(_) => self.in_bulk.bytes < LITTLE,
            Policy::Latest => self.in_bulk.events == 0,
            Policy::Rate(_) => false,
        }
    }

    /// Moves what waits into `batch`, which is empty: control messages, or else a batch of events and their load.
    pub(super) fn take(&mut self, now: Instant, batch: &mut Batch, encoding: Encoding) -> Option<(Lane, Load)> {
        if !self.fast.is_empty() {
            std::mem::swap(&mut self.fast, batch);
            return Some((Lane::Fast, Load::default()));
        }
        if !self.bulk.is_empty() {
            std::mem::swap(&mut self.bulk, batch);
            return Some((Lane::Bulk, std::mem::take(&mut self.in_bulk)));
        }
        self.backlog.ripen(now);
        let mut load = Load::default();
        let mut portion = 0;
        while portion < PORTION {
            let Some(entry) = self.backlog.pop() else { break };
            let Queued { piece, unsent } = entry.item;
            let size = piece.size();
            portion += size;
            match entry.class {
                Class::Notice => {}
                Class::Presence { .. } => load.add(1, size, false),
                Class::Event { policy, .. } => load.add(1, size, policy.blocks()),
            }
            // It is of the batch's encoding: both are the peer's.
            if piece.put(batch, encoding).is_err() {
                break;
            }
            unsent.into_iter().for_each(Unsent::sent);
        }
        (portion > 0).then_some((Lane::Bulk, load))
    }

    /// Lets go of what is held back: nothing follows any more.
    pub(super) fn let_all_go(&mut self) {
        self.backlog.let_all_go();
    }

    /// An idle peer holds no buffer.
    pub(super) fn shrink(&mut self, encoding: Encoding) {
        for batch in [&mut self.fast, &mut self.bulk] {
            if batch.is_empty() {
                *batch = Batch::new(encoding);
            }
        }
    }

    /// Drops what waits, and gives how many events that were.
    pub(super) fn clear(&mut self, encoding: Encoding) -> usize {
        let dropped = self.in_bulk.events + self.backlog.events();
        *self = Self::new(encoding);
        dropped
    }
}
