//! What a board says.

use sig_wire::cobs::Encoder;
use sig_wire::crc::Crc;

use crate::Out;

/// How a board talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Lines of JSON.
    Lines,
    /// Lines of JSON, each with a CRC-32: damage is noticed, a terminal still shows text.
    LinesCrc,
    /// COBS frames with CRC-32C: the board may print anything beside them.
    Frames,
}

/// What a board is.
#[derive(Debug, Clone, Copy)]
pub struct Board<'a> {
    /// The name of the sender.
    pub name: &'a str,
    /// Its events; `None`: not told.
    pub events: Option<&'a [&'a str]>,
    /// Its methods; `None`: it has none.
    pub requests: Option<&'a [&'a str]>,
    /// How it talks.
    pub dialect: Dialect,
}

/// The board's end of the line.
pub trait Port {
    /// Writes all of these bytes, or the router counts a loss.
    fn write(&mut self, bytes: &[u8]);

    /// Turns a half-duplex line: around each document and log line.
    fn turn(&mut self, talking: bool) {
        let _ = talking;
    }
}

/// What is said on a line. Each document carries its number, so that the router counts what the line lost.
#[derive(Debug)]
pub struct Talk<'a, P, const TX: usize = 320> {
    pub(crate) board: Board<'a>,
    pub(crate) port: P,
    n: u32,
}

impl<'a, P: Port, const TX: usize> Talk<'a, P, TX> {
    pub(crate) const fn new(board: Board<'a>, port: P) -> Self {
        Self { board, port, n: 0 }
    }

    /// The board's end of the line.
    pub const fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// Says who this is; `false` when that is longer than `TX`.
    pub fn hello(&mut self) -> bool {
        let mut text = [0; TX];
        let mut out = Out::new(&mut text);
        out.key("hello");
        out.text(self.board.name);
        for (key, names) in [("events", self.board.events), ("requests", self.board.requests)] {
            if let Some(names) = names {
                out.key(key);
                out.array(|out| names.iter().for_each(|name| out.text(name)));
            }
        }
        if out.is_full() {
            return false;
        }
        let len = out.close();
        self.say(&text[..len], true);
        true
    }

    /// An event with what this writes; `false` when that does not fit or is no JSON. Then it is not sent, and the router
    /// counts it as missed.
    pub fn event(&mut self, event: &str, data: impl FnOnce(&mut Out<'_>)) -> bool {
        let mut text = [0; TX];
        let mut out = Out::new(&mut text);
        out.key("event");
        out.text(event);
        out.key("data");
        out.start();
        data(&mut out);
        if !out.finish() {
            self.n = self.n.wrapping_add(1);
            return false;
        }
        let len = out.close();
        self.say(&text[..len], false);
        true
    }

    /// An event with the value `null`. This and those below are as [`event`](Self::event).
    pub fn event_null(&mut self, event: &str) -> bool {
        self.event(event, |out| out.null())
    }

    /// An event with a truth value.
    pub fn event_bool(&mut self, event: &str, value: bool) -> bool {
        self.event(event, |out| out.bool(value))
    }

    /// An event with a whole number.
    pub fn event_int(&mut self, event: &str, value: i64) -> bool {
        self.event(event, |out| out.int(value))
    }

    /// An event with a number as [`Out::fixed`] writes it.
    pub fn event_fixed(&mut self, event: &str, value: i64, digits: u32) -> bool {
        self.event(event, |out| out.fixed(value, digits))
    }

    /// An event with a number as [`Out::decimal`] writes it.
    pub fn event_decimal(&mut self, event: &str, value: f64, digits: u32) -> bool {
        self.event(event, |out| out.decimal(value, digits))
    }

    /// An event with a text.
    pub fn event_text(&mut self, event: &str, text: &str) -> bool {
        self.event(event, |out| out.text(text))
    }

    /// Text for people: the event `log` of the router's sender.
    pub fn log(&mut self, text: &str) {
        self.port.turn(true);
        // A line that begins like a document would be one.
        if let Some(b'{' | b'-' | b'+' | b'.' | b'0'..=b'9') = text.as_bytes().first() {
            self.port.write(b"# ");
        }
        self.port.write(text.as_bytes());
        self.port.write(b"\n");
        self.port.turn(false);
    }

    /// Sends the document `{"n":..,BODY`.
    pub(crate) fn say(&mut self, body: &[u8], apart: bool) {
        let mut head = [0; 20];
        let mut out = Out::new(&mut head);
        out.puts("{\"n\":");
        out.unsigned(self.n.into(), 1);
        out.put(b',');
        let len = out.close() - 1;
        self.n = self.n.wrapping_add(1);
        self.port.turn(true);
        match self.board.dialect {
            Dialect::Frames => self.frame(&head[..len], body),
            dialect => self.line(&head[..len], body, dialect == Dialect::LinesCrc, apart),
        }
        self.port.turn(false);
    }

    fn line(&mut self, head: &[u8], body: &[u8], checked: bool, apart: bool) {
        if apart {
            // From whatever a boot loader left unfinished.
            self.port.write(b"\n");
        }
        self.port.write(head);
        self.port.write(body);
        if checked {
            let crc = checked_by(Crc::iso_hdlc(), head, body);
            let mut suffix = *b"*00000000";
            for (at, digit) in suffix[1..].iter_mut().enumerate() {
                *digit = b"0123456789ABCDEF"[(crc >> (28 - 4 * at) & 15) as usize];
            }
            self.port.write(&suffix);
        }
        self.port.write(b"\n");
    }

    fn frame(&mut self, head: &[u8], body: &[u8]) {
        let crc = checked_by(Crc::iscsi(), head, body).to_le_bytes();
        // A body has at most TX bytes, and a buffer at least 64: there is room for all that comes in addition.
        let mut frame = [[0; TX]; 2];
        let frame = frame.as_flattened_mut();
        let mut encoder = Encoder::new(frame);
        let pushed = [head, body, &crc].iter().try_for_each(|part| encoder.push(part));
        let len = encoder.finish();
        if pushed.is_ok() {
            self.port.write(&[0]);
            self.port.write(&frame[..len]);
            self.port.write(&[0]);
        }
    }
}

fn checked_by(mut crc: Crc, head: &[u8], body: &[u8]) -> u32 {
    crc.update(head);
    crc.update(body);
    crc.value()
}
