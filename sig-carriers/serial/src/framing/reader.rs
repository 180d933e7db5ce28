//! Bytes into documents, segments and text.

use bytes::{Bytes, BytesMut};
use sig_wire::cobs::DELIMITER;

use super::chunk::{Chunk, is_text, next_line};
use super::frame::{self, Frame};
use super::line::{self, Line};
use super::{Counters, Dialect, Settings};
use crate::{Check, Codec};

/// Something that stood on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A document: a JSON object, or, in a line, numbers with commas between them.
    Document {
        /// Its text, without the check sum.
        text: Bytes,
        /// Whether it came in a frame.
        framed: bool,
    },
    /// A segment of a link between routers.
    Segment(Bytes),
    /// A line of text that the device printed, without its end. Of a line that is too long it is the beginning; before the
    /// framing is known it may be anything that came in front of a delimiter.
    Log(Bytes),
}

/// Finds lines and frames in the bytes of a line.
///
/// The first valid line or frame decides which of the two the peer uses, and is the only thing that can: damaged ones,
/// banners of boot loaders and the second half of a frame do not. A line that no check sum confirms can be a mistake, so a
/// frame, which has one, still turns that over; all else is settled until [`restart`](Self::restart).
///
/// Memory is bounded by [`Settings::max_frame`] and by what is pushed before [`next_item`](Self::next_item) has given all that
/// is in it. Time is proportional to the bytes.
#[derive(Debug)]
pub struct Reader {
    settings: Settings,
    dialect: Option<Dialect>,
    /// What was pushed and not looked at yet.
    input: BytesMut,
    line: Chunk,
    frame: Chunk,
    /// Text between frames whose lines are still to be given.
    text: Bytes,
    /// The last thing was damaged or too large.
    lost: bool,
    counters: Counters,
}

impl Reader {
    /// A reader of a line from which nothing came yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            dialect: None,
            input: BytesMut::new(),
            line: Chunk::new(settings.max_frame),
            frame: Chunk::new(settings.max_frame),
            text: Bytes::new(),
            lost: false,
            counters: Counters::default(),
        }
    }

    /// Goes on with these bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.counters.bytes += bytes.len() as u64;
        self.counters.binary += bytes.iter().filter(|byte| !is_of_text(**byte)).count() as u64;
        self.input.extend_from_slice(bytes);
    }

    /// What comes next; `None` until more is pushed.
    pub fn next_item(&mut self) -> Option<Item> {
        loop {
            if let Some(text) = next_line(&mut self.text) {
                return Some(self.log(text));
            }
            let (lines, frames) = self.wanted();
            let is_end = |byte: &u8| (lines && *byte == b'\n') || *byte == DELIMITER;
            let Some(at) = self.input.iter().position(is_end) else {
                let rest = self.input.split();
                self.collect(&rest, lines, frames);
                return None;
            };
            let run = self.input.split_to(at + 1);
            let (run, end) = run.split_at(at);
            self.collect(run, lines, frames);
            let item = if end == [DELIMITER] {
                self.end_of_frame(lines, frames)
            } else {
                if frames {
                    self.frame.push(end);
                }
                self.end_of_line()
            };
            if item.is_some() {
                return item;
            }
        }
    }

    /// What the peer was found to use; `None` before the first valid line or frame.
    #[must_use]
    pub fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// What became of the bytes so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Forgets what the peer uses and what came in part, as on a new line. The counters go on.
    pub fn restart(&mut self) {
        let counters = self.counters;
        *self = Self::new(self.settings);
        self.counters = counters;
    }

    /// How many bytes are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.input.capacity() + self.line.held() + self.frame.held() + self.text.len()
    }

    /// Whether lines and frames are looked for.
    fn wanted(&self) -> (bool, bool) {
        match (self.settings.codec, self.dialect) {
            (Codec::Lines, _) => (true, false),
            (Codec::Frames, _) | (_, Some(Dialect::Frames)) => (false, true),
            (Codec::Auto, None | Some(Dialect::Lines(Check::None))) => (true, true),
            (Codec::Auto, Some(Dialect::Lines(_))) => (true, false),
        }
    }

    fn collect(&mut self, run: &[u8], lines: bool, frames: bool) {
        if lines {
            self.line.push(run);
        }
        if frames {
            self.frame.push(run);
        }
    }

    fn end_of_line(&mut self) -> Option<Item> {
        let (mut bytes, over) = self.line.take();
        if over {
            // Before a line came, it is not known whether it was meant to be one.
            if self.settings.codec == Codec::Lines || self.dialect.is_some() {
                self.counters.oversize += 1;
                self.lost = true;
            }
            return Some(self.log(bytes.freeze()));
        }
        if bytes.last() == Some(&b'\r') {
            bytes.truncate(bytes.len() - 1);
        }
        if bytes.is_empty() {
            return None;
        }
        let required = match self.dialect {
            Some(Dialect::Lines(check)) => check.max(self.settings.check),
            _ => self.settings.check,
        };
        match line::read(&bytes, required) {
            Line::Document(size, check) => {
                bytes.truncate(size);
                self.found(Dialect::Lines(check.max(required)));
                Some(self.document(bytes, false))
            }
            Line::Damaged => {
                self.counters.crc_errors += 1;
                self.lost = true;
                None
            }
            Line::Unchecked => {
                self.counters.unchecked += 1;
                Some(self.log(bytes.freeze()))
            }
            Line::Text => Some(self.log(bytes.freeze())),
        }
    }

    /// A zero: the end of a frame. It also ends what was no line yet, so that a glitch in front of a line does no harm.
    fn end_of_frame(&mut self, lines: bool, frames: bool) -> Option<Item> {
        let (line, _) = if lines { self.line.take() } else { Default::default() };
        if frames {
            let (bytes, over) = self.frame.take();
            if bytes.is_empty() {
                return None;
            }
            if let Some(item) = self.framed(bytes, over) {
                return Some(item);
            }
        }
        (!line.is_empty()).then(|| self.log(line.freeze()))
    }

    fn framed(&mut self, bytes: BytesMut, over: bool) -> Option<Item> {
        let settled = self.settings.codec == Codec::Frames || self.dialect == Some(Dialect::Frames);
        let text = settled && !frame::was_document(&bytes) && is_text(&bytes);
        let kept = if text { bytes.clone().freeze() } else { Bytes::new() };
        match if over { Frame::Damaged } else { frame::read(bytes) } {
            Frame::Document(body) => {
                self.found(Dialect::Frames);
                Some(self.document(body, true))
            }
            Frame::Segment(body) => {
                self.found(Dialect::Frames);
                self.counters.segments += 1;
                Some(Item::Segment(body.freeze()))
            }
            Frame::Unknown => {
                self.found(Dialect::Frames);
                self.counters.unknown += 1;
                None
            }
            Frame::Damaged if text => {
                self.counters.oversize += u64::from(over);
                self.text = kept;
                next_line(&mut self.text).map(|text| self.log(text))
            }
            Frame::Damaged => {
                // Before a frame came, it is not known whether it was meant to be one.
                if settled {
                    *(if over {
                        &mut self.counters.oversize
                    } else {
                        &mut self.counters.crc_errors
                    }) += 1;
                    self.lost = true;
                }
                None
            }
        }
    }

    /// Something valid came, in this dialect.
    fn found(&mut self, dialect: Dialect) {
        self.counters.resyncs += u64::from(std::mem::take(&mut self.lost));
        if self.dialect == Some(dialect) {
            return;
        }
        self.dialect = Some(dialect);
        let (lines, frames) = self.wanted();
        if !lines {
            self.line.clear();
        }
        if !frames {
            self.frame.clear();
        }
    }

    fn document(&mut self, text: BytesMut, framed: bool) -> Item {
        self.counters.documents += 1;
        Item::Document {
            text: text.freeze(),
            framed,
        }
    }

    fn log(&mut self, text: Bytes) -> Item {
        self.counters.log_lines += 1;
        Item::Log(text)
    }
}

/// Whether text has this byte, but for letters beyond ASCII. A terminal's colours begin with an escape.
fn is_of_text(byte: u8) -> bool {
    const ESCAPE: u8 = 0x1b;
    matches!(byte, b'\t' | b'\n' | b'\r' | ESCAPE | b' '..=b'~')
}
