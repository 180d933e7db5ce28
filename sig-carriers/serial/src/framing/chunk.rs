//! What stands between two delimiters, as it comes.

use bytes::{Bytes, BytesMut};

/// Collects what stands between two delimiters, up to a limit.
#[derive(Debug)]
pub(super) struct Chunk {
    bytes: BytesMut,
    limit: usize,
    /// More came than the limit; only the beginning is here.
    over: bool,
}

impl Chunk {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            bytes: BytesMut::new(),
            limit,
            over: false,
        }
    }

    /// Goes on with these bytes; those beyond the limit are dropped.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.limit - self.bytes.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.over |= taken.len() < bytes.len();
        self.bytes.extend_from_slice(taken);
    }

    /// Takes what came since the last delimiter, and whether that was more than the limit.
    pub(super) fn take(&mut self) -> (BytesMut, bool) {
        (self.bytes.split(), std::mem::take(&mut self.over))
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes = BytesMut::new();
        self.over = false;
    }
}

/// Whether people could read this: UTF-8 with no other control characters than those of terminals.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        text.chars()
            .all(|char| !char.is_control() || matches!(char, '\t' | '\r' | '\n' | '\u{1b}'))
    })
}

/// Takes the first line off a text, without what ends it; `None` when nothing but ends of lines is left.
pub(super) fn next_line(text: &mut Bytes) -> Option<Bytes> {
    let begin = text.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let _ = text.split_to(begin.unwrap_or(text.len()));
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let mut line = text.split_to(end);
    while line.last() == Some(&b'\r') {
        line.truncate(line.len() - 1);
    }
    (!line.is_empty()).then_some(line)
}
