//! One frame: what stands between two zero bytes.

use bytes::BytesMut;
use sig_wire::cobs::{self, DELIMITER};
use sig_wire::crc::Crc;

use super::line::is_document;

/// The first byte of a segment that opens a link between routers: that of the sig/1 preface.
pub const OPENING: u8 = sig_wire::preface::MAGIC[0];

/// Bytes of the check sum at the end of a frame.
const SUM: usize = 4;

/// Whether a frame that begins with this byte belongs to a link between routers.
#[must_use]
pub const fn is_segment(first: u8) -> bool {
    matches!(first, 0x90..=0x9f)
}

/// What a frame turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Document(BytesMut),
    Segment(BytesMut),
    Unknown,
    Damaged,
}

/// Reads what stood between two delimiters. Where it is damaged, it is no more what it was.
pub(super) fn read(mut frame: BytesMut) -> Frame {
    let Ok(len) = cobs::decode_in_place(&mut frame) else {
        return Frame::Damaged;
    };
    frame.truncate(len);
    let Some((body, sum)) = frame.split_last_chunk::<SUM>() else {
        return Frame::Damaged;
    };
    if sig_wire::crc::crc32c(body) != u32::from_le_bytes(*sum) {
        return Frame::Damaged;
    }
    let kind = match body.first() {
        Some(b'{') if is_document(body) => Frame::Document,
        Some(first) if is_segment(*first) => Frame::Segment,
        _ => return Frame::Unknown,
    };
    frame.truncate(len - SUM);
    kind(frame)
}

/// Whether something damaged began as a frame with a document: it is no text, though it looks much like it.
pub(super) fn was_document(frame: &[u8]) -> bool {
    frame.get(1) == Some(&b'{')
}

/// How many bytes a frame with a body of so many has on the line, with its delimiters.
pub(super) const fn size_on_line(body: usize) -> usize {
    cobs::max_encoded_len(body + SUM) + 2
}

/// Appends a frame whose body lies in these pieces, with both its delimiters.
pub(super) fn write(body: &[&[u8]], out: &mut BytesMut) {
    let begin = out.len();
    let size = body.iter().map(|piece| piece.len()).sum();
    out.resize(begin + size_on_line(size), DELIMITER);
    let mut encoder = cobs::Encoder::new(&mut out[begin + 1..]);
    let mut sum = Crc::iscsi();
    for piece in body {
        sum.update(piece);
        // There is room for all of it.
        let _ = encoder.push(piece);
    }
    let _ = encoder.push(&sum.value().to_le_bytes());
    let end = begin + 1 + encoder.finish();
    out.truncate(end);
    out.extend_from_slice(&[DELIMITER]);
}
