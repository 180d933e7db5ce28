//! Writing JSON into a buffer.

use crate::Value;

/// Where one JSON value is written to: the data of an event, or an answer. Commas come by themselves; what does not fit is
/// noticed at the end.
#[derive(Debug)]
pub struct Out<'a> {
    text: &'a mut [u8],
    len: usize,
    /// Of the value.
    start: usize,
    /// Behind the id of an answer.
    mark: usize,
    full: bool,
    failed: bool,
}

impl<'a> Out<'a> {
    pub(crate) const fn new(text: &'a mut [u8]) -> Self {
        Self {
            text,
            len: 0,
            start: 0,
            mark: 0,
            full: false,
            failed: false,
        }
    }

    /// `null`.
    pub fn null(&mut self) {
        self.raw("null");
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    /// A whole number.
    pub fn int(&mut self, value: i64) {
        self.fixed(value, 0);
    }

    /// A number without floating point: 215 with one digit is `21.5`. At most 9 digits.
    pub fn fixed(&mut self, value: i64, digits: u32) {
        let ten = 10_u64.pow(digits.min(9));
        let size = value.unsigned_abs();
        self.next();
        if value < 0 {
            self.put(b'-');
        }
        self.unsigned(size / ten, 1);
        if digits > 0 {
            self.put(b'.');
            self.unsigned(size % ten, digits.min(9));
        }
    }

    /// A number with so many digits (at most 9) behind the point; `null` for what is no number, or beyond 9e17 without
    /// the point.
    pub fn decimal(&mut self, value: f64, digits: u32) {
        let digits = digits.min(9);
        let scaled = (0..digits).fold(value, |scaled, _| scaled * 10.0);
        if scaled > -9e17 && scaled < 9e17 {
            let half = if scaled < 0.0 { -0.5 } else { 0.5 };
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it was looked at; the rest is what rounding cuts off"
            )]
            self.fixed((scaled + half) as i64, digits);
        } else {
            self.null();
        }
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        self.next();
        self.quoted(text);
    }

    /// JSON as it is.
    pub fn raw(&mut self, json: &str) {
        self.next();
        self.puts(json);
    }

    /// An object, whose members this writes: each a [`key`](Self::key) and a value.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.raw("{");
        members(self);
        self.put(b'}');
    }

    /// The name of the member whose value comes next.
    pub fn key(&mut self, key: &str) {
        self.text(key);
        self.put(b':');
    }

    /// An array, whose items this writes.
    pub fn array(&mut self, items: impl FnOnce(&mut Self)) {
        self.raw("[");
        items(self);
        self.put(b']');
    }

    /// The answer is this error, whatever else is written.
    pub fn fail(&mut self, why: &str) {
        self.failed = false;
        // An event cannot fail.
        self.full = self.mark == 0;
        self.len = self.mark;
        self.key("error");
        self.start = self.len;
        self.quoted(why);
        self.failed = true;
    }

    /// From here on the value.
    pub(crate) fn start(&mut self) {
        self.start = self.len;
    }

    /// Here the id ends.
    pub(crate) fn mark(&mut self) {
        self.mark = self.len;
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    /// Whether one value was written. Nothing is null.
    pub(crate) fn finish(&mut self) -> bool {
        if self.len == self.start && !self.full {
            self.puts("null");
        }
        !self.full && Value::parse(&self.text[self.start..self.len]).is_some()
    }

    /// Ends the document, and gives its length.
    pub(crate) fn close(self) -> usize {
        // There is room for this byte always.
        self.text[self.len] = b'}';
        self.len + 1
    }

    pub(crate) fn put(&mut self, byte: u8) {
        if self.failed {
            return;
        }
        if self.len + 1 < self.text.len() {
            self.text[self.len] = byte;
            self.len += 1;
        } else {
            self.full = true;
        }
    }

    pub(crate) fn puts(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.put(byte));
    }

    pub(crate) fn unsigned(&mut self, mut value: u64, least: u32) {
        let mut digits = [0; 20];
        let mut count = 0;
        while value > 0 || count < least.max(1) as usize {
            digits[count] = b'0' + (value % 10) as u8;
            value /= 10;
            count += 1;
        }
        digits[..count].iter().rev().for_each(|digit| self.put(*digit));
    }

    /// In front of a value or key: a comma, unless it is the first of its array or object. No value ends like a beginning.
    fn next(&mut self) {
        if !matches!(self.text[..self.len].last(), None | Some(b'{' | b'[' | b':')) {
            self.put(b',');
        }
    }

    fn quoted(&mut self, text: &str) {
        self.put(b'"');
        for byte in text.bytes() {
            match byte {
                0..0x20 => {
                    self.puts("\\u00");
                    self.put(b'0' + (byte >> 4));
                    self.put(b"0123456789abcdef"[usize::from(byte & 15)]);
                }
                b'"' | b'\\' => {
                    self.put(b'\\');
                    self.put(byte);
                }
                _ => self.put(byte),
            }
        }
        self.put(b'"');
    }
}
