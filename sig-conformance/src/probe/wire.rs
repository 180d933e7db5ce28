//! Events with numbers, in whichever encoding a peer has.

use sig_core::bytes::{BufMut as _, Bytes, BytesMut};
use sig_core::{Batch, Carrier, CodecError, Encoding, EventMessage, Message, Payload, PeerInfo};
use sig_wire::{Flags, Kind};

use super::Seen;
use crate::Finding;

/// Bytes of an event's frame in front of its payload: kind, flags, alias, number.
const HEAD: usize = 14;

/// A small event.
pub(crate) fn event(number: u64) -> EventMessage {
    event_with(number, Payload::null())
}

/// An event with this data.
pub(crate) fn event_with(number: u64, payload: Payload) -> EventMessage {
    EventMessage {
        alias: 7,
        number,
        ext: Bytes::new(),
        payload,
    }
}

/// An event whose frame has `size` bytes in sig/1, with data that tells where it was damaged.
pub(crate) fn event_of(number: u64, size: usize) -> EventMessage {
    let size = size.saturating_sub(HEAD);
    // 251 bytes are no part of any buffer's size, so that what was moved shows.
    let pattern: Vec<u8> = (0..251).map(|byte| byte ^ number as u8).collect();
    let mut data = pattern.repeat(size / pattern.len() + 1);
    data.truncate(size);
    event_with(number, Payload::from_bytes(data))
}

/// A batch as a router fills it for this peer.
pub(crate) fn batch(
    carrier: &dyn Carrier,
    peer: &PeerInfo,
    events: impl IntoIterator<Item = EventMessage>,
) -> Result<Batch, CodecError> {
    let mut batch = Batch::new(peer.encoding);
    for event in events {
        match peer.encoding {
            Encoding::Values => batch.push_message(event.into())?,
            Encoding::Sig1 => batch.push_frame(frame(&event)),
            Encoding::Packed => {
                let mut packed = BytesMut::new();
                carrier.pack(peer, &event.into(), &mut packed)?;
                batch.push_frame(packed.freeze());
            }
        }
    }
    Ok(batch)
}

fn frame(event: &EventMessage) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD + event.payload.len());
    frame.put_slice(&[Kind::Event.to_byte(), Flags::NONE.to_byte()]);
    frame.put_u32_le(event.alias);
    frame.put_u64_le(event.number);
    frame.put_slice(event.payload.bytes());
    frame.freeze()
}

/// The event in something that was seen.
pub(crate) fn read(carrier: &dyn Carrier, peer: &PeerInfo, seen: &Seen) -> Result<EventMessage, Finding> {
    match seen {
        Seen::Value(_, Message::Event(event)) => Ok(event.clone()),
        Seen::Frame(_, frame) if peer.encoding == Encoding::Packed => match carrier.unpack(peer, frame.clone()) {
            Ok(Message::Event(event)) => Ok(event),
            Ok(other) => Err(Finding::new(format!("an event arrived as {other:?}"))),
            Err(error) => Err(Finding::new(format!("a message arrived damaged: unpack says {error}"))),
        },
        Seen::Frame(_, frame) => read_frame(frame)
            .ok_or_else(|| Finding::new(format!("a frame of {} bytes arrived that nobody sent", frame.len()))),
        other => Err(Finding::new(format!(
            "expected a message, but the carrier reported {other:?}"
        ))),
    }
}

fn read_frame(frame: &Bytes) -> Option<EventMessage> {
    let (head, _) = frame.split_first_chunk::<HEAD>()?;
    let [kind, _, a0, a1, a2, a3, number @ ..] = *head;
    let alias = u32::from_le_bytes([a0, a1, a2, a3]);
    (kind == Kind::Event.to_byte()).then(|| EventMessage {
        alias,
        number: u64::from_le_bytes(number),
        ext: Bytes::new(),
        payload: Payload::from_bytes(frame.slice(HEAD..)),
    })
}
