//! Messages and events into the form that a peer reads.

use bytes::{BufMut as _, Bytes, BytesMut};
use sig_core::{
    Batch, Call, Carrier, Codec as _, CodecError, ContentType, Encoding, EventMessage, Json, Message, PeerInfo, RawJson,
};
use sig_wire::{EventHeader, Extension, Flags, Kind, TlvWriter, Tlvs};

use crate::burst;
use crate::confirm::Ask;
use crate::hub::EventRecord;
use crate::outlet::Item;
use crate::session::methods;
use crate::session::params::Announce;

/// What a message counts for that is passed on as a value.
const VALUE_SIZE: usize = 64;

/// Room for the extensions that a router adds by itself.
const OWN_EXT: usize = 48;

/// What stands over an event on its way to one peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heading {
    /// What the peer knows it by.
    pub(crate) alias: u32,
    /// Whether the peer is to be told before what the alias stands for, unless it knows.
    pub(crate) announce: bool,
    /// What the peer is asked about it.
    pub(crate) ask: Option<Ask>,
    /// Whoever puts it in sends it right afterwards, if it [went into an empty outbox](super::Outbox::is_unsent).
    pub(crate) prompt: bool,
}

fn limit(max_frame: usize) -> u32 {
    u32::try_from(max_frame).unwrap_or(u32::MAX)
}

fn too_large(size: usize, limit: usize) -> CodecError {
    CodecError::TooLarge { size, limit }
}

/// The message that tells a peer what an alias stands for, and at which number it is.
pub(super) fn announcement(event: &EventRecord, number: u64) -> Result<Message, CodecError> {
    let id = event.id();
    let (sender, event_name) = (id.sender.clone(), id.event.clone());
    let params = Announce {
        alias: event.alias,
        sender,
        event: event_name,
        content_type: ContentType::JSON,
        series: event.series(),
        number,
        keep_last: event.keeps_last(),
    };
    Ok(Call::notice(methods::ANNOUNCE, RawJson::new(&params)?).into())
}

/// A message as the bytes of one packed frame.
pub(super) fn to_bytes(carrier: &dyn Carrier, peer: &PeerInfo, message: &Message) -> Result<Bytes, CodecError> {
    let mut bytes = BytesMut::new();
    carrier.pack(peer, message, &mut bytes)?;
    Ok(bytes.freeze())
}

/// Appends a message. Gives the bytes that it counts for; on an error the batch is as before.
pub(super) fn message(
    batch: &mut Batch,
    carrier: &dyn Carrier,
    peer: &PeerInfo,
    message: &Message,
    max_frame: usize,
) -> Result<usize, CodecError> {
    append(batch, peer.encoding, message, max_frame, |out| {
        carrier.pack(peer, message, out)
    })
}

/// As [`message`], for one that comes before both sides know that they have the same codec: it is JSON in any case.
pub(super) fn greeting(
    batch: &mut Batch,
    peer: &PeerInfo,
    message: &Message,
    max_frame: usize,
) -> Result<usize, CodecError> {
    append(batch, peer.encoding, message, max_frame, |out| Json.pack(message, out))
}

fn append(
    batch: &mut Batch,
    encoding: Encoding,
    message: &Message,
    max_frame: usize,
    pack: impl FnOnce(&mut BytesMut) -> Result<(), CodecError>,
) -> Result<usize, CodecError> {
    match encoding {
        Encoding::Values => {
            batch.push_message(message.clone())?;
            Ok(VALUE_SIZE)
        }
        Encoding::Packed => {
            let frame = frame_of(max_frame, pack)?;
            let size = frame.len();
            batch.push_frame(frame);
            Ok(size)
        }
        Encoding::Sig1 => control(batch.bytes(), max_frame, pack),
    }
}

/// A packed message by itself.
fn frame_of(max_frame: usize, pack: impl FnOnce(&mut BytesMut) -> Result<(), CodecError>) -> Result<Bytes, CodecError> {
    let mut bytes = BytesMut::new();
    pack(&mut bytes)?;
    if bytes.len() > max_frame {
        return Err(too_large(bytes.len(), max_frame));
    }
    Ok(bytes.freeze())
}

/// Appends a control frame; gives its size. On an error nothing was appended.
fn control(
    out: &mut BytesMut,
    max_frame: usize,
    pack: impl FnOnce(&mut BytesMut) -> Result<(), CodecError>,
) -> Result<usize, CodecError> {
    let start = out.len();
    out.put_bytes(0, sig_wire::frame::HEADER_LEN);
    let packed = pack(out).and_then(|()| {
        let body = out.len() - start - sig_wire::frame::HEADER_LEN;
        sig_wire::encode_header(Kind::Control, Flags::NONE, body, limit(max_frame))
            .map_err(|_| too_large(body, max_frame))
    });
    match packed {
        Ok(header) => {
            out[start..start + header.len()].copy_from_slice(&header);
            Ok(out.len() - start)
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// A message or an event by itself, to be put into a batch later.
#[derive(Debug)]
pub(super) enum Piece {
    /// Packed: a frame of a stream with its length, or a whole message.
    Packed(Bytes),
    /// As a value, and what it counts for.
    Value(Message, usize),
}

impl Piece {
    /// A control message.
    pub(super) fn message(
        carrier: &dyn Carrier,
        peer: &PeerInfo,
        message: &Message,
        max_frame: usize,
    ) -> Result<Self, CodecError> {
        let pack = |out: &mut BytesMut| carrier.pack(peer, message, out);
        Ok(match peer.encoding {
            Encoding::Values => Self::Value(message.clone(), VALUE_SIZE),
            Encoding::Packed => Self::Packed(frame_of(max_frame, pack)?),
            Encoding::Sig1 => {
                let mut bytes = BytesMut::new();
                control(&mut bytes, max_frame, pack)?;
                Self::Packed(bytes.freeze())
            }
        })
    }

    /// An event before which so many were left out.
    pub(super) fn event(
        carrier: &dyn Carrier,
        peer: &PeerInfo,
        heading: Heading,
        item: &Item<'_>,
        skipped: u64,
        max_frame: usize,
    ) -> Result<Self, CodecError> {
        if peer.encoding == Encoding::Sig1 {
            let mut bytes = BytesMut::new();
            event_frame(&mut bytes, heading, item, skipped, max_frame)?;
            return Ok(Self::Packed(bytes.freeze()));
        }
        let piece = Self::message(carrier, peer, &event_message(heading, item, skipped)?, max_frame)?;
        Ok(match piece {
            Self::Value(message, size) => Self::Value(message, size + item.bytes().len()),
            packed @ Self::Packed(_) => packed,
        })
    }

    /// The bytes that it counts for.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Packed(bytes) => bytes.len(),
            Self::Value(_, size) => *size,
        }
    }

    /// Appends it to a batch of the same encoding.
    pub(super) fn put(self, batch: &mut Batch, encoding: Encoding) -> Result<(), CodecError> {
        match self {
            Self::Value(message, _) => batch.push_message(message)?,
            Self::Packed(bytes) if encoding == Encoding::Sig1 => batch.bytes().extend_from_slice(&bytes),
            Self::Packed(bytes) => batch.push_frame(bytes),
        }
        Ok(())
    }
}

/// Appends an event. Gives the bytes that it counts for; on an error the batch is as before.
pub(super) fn event(
    batch: &mut Batch,
    carrier: &dyn Carrier,
    peer: &PeerInfo,
    heading: Heading,
    item: &Item<'_>,
    max_frame: usize,
) -> Result<usize, CodecError> {
    if peer.encoding == Encoding::Sig1 {
        return event_frame(batch.bytes(), heading, item, item.skipped, max_frame);
    }
    let event = event_message(heading, item, item.skipped)?;
    let size = message(batch, carrier, peer, &event, max_frame)?;
    Ok(match peer.encoding {
        Encoding::Values => size + item.bytes().len(),
        Encoding::Packed | Encoding::Sig1 => size,
    })
}

fn event_message(heading: Heading, item: &Item<'_>, skipped: u64) -> Result<Message, CodecError> {
    let event = EventMessage {
        alias: heading.alias,
        number: item.number,
        ext: extensions(heading, item, skipped)?.into(),
        payload: item.payload().clone(),
    };
    Ok(event.into())
}

/// Appends an event as a frame; gives its size. On an error nothing was appended.
fn event_frame(
    bytes: &mut BytesMut,
    heading: Heading,
    item: &Item<'_>,
    skipped: u64,
    max_frame: usize,
) -> Result<usize, CodecError> {
    let start = bytes.len();
    let header = EventHeader {
        alias: heading.alias,
        number: item.number,
    };
    let (data, size) = (item.bytes(), item.bytes().len());
    let refused = |_| too_large(size, max_frame);
    // A question about it is meant for one link alone.
    let as_it_is = skipped == item.skipped && heading.ask.is_none() && item.ask.is_none();
    if let Some(frame) = item.frame().filter(|_| as_it_is) {
        // The limit does not count the four bytes of the length itself.
        if frame.len() - sig_wire::frame::LEN_FIELD > max_frame {
            return Err(too_large(frame.len(), max_frame));
        }
        bytes.extend_from_slice(frame);
    } else if as_it_is && item.retained.is_none() && item.ext.is_empty() {
        return burst::append(bytes, header, item.content_type(), data, limit(max_frame)).map_err(refused);
    } else {
        let ext = extensions(heading, item, skipped)?;
        bytes.extend_from_slice(
            &header
                .encode_ext_head(ext.len(), size, limit(max_frame))
                .map_err(refused)?,
        );
        bytes.extend_from_slice(&ext);
        bytes.extend_from_slice(data);
    }
    Ok(bytes.len() - start)
}

/// The extensions of an event and, behind them, those that this router adds or changes.
fn extensions(heading: Heading, item: &Item<'_>, skipped: u64) -> Result<Vec<u8>, CodecError> {
    let bad = |error| CodecError::Frame(format!("extensions: {error}"));
    let mut ext = Vec::with_capacity(item.ext.len() + OWN_EXT);
    for tlv in Tlvs::new(item.ext) {
        let tlv = tlv.map_err(bad)?;
        // These are said anew below.
        let is_own = match tlv.known() {
            Ok(Extension::Skipped(_) | Extension::Retained { .. } | Extension::Confirm { .. }) => true,
            Ok(Extension::ContentType(_)) => item.frame().is_none(),
            _ => false,
        };
        if !is_own {
            ext.extend_from_slice(&[tlv.kind, u8::try_from(tlv.value.len()).unwrap_or(u8::MAX)]);
            ext.extend_from_slice(tlv.value);
        }
    }
    let mut buffer = [0; OWN_EXT];
    let mut own = TlvWriter::new(&mut buffer);
    // An event that came as a frame brought its content type along.
    if item.frame().is_none() && item.content_type() != ContentType::JSON {
        own.push(&Extension::ContentType(item.content_type())).map_err(bad)?;
    }
    if skipped > 0 {
        own.push(&Extension::Skipped(skipped)).map_err(bad)?;
    }
    if let Some(age) = item.retained {
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        own.push(&Extension::Retained { age_ms }).map_err(bad)?;
    }
    if let Some(ask) = &heading.ask {
        own.push(&ask.extension()).map_err(bad)?;
    }
    ext.extend_from_slice(own.finish());
    Ok(ext)
}
