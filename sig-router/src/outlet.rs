//! Where events go that are not delivered on the spot.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sig_core::{ContentType, Encoding, Payload};
use sig_wire::{Extension, Tlvs};

use crate::burst::{self, Burst};
use crate::complaints::Complaints;
use crate::confirm::{Ask, Receipt, Tally};
use crate::hub::{CatchUp, EventRecord};
use crate::outbox::Outbox;
use crate::policy::{DEFAULT_PATIENCE, Policy};
use crate::pressure::{Gate, Whose};
use crate::queue::ListenerStats;
use crate::straight::Straight;

/// An event on its way out, packed.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    /// Counts per sender generation and event.
    pub(crate) number: u64,
    /// Its extensions, but for the content type.
    pub(crate) ext: &'a [u8],
    /// The number of the one before it that came to this router; what is missing in between was lost.
    pub(crate) before: u64,
    /// How many events a policy left out right before it on its way here, as its extensions say.
    pub(crate) skipped: u64,
    /// How old it is, if it is no live event but a retained one.
    pub(crate) retained: Option<Duration>,
    /// Presence is never lost to a policy.
    pub(crate) presence: bool,
    content_type: ContentType,
    bytes: &'a [u8],
    /// The data, where it has its own piece of memory.
    shared: Option<&'a Payload>,
    /// The whole sig/1 frame, when the event arrived as one.
    frame: Option<&'a [u8]>,
    /// The memory that it lies in, if it has that to itself.
    memory: Option<&'a Bytes>,
    /// The data as its own piece of memory, made when the first needs it.
    payload: OnceCell<Payload>,
    tally: Option<&'a Arc<Tally>>,
    /// What the peer that it came from waits to be told of it.
    pub(crate) ask: Option<Ask>,
    complaints: Complaints,
}

impl<'a> Item<'a> {
    /// An event whose data is a payload.
    pub(crate) fn new(number: u64, payload: &'a Payload) -> Self {
        Self {
            shared: Some(payload),
            ..Self::from_buffer(number, payload.content_type(), payload.bytes())
        }
    }

    /// An event that arrived as a sig/1 frame, in a read buffer.
    pub(crate) fn from_frame(number: u64, frame: &'a [u8], content_type: ContentType, bytes: &'a [u8]) -> Self {
        Self {
            frame: Some(frame),
            ..Self::from_buffer(number, content_type, bytes)
        }
    }

    /// An event that lies in a buffer.
    pub(crate) fn from_buffer(number: u64, content_type: ContentType, bytes: &'a [u8]) -> Self {
        Self {
            number,
            ext: &[],
            before: number.saturating_sub(1),
            skipped: 0,
            retained: None,
            presence: false,
            content_type,
            bytes,
            shared: None,
            frame: None,
            memory: None,
            payload: OnceCell::new(),
            tally: None,
            ask: None,
            complaints: Complaints::default(),
        }
    }

    /// The event, which has the memory to itself in which it lies.
    pub(crate) fn within(self, memory: Option<&'a Bytes>) -> Self {
        Self { memory, ..self }
    }

    /// The event, before which this one came.
    pub(crate) fn behind(self, before: u64) -> Self {
        Self { before, ..self }
    }

    /// The event with these extensions.
    pub(crate) fn with_ext(mut self, ext: &'a [u8]) -> Self {
        self.ext = ext;
        for known in Tlvs::new(ext).map_while(|tlv| tlv.and_then(|tlv| tlv.known()).ok()) {
            match known {
                Extension::Skipped(skipped) => self.skipped = skipped,
                Extension::Retained { age_ms } => self.retained = Some(Duration::from_millis(age_ms)),
                confirm @ Extension::Confirm { .. } => self.ask = Ask::of(&confirm),
                _ => {}
            }
        }
        self
    }

    /// The event, as one that is so old and is given to a new listener.
    pub(crate) fn marked_retained(self, age: Duration) -> Self {
        Self {
            retained: Some(age),
            ..self
        }
    }

    /// The event, of which a tally is kept if somebody waits for that.
    pub(crate) fn with_tally(self, tally: Option<&'a Arc<Tally>>) -> Self {
        Self { tally, ..self }
    }

    /// What a listener under this policy keeps until it has dealt with the event, if somebody waits for that.
    pub(crate) fn receipt(&self, policy: Policy) -> Option<Receipt> {
        self.tally?.receipt(policy)
    }

    /// What kind of data it has, if it says nothing beside its data but that, and nobody waits to be told of it.
    pub(crate) fn plain(&self) -> Option<ContentType> {
        let says_more = self.skipped > 0
            || self.presence
            || self.retained.is_some()
            || self.ask.is_some()
            || self.tally.is_some()
            || burst::plain(self.ext).is_none();
        (!says_more).then_some(self.content_type)
    }

    /// Where to tell what goes wrong.
    pub(crate) fn complaints(&self) -> &Complaints {
        &self.complaints
    }

    /// What went wrong, to be reported once no lock is held.
    pub(crate) fn into_complaints(self) -> Complaints {
        self.complaints
    }

    /// The event, never to be lost to a policy.
    pub(crate) fn marked_presence(self, presence: bool) -> Self {
        Self { presence, ..self }
    }

    /// The data, to be kept. What lies in a read buffer is copied, once: a slice would keep all of the buffer alive.
    pub(crate) fn payload(&self) -> &Payload {
        let bytes = || match self.memory {
            Some(memory) => memory.slice_ref(self.bytes),
            None => Bytes::copy_from_slice(self.bytes),
        };
        self.shared
            .unwrap_or_else(|| self.payload.get_or_init(|| Payload::new(self.content_type, bytes())))
    }

    pub(crate) fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// The data, to be copied.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many bytes of credit the event costs on a link of this encoding, where it was packed in so many: the same on
    /// both ends. A codec of one's own may write the same data differently at each end, so what counts there is what
    /// travelled.
    pub(crate) fn cost(&self, packed: usize, encoding: Encoding) -> usize {
        match encoding {
            Encoding::Packed => packed,
            Encoding::Sig1 | Encoding::Values => sig_wire::event::HEAD_LEN + self.bytes.len(),
        }
    }

    /// The whole sig/1 frame, length and all, if the event arrived as one.
    pub(crate) fn frame(&self) -> Option<&'a [u8]> {
        self.frame
    }
}

/// Under which terms an outlet gets an event: those of its least restrictive listener that matches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Terms {
    pub(crate) policy: Policy,
    /// Names the listener among those of the outlet.
    pub(crate) listener: u64,
}

impl Terms {
    /// For outlets that are one listener's own, and know what it wants.
    pub(crate) const OWN: Self = Self {
        policy: Policy::Block(DEFAULT_PATIENCE),
        listener: 0,
    };
}

/// A bounded queue behind which a stream, a callback's task or a client takes events.
pub(crate) trait Outlet: fmt::Debug + Send + Sync {
    /// Takes an event or counts it as lost; never waits. When it is full from now on, it shuts the sender's gate. The
    /// caller holds the sender's lane, or is the only one who brings events of this sender.
    fn offer(&self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>, terms: &Terms);

    /// Takes events of one kind that came together, as [`offer`](Self::offer) does one by one.
    fn offer_burst(&self, event: &Arc<EventRecord>, burst: &Burst<'_>, gate: &Arc<Gate>, terms: &Terms) {
        burst.each(|item| self.offer(event, item, gate, terms));
    }

    /// Whether it is worth while to ask it to [lend](Self::lend) room.
    fn may_lend(&self) -> bool {
        false
    }

    /// Lends room to the next plain events of this kind of this generation of the sender, which then come without being
    /// offered; whether it does. The caller holds the sender's lane, and the event with this number was the last.
    fn lend(&self, event: &Arc<EventRecord>, generation: u64, number: u64, content_type: ContentType) -> bool {
        let _ = (event, generation, number, content_type);
        false
    }

    /// The event went from one number to another: what did not come so far is lost. As `offer`.
    fn moved_to(&self, event: &Arc<EventRecord>, before: u64, number: u64);

    /// Whether its reader may know already at which number the event was, and not yet at which it is.
    fn knows(&self, event: &EventRecord) -> bool {
        let _ = event;
        false
    }

    /// The event is at this number: also for a reader that does not know the event yet.
    fn announce(&self, event: &Arc<EventRecord>, number: u64) {
        self.moved_to(event, number, number);
    }

    /// The sender leaves: what waits of the event waits for nothing more.
    fn settle(&self, event: &EventRecord) {
        let _ = event;
    }

    /// The event's sender is gone. If it may come back, its numbers go on.
    fn gone(&self, event: &EventRecord, may_come_back: bool) {
        let _ = (event, may_come_back);
    }

    /// The sender is gone, and with it the last value of the event.
    fn forget(&self, event: &Arc<EventRecord>) {
        let _ = event;
    }

    /// Whether there is room for more than what comes by itself.
    fn has_room(&self) -> bool {
        true
    }

    /// Keeps what it is still to be given, and pulls it as it has room.
    fn catch_up(&self, rest: CatchUp);

    /// Ends whatever takes from it.
    fn close(&self);

    /// Whose it is, for those who look at the router.
    fn whose(&self) -> Option<Whose> {
        None
    }

    /// What happened to its listener so far, where it has one of its own.
    fn stats(&self) -> Option<ListenerStats> {
        None
    }
}

/// The way from a sender of this router to another router.
pub(crate) trait Uplink: Outlet {
    /// Whether triggers have to wait because there is no link at the moment.
    fn is_offline(&self) -> bool;

    /// Most bytes that the data of one event may have.
    fn max_payload(&self) -> usize;

    /// The outbox into which an event was just put for whoever offered it to [send](Outbox::send_now).
    fn unsent(&self) -> Option<Arc<Outbox>>;

    /// A way for plain events that leads past it, if there is one now. The caller holds the sender's lane.
    fn straight(&self) -> Option<Straight>;

    /// The way is not gone any further. The caller holds the sender's lane.
    fn give_back(&self, straight: Straight);

    /// Nobody waits for a link any longer with an event: it is lost.
    fn gave_up(&self);
}
