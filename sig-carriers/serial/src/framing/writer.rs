//! Documents and segments into bytes.

use bytes::BytesMut;

use super::{Dialect, frame, line};

/// Writes documents as the peer writes them, and segments.
///
/// ```
/// use bytes::BytesMut;
/// use sig_carrier_serial::Check;
/// use sig_carrier_serial::framing::{Dialect, Item, Reader, Settings, Writer};
///
/// let mut bytes = BytesMut::new();
/// Writer::new(Dialect::Lines(Check::Crc32)).document(br#"{"id":1,"response":null}"#, &mut bytes);
/// assert_eq!(&bytes[..], b"{\"id\":1,\"response\":null}*2A3ED055\n");
///
/// let mut reader = Reader::new(Settings::default());
/// reader.push(&bytes);
/// assert!(matches!(reader.next_item(), Some(Item::Document { framed: false, .. })));
/// assert_eq!(reader.dialect(), Some(Dialect::Lines(Check::Crc32)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    dialect: Dialect,
}

impl Writer {
    /// A writer in this dialect.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self { dialect }
    }

    /// Appends a document as the peer reads it. In a line, its line breaks become spaces: in JSON they mean the same.
    pub fn document(self, text: &[u8], out: &mut BytesMut) {
        match self.dialect {
            Dialect::Lines(check) => {
                let begin = out.len();
                out.extend(text.iter().map(|byte| match byte {
                    b'\n' | b'\r' => b' ',
                    byte => *byte,
                }));
                let suffix = line::suffix(&out[begin..], check);
                out.extend_from_slice(suffix.as_bytes());
                out.extend_from_slice(b"\n");
            }
            Dialect::Frames => frame::write(&[text], out),
        }
    }

    /// Appends a frame with a segment of a link, whose bytes lie in these pieces.
    pub fn segment(body: &[&[u8]], out: &mut BytesMut) {
        frame::write(body, out);
    }

    /// How many bytes a segment of so many takes on the line at most.
    #[must_use]
    pub const fn segment_size(body: usize) -> usize {
        frame::size_on_line(body)
    }
}
