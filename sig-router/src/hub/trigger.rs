//! Triggering an event of one of this program's senders.

use std::io;
use std::sync::Arc;

use sig_core::{CodecError, ContentType, Value};

use super::Hub;
use super::record::{Connection, EventRecord};
use super::shortcut::{Former, Passage};
use crate::confirm::Tally;
use crate::error::TriggerError;
use crate::event::{AtHand, Event};
use crate::nesting::{Here, Nesting, here};
use crate::outbox::Outbox;
use crate::outlet::{Item, Terms, Uplink};
use crate::straight::{Passed, Straight};

/// Why a trigger did not go through at once.
#[derive(Debug)]
pub(crate) enum NotNow {
    /// The sender's gate is shut: wait for it.
    Shut,
    /// It never will.
    Failed(TriggerError),
}

impl<E: Into<TriggerError>> From<E> for NotNow {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What small values need no more than, packed: nothing is allocated for them. To keep room for larger ones at hand would
/// cost the small ones more than it takes to allocate it.
const SMALL: usize = 64;

/// The bytes of a value.
struct Buffer {
    len: usize,
    small: [u8; SMALL],
    /// All of them, if they are more.
    large: Vec<u8>,
}

impl Buffer {
    #[inline]
    fn new() -> Self {
        Self {
            len: 0,
            small: [0; SMALL],
            large: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.len = 0;
        self.large.clear();
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        self.small.get(..self.len).unwrap_or(&self.large)
    }
}

impl io::Write for Buffer {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = self.len + bytes.len();
        if let Some(place) = self.small.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
        } else {
            if let Some(small) = self.small.get(..self.len).filter(|_| self.large.is_empty()) {
                self.large.reserve(end.max(2 * SMALL));
                self.large.extend_from_slice(small);
            }
            self.large.extend_from_slice(bytes);
        }
        self.len = end;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes of a value, and what they are.
pub(super) type Bytes<'a> = (ContentType, &'a [u8]);

/// A value on its way out, packed when somebody needs it so.
struct Packed<'a> {
    value: &'a dyn Value,
    content_type: Option<ContentType>,
    buffer: Buffer,
}

impl<'a> Packed<'a> {
    #[inline]
    fn of(value: &'a dyn Value) -> Self {
        Self {
            value,
            content_type: None,
            buffer: Buffer::new(),
        }
    }

    /// Runs the value's own code.
    fn pack(&mut self) -> Result<(), CodecError> {
        if self.content_type.is_none() && self.value.as_payload().is_none() {
            self.buffer.clear();
            self.content_type = Some(self.value.write_to(&mut self.buffer)?);
        }
        Ok(())
    }

    fn bytes(&self) -> Option<Bytes<'_>> {
        match self.value.as_payload() {
            Some(payload) => Some((payload.content_type(), payload.bytes())),
            None => Some((self.content_type?, self.buffer.as_bytes())),
        }
    }
}

/// Hands an event on to another router; gives the outbox that is to be sent by whoever triggered, if there is one.
fn go_on(
    uplink: &Arc<dyn Uplink>,
    straight: &mut Option<Straight>,
    event: &Arc<EventRecord>,
    item: &Item<'_>,
) -> Option<Arc<Outbox>> {
    let gate = &event.sender.gate;
    if let Some(way) = straight {
        match way.put(event, item, gate) {
            Passed::Put { unsent: false } => return None,
            Passed::Put { unsent: true } => return Some(Arc::clone(way.outbox())),
            Passed::Lost => {
                uplink.gave_up();
                return None;
            }
            Passed::Not => straight.take().into_iter().for_each(|way| uplink.give_back(way)),
        }
    }
    uplink.offer(event, item, gate, &Terms::OWN);
    *straight = uplink.straight();
    uplink.unsent()
}

impl Hub {
    /// Triggers an event of one of this program's senders, if its gate is open.
    ///
    /// Queues get it first, in the order of its number; then the functions are called, in pysig's order, without a lock.
    #[inline]
    pub(crate) fn trigger(
        &self,
        event: &Arc<EventRecord>,
        generation: u64,
        value: &dyn Value,
        tally: Option<&Arc<Tally>>,
    ) -> Result<(), NotNow> {
        if tally.is_none() && !event.shortcut().is_shut() && event.sender.gate.is_open() {
            let has_passed = match event.is_packed() {
                false => pass(event, generation, value, None),
                true => pass_packed(event, generation, value),
            };
            if has_passed {
                return Ok(());
            }
        }
        self.trigger_in_lane(event, generation, value, tally)
    }

    #[inline(never)]
    fn trigger_in_lane(
        &self,
        event: &Arc<EventRecord>,
        generation: u64,
        value: &dyn Value,
        tally: Option<&Arc<Tally>>,
    ) -> Result<(), NotNow> {
        let sender = &event.sender;
        let mut packed = Packed::of(value);
        if event.is_packed() {
            // That it cannot be packed is an error only if somebody still needs it so.
            let _ = packed.pack();
        }
        let (nesting, (calls, former), number) = loop {
            let mut lane = sender.lane.lock();
            let connection = lane.as_mut().filter(|connection| connection.generation == generation);
            let Some(Connection {
                uplink,
                straight,
                snapshots,
                ..
            }) = connection
            else {
                return Err(TriggerError::SenderGone {
                    sender: sender.name.to_string(),
                }
                .into());
            };
            if !sender.gate.is_open() {
                return Err(NotNow::Shut);
            }
            // Under the lane, so that a listener never gets an event and misses a later one.
            let snapshot = snapshots.of(event);
            let nesting = match snapshot.callbacks.is_empty() {
                true => None,
                false => Some(Nesting::enter().map_err(|limit| TriggerError::TooDeep { limit })?),
            };
            let needs_packed = !snapshot.outlets.is_empty() || uplink.is_some() || event.keeps_last();
            event.set_packed(needs_packed);
            if !needs_packed {
                let number = event.next_number();
                let calls = event.shortcut().renew(event, snapshot);
                event.shortcut().open(generation, None);
                break (nesting, calls, number);
            }
            let Some((content_type, bytes)) = packed.bytes() else {
                // Packing runs the value's own code, so not under a lock.
                drop(lane);
                packed.pack()?;
                continue;
            };
            if let Some(uplink) = uplink {
                let (size, limit) = (bytes.len(), uplink.max_payload());
                if size > limit {
                    return Err(CodecError::TooLarge { size, limit }.into());
                }
            }
            let number = event.next_number();
            let item = match value.as_payload() {
                Some(payload) => Item::new(number, payload),
                None => Item::from_buffer(number, content_type, bytes),
            };
            let item = item.with_tally(tally);
            self.put(event, snapshot, &item, false);
            let unsent = uplink.as_ref().and_then(|uplink| go_on(uplink, straight, event, &item));
            let lender = match &snapshot.outlets[..] {
                [(outlet, _)] if uplink.is_none() && !event.keeps_last() && outlet.may_lend() => Some(outlet),
                _ => None,
            };
            let calls = match nesting.is_some() || lender.is_some() {
                true => event.shortcut().renew(event, snapshot),
                false => (None, Former::default()),
            };
            if let Some(outlet) = lender {
                outlet.lend(event, generation, number, content_type);
            }
            drop(lane);
            if let Some(outbox) = unsent {
                outbox.send_now();
            }
            item.into_complaints().report(event);
            break (nesting, calls, number);
        };
        drop(former);
        if let Some(calls) = calls {
            let at_hand = AtHand {
                id: event.id(),
                number,
                value,
            };
            let given = Event::borrowed(&at_hand);
            let receipt = || tally.and_then(|tally| tally.receipt(Terms::OWN.policy));
            here(|here| calls.run_with(here, &given, receipt));
            event.shortcut().bring_back(calls);
        }
        drop(nesting);
        Ok(())
    }
}

/// Triggers an event past the lane; false if it has to take that.
#[inline]
fn pass(event: &EventRecord, generation: u64, value: &dyn Value, data: Option<&Bytes<'_>>) -> bool {
    here(|here| pass_here(here, event, generation, value, data))
}

/// What it is given comes in registers. A closure would find it in memory, and to read there what was just written takes as
/// long as an atomic operation.
#[inline(never)]
fn pass_here(here: &Here, event: &EventRecord, generation: u64, value: &dyn Value, data: Option<&Bytes<'_>>) -> bool {
    // Who is in too deep is told by who knows whether there are functions.
    let Some(_deeper) = here.go_deeper() else { return false };
    let Some(Passage { number, calls, wake }) = event.shortcut().pass(event, generation, data) else {
        return false;
    };
    if let Some(queue) = wake {
        queue.wake();
    }
    if let Some(calls) = calls {
        let at_hand = AtHand {
            id: event.id(),
            number,
            value,
        };
        let given = Event::borrowed(&at_hand);
        calls.run(here, &given);
        // It only borrows: to look what there is to drop takes longer than a call.
        std::mem::forget(given);
        event.shortcut().bring_back(calls);
    }
    true
}

/// The same with its data packed, for a queue that hears it.
#[inline(never)]
fn pass_packed(event: &EventRecord, generation: u64, value: &dyn Value) -> bool {
    let mut buffer = Buffer::new();
    let data = match value.as_payload() {
        Some(payload) => (payload.content_type(), &payload.bytes()[..]),
        None => match value.write_to(&mut buffer) {
            Ok(content_type) => (content_type, buffer.as_bytes()),
            // An error only if somebody still needs it so.
            Err(_) => return false,
        },
    };
    pass(event, generation, value, Some(&data))
}
