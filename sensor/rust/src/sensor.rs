//! What a board hears.

use sig_wire::{cobs, crc};

use crate::{Board, Dialect, Kind, Out, Port, Talk, Value};

/// How often a board repeats its hello until it heard a host, in milliseconds.
pub const HELLO_MS: u32 = 5000;

/// A host asks who this is, in plain text, since it does not know yet how the board talks. No frame begins like that.
const ASKED: &[u8] = b"\n{\"hello\":\"sig\"}\n";

/// What arrived and was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unused {
    /// By check sum or framing.
    pub damaged: u32,
    /// Longer than `RX`.
    pub overlong: u32,
    /// No request, though intact.
    pub ignored: u32,
}

/// A board: a sender of a router, at the end of a serial line.
///
/// The sizes are those of the longest request, the longest event or hello, and the longest answer, which is kept for a
/// request that is repeated: such a one is executed once. Damaged input is dropped and counted.
#[derive(Debug)]
pub struct Sensor<'a, P, const RX: usize = 320, const TX: usize = 320, const ANSWER: usize = 192> {
    talk: Talk<'a, P, TX>,
    unused: Unused,
    rx: [u8; RX],
    rx_len: usize,
    spoilt: bool,
    matched: usize,
    last_id: u16,
    last_crc: u32,
    answer: [u8; ANSWER],
    answer_len: usize,
    heard: bool,
    said_ms: Option<u32>,
}

impl<'a, P: Port, const RX: usize, const TX: usize, const ANSWER: usize> Sensor<'a, P, RX, TX, ANSWER> {
    /// A board that has not said anything yet.
    #[must_use]
    pub const fn new(board: Board<'a>, port: P) -> Self {
        const {
            assert!(
                RX >= 64 && TX >= 64 && ANSWER >= 64,
                "an answer must have room for an error"
            );
            assert!(ANSWER <= TX, "an answer is sent through the buffer of the events");
        };
        Self {
            talk: Talk::new(board, port),
            unused: Unused {
                damaged: 0,
                overlong: 0,
                ignored: 0,
            },
            rx: [0; RX],
            rx_len: 0,
            spoilt: false,
            matched: 0,
            last_id: 0,
            last_crc: 0,
            answer: [0; ANSWER],
            answer_len: 0,
            heard: false,
            said_ms: None,
        }
    }

    /// Says who this is: once at the start. `false` when that is longer than `TX`.
    pub fn hello(&mut self) -> bool {
        self.talk.hello()
    }

    /// To say something.
    pub const fn talk(&mut self) -> &mut Talk<'a, P, TX> {
        &mut self.talk
    }

    /// What arrived and was not used.
    #[must_use]
    pub const fn unused(&self) -> Unused {
        self.unused
    }

    /// Time goes by; any clock of milliseconds that may wrap.
    pub fn tick(&mut self, now_ms: u32) {
        match self.said_ms {
            None => self.said_ms = Some(now_ms),
            Some(said) if !self.heard && now_ms.wrapping_sub(said) >= HELLO_MS => {
                self.said_ms = Some(now_ms);
                self.talk.hello();
            }
            Some(_) => {}
        }
    }

    /// Takes what arrived, calls the methods of the board and answers them. What is called writes one value to the answer
    /// (none: null) or fails it, and may send events.
    pub fn feed<C>(&mut self, bytes: &[u8], call: &mut C)
    where
        C: FnMut(&str, Value<'_>, &mut Out<'_>, &mut Talk<'a, P, TX>),
    {
        let frames = self.talk.board.dialect == Dialect::Frames;
        for byte in bytes {
            if frames && self.is_asked(*byte) {
                self.restart();
                self.document(&ASKED[1..ASKED.len() - 1], call);
                continue;
            }
            let end = if frames { 0 } else { b'\n' };
            if *byte != end {
                self.push(*byte);
                continue;
            }
            // The document is read where it lies, so it is away while it is read.
            let (mut rx, len, spoilt) = (self.rx, self.rx_len, self.spoilt);
            self.restart();
            if spoilt || len == 0 {
                continue;
            }
            if frames {
                self.frame(&mut rx[..len], call);
            } else {
                self.line(&rx[..len], call);
            }
        }
    }

    fn is_asked(&mut self, byte: u8) -> bool {
        self.matched = match byte {
            byte if byte == ASKED[self.matched] => self.matched + 1,
            b'\n' => 1,
            _ => 0,
        };
        let asked = self.matched == ASKED.len();
        if asked {
            self.matched = 1;
        }
        asked
    }

    fn restart(&mut self) {
        self.rx_len = 0;
        self.spoilt = false;
    }

    fn push(&mut self, byte: u8) {
        if let Some(free) = self.rx.get_mut(self.rx_len) {
            *free = byte;
            self.rx_len += 1;
        } else if !self.spoilt {
            self.spoilt = true;
            self.unused.overlong += 1;
        }
    }

    fn line<C>(&mut self, line: &[u8], call: &mut C)
    where
        C: FnMut(&str, Value<'_>, &mut Out<'_>, &mut Talk<'a, P, TX>),
    {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return;
        }
        match suffix(line) {
            Some((text, crc)) if crc == crc::crc32(text) => self.document(text, call),
            Some(_) => self.unused.damaged += 1,
            // Only a host that does not know the board yet writes without.
            None if self.talk.board.dialect == Dialect::LinesCrc && line != &ASKED[1..ASKED.len() - 1] => {
                self.unused.damaged += 1;
            }
            None => self.document(line, call),
        }
    }

    fn frame<C>(&mut self, frame: &mut [u8], call: &mut C)
    where
        C: FnMut(&str, Value<'_>, &mut Out<'_>, &mut Talk<'a, P, TX>),
    {
        let body = cobs::decode_in_place(frame).ok().and_then(|len| {
            let (body, crc) = frame.get(..len)?.split_last_chunk::<4>()?;
            (!body.is_empty() && crc::crc32c(body) == u32::from_le_bytes(*crc)).then_some(body)
        });
        match body {
            None => self.unused.damaged += 1,
            Some(body) if body[0] == b'{' => self.document(body, call),
            // For a router.
            Some(_) => self.unused.ignored += 1,
        }
    }

    fn document<C>(&mut self, text: &[u8], call: &mut C)
    where
        C: FnMut(&str, Value<'_>, &mut Out<'_>, &mut Talk<'a, P, TX>),
    {
        let Some(all) = Value::parse(text) else {
            self.unused.damaged += 1;
            return;
        };
        if all.get("hello").kind() != Kind::None {
            // A new host, whose ids begin anew.
            self.heard = true;
            self.last_id = 0;
            self.talk.hello();
            return;
        }
        let id = all.get("id").as_i64().and_then(|id| u16::try_from(id).ok());
        let (id, method) = match (id, all.get("method")) {
            (Some(id @ 1..), method) if method.kind() == Kind::Text => (id, method),
            _ => {
                self.unused.ignored += 1;
                return;
            }
        };
        self.heard = true;
        let crc = crc::crc32(all.text().as_bytes());
        // Else the host did not hear the answer: it gets the same again.
        if (self.last_id, self.last_crc) != (id, crc) {
            (self.last_id, self.last_crc) = (id, crc);
            self.call(method, all.get("params"), call);
        }
        self.talk.say(&self.answer[..self.answer_len], false);
    }

    fn call<C>(&mut self, method: Value<'_>, params: Value<'_>, call: &mut C)
    where
        C: FnMut(&str, Value<'_>, &mut Out<'_>, &mut Talk<'a, P, TX>),
    {
        let mut out = Out::new(&mut self.answer);
        out.key("id");
        out.int(self.last_id.into());
        out.mark();
        out.key("response");
        out.start();
        let known = self.talk.board.requests.unwrap_or_default();
        match known.iter().find(|known| method.is_text(known)) {
            Some(known) => call(known, params, &mut out, &mut self.talk),
            None => out.fail("no such method"),
        }
        if !out.finish() {
            out.fail(if out.is_full() {
                "the answer is too long for the board"
            } else {
                "the answer is no JSON"
            });
        }
        self.answer_len = out.close();
    }
}

/// The text in front of a suffix, and the check sum in it.
fn suffix(line: &[u8]) -> Option<(&[u8], u32)> {
    let (text, [b'*', digits @ ..]) = line.split_last_chunk::<9>()? else {
        return None;
    };
    if text.is_empty() {
        return None;
    }
    let crc = digits
        .iter()
        .try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))?;
    Some((text, crc))
}
