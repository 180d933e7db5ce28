//! Messages and events into the form that a peer reads.

use bytes::{BufMut as _, Bytes, BytesMut};
use sig_core::{
    Batch, Call, Carrier, Codec as _, CodecError, ContentType, Encoding, EventMessage, Json, Message, PeerInfo, RawJson,
};
use sig_wire::{EventHeader, Extension, Flags, Kind, TlvWriter, Tlvs};

use crate::hub::EventRecord;
use crate::outlet::Item;
use crate::session::methods;
use crate::session::params::Announce;

/// What a message counts for that is passed on as a value.
const VALUE_SIZE: usize = 64;

/// Room for the extensions that a router adds by itself.
const OWN_EXT: usize = 32;

fn limit(max_frame: usize) -> u32 {
    u32::try_from(max_frame).unwrap_or(u32::MAX)
}

fn too_large(size: usize, limit: usize) -> CodecError {
    CodecError::TooLarge { size, limit }
}

/// The message that tells a peer what an alias stands for.
pub(super) fn announcement(event: &EventRecord) -> Result<Message, CodecError> {
    let id = event.id();
    let (sender, event_name) = (id.sender.clone(), id.event.clone());
    let params = Announce {
        alias: event.alias,
        sender,
        event: event_name,
        content_type: ContentType::JSON,
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
            let mut bytes = BytesMut::new();
            pack(&mut bytes)?;
            let size = bytes.len();
            if size > max_frame {
                return Err(too_large(size, max_frame));
            }
            batch.push_frame(bytes.freeze());
            Ok(size)
        }
        Encoding::Sig1 => {
            let bytes = batch.bytes();
            let start = bytes.len();
            bytes.put_bytes(0, sig_wire::frame::HEADER_LEN);
            let packed = pack(bytes).and_then(|()| {
                let body = bytes.len() - start - sig_wire::frame::HEADER_LEN;
                sig_wire::encode_header(Kind::Control, Flags::NONE, body, limit(max_frame))
                    .map_err(|_| too_large(body, max_frame))
            });
            match packed {
                Ok(header) => {
                    bytes[start..start + header.len()].copy_from_slice(&header);
                    Ok(bytes.len() - start)
                }
                Err(error) => {
                    bytes.truncate(start);
                    Err(error)
                }
            }
        }
    }
}

/// Appends an event. Gives the bytes that it counts for; on an error the batch is as before.
pub(super) fn event(
    batch: &mut Batch,
    carrier: &dyn Carrier,
    peer: &PeerInfo,
    alias: u32,
    item: &Item<'_>,
    lagged: u64,
    max_frame: usize,
) -> Result<usize, CodecError> {
    if peer.encoding != Encoding::Sig1 {
        let ext = extensions(item, lagged)?.into();
        let event = EventMessage {
            alias,
            number: item.number,
            ext,
            payload: item.payload().clone(),
        };
        let size = message(batch, carrier, peer, &event.into(), max_frame)?;
        return Ok(match peer.encoding {
            Encoding::Values => size + item.bytes().len(),
            Encoding::Packed | Encoding::Sig1 => size,
        });
    }
    let bytes = batch.bytes();
    let start = bytes.len();
    let header = EventHeader {
        alias,
        number: item.number,
    };
    let (data, size) = (item.bytes(), item.bytes().len());
    let refused = |_| too_large(size, max_frame);
    if let Some(frame) = item.frame().filter(|_| lagged == 0) {
        // The limit does not count the four bytes of the length itself.
        if frame.len() - sig_wire::frame::LEN_FIELD > max_frame {
            return Err(too_large(frame.len(), max_frame));
        }
        bytes.extend_from_slice(frame);
    } else if lagged == 0 && item.ext.is_empty() && item.content_type() == ContentType::JSON {
        bytes.extend_from_slice(&header.encode_head(size, limit(max_frame)).map_err(refused)?);
        bytes.extend_from_slice(data);
    } else {
        let ext = extensions(item, lagged)?;
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

/// The extensions of an event and, behind them, those that this router adds.
fn extensions(item: &Item<'_>, lagged: u64) -> Result<Vec<u8>, CodecError> {
    let bad = |error| CodecError::Frame(format!("extensions: {error}"));
    let mut ext = Vec::with_capacity(item.ext.len() + OWN_EXT);
    for tlv in Tlvs::new(item.ext) {
        let tlv = tlv.map_err(bad)?;
        // What was lost before is in the sum below.
        if lagged == 0 || !matches!(tlv.known(), Ok(Extension::Lagged(_))) {
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
    if lagged > 0 {
        own.push(&Extension::Lagged(lagged.saturating_add(item.lagged)))
            .map_err(bad)?;
    }
    ext.extend_from_slice(own.finish());
    Ok(ext)
}
