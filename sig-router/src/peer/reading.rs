//! What arrived, taken apart.

use std::fmt;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use sig_core::{Batch, CarrierError, Codec as _, CodecError, ContentType, Encoding, Json, Message};
use sig_wire::{EventFrame, Extension, Kind, Split, Tlvs};

use super::Peer;
use crate::burst::Burst;
use crate::session::methods;

/// One thing that arrived.
#[derive(Debug)]
pub(crate) enum Arrived<'a> {
    /// Events of one kind in the binary layout that say nothing beside their data.
    Burst(Burst<'a>),
    /// Another event in the binary layout, with the whole frame, and the memory that it has to itself.
    Event(EventFrame<'a>, &'a [u8], Option<&'a Bytes>),
    /// Anything else, with the bytes that it was packed in.
    Message(Message, usize),
}

impl Arrived<'_> {
    /// How many events it is.
    fn events(&self) -> u64 {
        match self {
            Self::Burst(burst) => burst.count,
            Self::Event(..) | Self::Message(Message::Event(_), _) => 1,
            // That of pysig.
            Self::Message(Message::Call(call), _) => u64::from(call.method.as_deref() == Some(methods::SIGNAL)),
            Self::Message(Message::Reply(_), _) => 0,
        }
    }
}

impl Peer {
    /// Takes a batch apart and drains it. Ends at the first thing that is malformed or not accepted.
    pub(crate) fn read(
        &self,
        batch: &mut Batch,
        mut take: impl FnMut(Arrived<'_>) -> Result<(), CarrierError>,
    ) -> Result<(), CarrierError> {
        if self.gone.is_cancelled() {
            return Err(CarrierError::UnknownClient(self.id));
        }
        self.heard();
        let bytes = batch.byte_len() as u64;
        let mut events = 0;
        let mut take = |arrived: Arrived<'_>| {
            events += arrived.events();
            take(arrived)
        };
        let read = match batch.encoding() {
            Encoding::Values => {
                std::iter::from_fn(|| batch.next_message()).try_for_each(|message| take(Arrived::Message(message, 0)))
            }
            Encoding::Packed => std::iter::from_fn(|| batch.next_frame()).try_for_each(|frame| {
                let size = frame.len();
                // What a codec gives back may lie in the frame: it is not to keep all that was read alive.
                let message = self.unpack(Bytes::copy_from_slice(&frame))?;
                take(Arrived::Message(message, size))
            }),
            Encoding::Sig1 => self.read_frames(batch.bytes(), &mut take),
        };
        batch.clear();
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
        self.events_in.fetch_add(events, Ordering::Relaxed);
        read
    }

    fn read_frames(
        &self,
        mut rest: &[u8],
        take: &mut impl FnMut(Arrived<'_>) -> Result<(), CarrierError>,
    ) -> Result<(), CarrierError> {
        while !rest.is_empty() {
            let Split::Frame(frame) = sig_wire::split(rest, u32::MAX).map_err(bad_frame)? else {
                return Err(bad_frame("an incomplete frame"));
            };
            let mut size = frame.size();
            match frame.kind {
                Kind::Event => {
                    let event = EventFrame::parse(&frame).map_err(bad_frame)?;
                    let arrived = match Burst::read(&event, size, rest) {
                        Some(burst) => {
                            size = burst.frames.len();
                            Arrived::Burst(burst)
                        }
                        None => Arrived::Event(event, rest.get(..size).unwrap_or_default(), None),
                    };
                    take(arrived)?;
                }
                Kind::Control | Kind::Packed => {
                    let message = self.unpack(Bytes::copy_from_slice(frame.body))?;
                    take(Arrived::Message(message, frame.body.len()))?;
                }
                Kind::Chunk if self.takes_chunks() => {
                    let whole = self
                        .chunks
                        .lock()
                        .get_or_insert_default()
                        .take(&frame, self.max_frame())?;
                    if let Some(whole) = whole {
                        self.read_large(&whole, take)?;
                    }
                }
                Kind::Heartbeat | Kind::Ignorable(_) => {}
                other => return Err(bad_frame(format_args!("unexpected frame {other:?}"))),
            }
            rest = rest.get(size..).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads a frame that came in pieces.
    fn read_large(
        &self,
        whole: &Bytes,
        take: &mut impl FnMut(Arrived<'_>) -> Result<(), CarrierError>,
    ) -> Result<(), CarrierError> {
        let Split::Frame(frame) = sig_wire::split(whole, u32::MAX).map_err(bad_frame)? else {
            return Err(bad_frame("an incomplete frame"));
        };
        match frame.kind {
            Kind::Event => take(Arrived::Event(
                EventFrame::parse(&frame).map_err(bad_frame)?,
                whole,
                Some(whole),
            )),
            Kind::Control => {
                let message = self.unpack(whole.slice_ref(frame.body))?;
                take(Arrived::Message(message, frame.body.len()))
            }
            other => Err(bad_frame(format_args!("a frame {other:?} in chunks"))),
        }
    }

    fn unpack(&self, frame: Bytes) -> Result<Message, CarrierError> {
        if !self.is_open.load(Ordering::Acquire) {
            // Hello, welcome and refusal are JSON: whether the codec is the same is only being found out. Others, of a peer
            // that says no hello, are read as its carrier does.
            if let Ok(message) = Json.unpack(frame.clone()) {
                return Ok(message);
            }
        }
        Ok(self.outbox.carrier().unpack(self.outbox.peer(), frame)?)
    }
}

/// What an event's data is: JSON unless its extensions say otherwise.
pub(crate) fn content_type(ext: &[u8]) -> Result<ContentType, CarrierError> {
    for tlv in Tlvs::new(ext) {
        if let Extension::ContentType(found) = tlv.and_then(|tlv| tlv.known()).map_err(bad_frame)? {
            return Ok(found);
        }
    }
    Ok(ContentType::JSON)
}

/// What arrived is not what the protocol allows.
pub(crate) fn bad_frame(error: impl fmt::Display) -> CarrierError {
    CarrierError::Codec(CodecError::Frame(error.to_string()))
}
