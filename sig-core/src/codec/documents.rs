//! Splits a byte stream into JSON documents.

mod nonfinite;
#[cfg(test)]
mod tests;

use std::{fmt, mem};

use bytes::{Buf as _, Bytes, BytesMut};
use thiserror::Error;

/// Deepest nesting of objects and arrays in one document.
const MAX_DEPTH: u32 = 128;

/// Splits a byte stream into the JSON documents that stand in it one after the other.
///
/// pysig peers write bare documents: several may arrive in one read, and one may take many reads. Each byte is
/// looked at once, only for where documents end: whether a document is valid JSON is the codec's question.
///
/// Python writes the numbers `NaN`, `Infinity` and `-Infinity` as bare words, which are not JSON (J2). In the documents
/// that come out they are strings: `"NaN"`, `"Infinity"`, `"-Infinity"`.
///
/// ```
/// use sig_core::Documents;
///
/// let mut documents = Documents::new(1024);
/// documents.push(br#"{"id":1,"method":"list_senders"} {"id":2,"#);
/// assert_eq!(documents.next()?.as_deref(), Some(&br#"{"id":1,"method":"list_senders"}"#[..]));
/// assert_eq!(documents.next()?, None); // more is needed
/// documents.push(br#""params":{"data":NaN}}"#);
/// assert_eq!(documents.next()?.as_deref(), Some(&br#"{"id":2,"params":{"data":"NaN"}}"#[..]));
/// assert!(documents.is_idle());
/// # Ok::<(), sig_core::DocumentError>(())
/// ```
pub struct Documents {
    /// Begins with the document that is being scanned.
    buffer: BytesMut,
    /// Bytes of the buffer that were scanned; they are a part of one document.
    scanned: usize,
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Outside strings there was a letter that only the words of [`nonfinite`] have.
    has_words: bool,
    max_size: usize,
    failed: Option<DocumentError>,
}

impl Documents {
    /// A splitter for documents of at most `max_size` bytes, counted as they arrive.
    #[must_use]
    pub fn new(max_size: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            scanned: 0,
            depth: 0,
            in_string: false,
            escaped: false,
            has_words: false,
            max_size,
            failed: None,
        }
    }

    /// From here on documents may have this many bytes, the one that has begun included.
    pub fn set_max_size(&mut self, max_size: usize) {
        self.max_size = max_size;
    }

    /// Adds what was read. Call [`next`](Self::next) until it has no more before adding again: that bounds what is held
    /// to one incomplete document and one read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole document, `None` when more bytes are needed.
    ///
    /// No buffer is held between documents.
    ///
    /// # Errors
    ///
    /// [`DocumentError`]; the stream cannot be read on, and every later call returns the same error.
    #[expect(
        clippy::should_implement_trait,
        reason = "a pull that may have more after None is no Iterator"
    )]
    pub fn next(&mut self) -> Result<Option<Bytes>, DocumentError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let document = self.scan();
        match document {
            Ok(Some(size)) => Ok(Some(self.take(size))),
            Ok(None) => Ok(None),
            Err(error) => {
                self.buffer = BytesMut::new();
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// Whether no document has begun: the end of the stream cuts nothing off here.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Size of the document at the front of the buffer, if its end is there.
    fn scan(&mut self) -> Result<Option<usize>, DocumentError> {
        if self.scanned == 0 && !self.begin()? {
            return Ok(None);
        }
        let end = self.buffer.len().min(self.max_size);
        for &byte in self.buffer.get(self.scanned..end).unwrap_or_default() {
            self.scanned += 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(DocumentError::TooDeep { limit: MAX_DEPTH });
                    }
                }
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Ok(Some(self.scanned));
                    }
                }
                b'N' | b'I' => self.has_words = true,
                _ => {}
            }
        }
        if end == self.max_size {
            return Err(DocumentError::TooLarge { limit: self.max_size });
        }
        Ok(None)
    }

    /// Skips white space; says whether a document begins behind it.
    fn begin(&mut self) -> Result<bool, DocumentError> {
        let first = self
            .buffer
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        let Some(space) = first else {
            self.buffer = BytesMut::new();
            return Ok(false);
        };
        self.buffer.advance(space);
        match self.buffer.first() {
            Some(b'{' | b'[') => Ok(true),
            Some(&byte) => Err(DocumentError::FirstByte { byte }),
            None => Ok(false),
        }
    }

    /// Takes the first `size` bytes out of the buffer as a document.
    fn take(&mut self, size: usize) -> Bytes {
        self.scanned = 0;
        let has_words = mem::take(&mut self.has_words);
        if size == self.buffer.len() {
            let whole = mem::take(&mut self.buffer).freeze();
            return if has_words { nonfinite::quote(&whole) } else { whole };
        }
        // A copy, so that a small document that is kept does not keep everything it arrived with.
        let bytes = self.buffer.get(..size).unwrap_or_default();
        let document = if has_words {
            nonfinite::quote(bytes)
        } else {
            Bytes::copy_from_slice(bytes)
        };
        self.buffer.advance(size);
        document
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents")
            .field("buffered", &self.buffer.len())
            .field("max_size", &self.max_size)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Why a stream of JSON documents cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// A document begins with neither `{` nor `[`.
    #[error(
        "a message must be a JSON object, but begins with {} ({byte:#04x}); does the peer speak another protocol?",
        byte.escape_ascii()
    )]
    FirstByte {
        /// The byte.
        byte: u8,
    },
    /// A document has more bytes than allowed.
    #[error("a JSON message exceeds the limit of {limit} bytes")]
    TooLarge {
        /// Most bytes allowed.
        limit: usize,
    },
    /// A document nests too deep.
    #[error("a JSON message nests deeper than {limit} levels")]
    TooDeep {
        /// Most levels allowed.
        limit: u32,
    },
}
