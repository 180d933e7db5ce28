//! What must hold for any bytes. Shared by the fuzz targets and the test that replays `regressions/`.
#![allow(dead_code, reason = "each target uses one of them")]

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;
use sig_core::{Batch, Codec as _, DocumentError, Documents, Json};
use sig_wire::{EventFrame, Flags, Kind, MAX_FRAME_DEFAULT, Preface, Split, TlvWriter, encode_header, split};

/// Preface, frames, events and extensions. The first byte chooses the frame limit.
pub(crate) fn frame(data: &[u8]) {
    if let Ok(Some(preface)) = Preface::decode(data) {
        assert_eq!(preface.encode()[..11], data[..11]);
    }
    let Some((&limit, stream)) = data.split_first() else {
        return;
    };
    let max_frame = if limit == 0xFF {
        MAX_FRAME_DEFAULT
    } else {
        u32::from(limit) * 4
    };
    let mut rest = stream;
    while let Ok(found) = split(rest, max_frame) {
        let Split::Frame(frame) = found else {
            assert!(!matches!(found, Split::Need(0)));
            break;
        };
        let header = encode_header(frame.kind, frame.flags, frame.body.len(), max_frame).expect("it was accepted");
        assert_eq!(header, rest[..6]);
        if let Ok(event) = EventFrame::parse(&frame) {
            self::event(&event);
        } else {
            assert!(frame.kind != Kind::Event || frame.body.len() < 14 || frame.flags.contains(Flags::EXT));
        }
        rest = &rest[frame.size()..];
    }
    let mut batch = Batch::from_stream(BytesMut::from(stream));
    while batch.next_frame().is_some() {}
    assert!(batch.is_empty());
}

fn event(event: &EventFrame<'_>) {
    let mut out = vec![0; event.size().expect("it is in memory")];
    let size = event.encode_into(&mut out, u32::MAX).expect("there is space");
    let Ok(Split::Frame(frame)) = split(&out, u32::MAX) else {
        panic!("cannot read what was written")
    };
    assert_eq!(frame.size(), size);
    assert_eq!(EventFrame::parse(&frame).as_ref(), Ok(event));

    if event.tlvs().validate().is_ok() {
        let mut buffer = vec![0; event.ext.len()];
        let mut writer = TlvWriter::new(&mut buffer);
        for tlv in event.tlvs() {
            let known = tlv.and_then(|tlv| tlv.known()).expect("it is valid");
            writer.push(&known).expect("it takes the space it took");
        }
        assert_eq!(writer.finish(), event.ext);
    }
}

/// The splitter of JSON documents. The first byte chooses the size limit, the second one the size of the reads.
pub(crate) fn documents(data: &[u8]) {
    let [limit, read, stream @ ..] = data else { return };
    let max_size = 1 + usize::from(*limit) * 8;
    let whole = split_documents(max_size, [stream]);
    let pieces = split_documents(max_size, stream.chunks(1 + usize::from(*read)));
    assert_eq!(whole, pieces);

    // As long as the stream is valid JSON, the documents are those that a JSON parser finds.
    let mut found = whole.0.iter();
    for value in serde_json::Deserializer::from_slice(stream).into_iter::<Box<RawValue>>() {
        let Ok(value) = value else { break };
        let text = value.get().as_bytes();
        if !matches!(text.first(), Some(b'{' | b'[')) {
            assert_eq!(whole.1, Some(DocumentError::FirstByte { byte: text[0] }));
            break;
        }
        match found.next() {
            Some(document) => assert_eq!(document, text),
            None => {
                assert!(matches!(
                    whole.1,
                    Some(DocumentError::TooLarge { .. } | DocumentError::TooDeep { .. })
                ));
                break;
            }
        }
    }
}

fn split_documents<'a>(
    max_size: usize,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Bytes>, Option<DocumentError>) {
    let mut documents = Documents::new(max_size);
    let mut found = Vec::new();
    for read in reads {
        documents.push(read);
        loop {
            match documents.next() {
                Ok(Some(document)) => found.push(document),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

/// The JSON codec: what can be read can be written, and is the same when it is read again.
pub(crate) fn message(data: &[u8]) {
    let Ok(message) = Json.unpack(Bytes::copy_from_slice(data)) else {
        return;
    };
    let mut out = BytesMut::new();
    Json.pack(&message, &mut out).expect("what was read can be written");
    let again = Json.unpack(out.freeze()).expect("what was written can be read");
    assert_eq!(again, message);
}
