//! Reading JSON where it lies.

use core::str;

use crate::syntax::{hex, space, string_end, value_end};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// There is no value.
    None,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// Text.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A piece of a request: valid JSON, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Value<'a> {
    text: &'a str,
}

impl<'a> Value<'a> {
    /// One JSON value with spaces around it; `None` when the text is something else, or nested deeper than 16.
    ///
    /// ```
    /// let value = sig_sensor::Value::parse(br#" {"low": 18, "high": [22.5]} "#).unwrap();
    /// assert_eq!(value.get("low").as_i64(), Some(18));
    /// assert_eq!(value.get("high").item(0).as_f64(), Some(22.5));
    /// assert_eq!(value.get("middle").as_f64(), None);
    /// ```
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let begin = space(text, 0);
        let end = value_end(text, begin)?;
        if space(text, end) != text.len() {
            return None;
        }
        let text = str::from_utf8(&text[begin..end]).ok()?;
        Some(Self { text })
    }

    /// Its text; empty when there is no value.
    #[must_use]
    pub const fn text(self) -> &'a str {
        self.text
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.text.as_bytes().first() {
            None => Kind::None,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.text == "true")
    }

    /// The whole number, if it is one and fits; `1.0` is none.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        self.text.parse().ok().filter(|_| self.kind() == Kind::Number)
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        self.text.parse().ok().filter(|_| self.kind() == Kind::Number)
    }

    /// The text, written to a buffer; `None` when it is none or too long.
    #[must_use]
    pub fn as_text(self, to: &mut [u8]) -> Option<&str> {
        let mut used = 0;
        for character in self.characters()? {
            let len = character.len_utf8();
            character.encode_utf8(to.get_mut(used..used + len)?);
            used += len;
        }
        str::from_utf8(to.get(..used)?).ok()
    }

    /// Whether it is this text.
    #[must_use]
    pub fn is_text(self, text: &str) -> bool {
        self.characters().is_some_and(|own| own.eq(text.chars()))
    }

    /// The member of an object with this name. Of equal names the last one counts.
    #[must_use]
    pub fn get(self, key: &str) -> Self {
        let named = |(name, value): (Self, Self)| name.is_text(key).then_some(value);
        self.parts(Kind::Object).filter_map(named).last().unwrap_or_default()
    }

    /// The item of an array with this index.
    #[must_use]
    pub fn item(self, index: usize) -> Self {
        self.parts(Kind::Array).nth(index).unwrap_or_default().1
    }

    /// Names and values of an object, or values of an array.
    fn parts(self, kind: Kind) -> impl Iterator<Item = (Self, Self)> {
        let text = self.text.as_bytes();
        let piece = move |begin, end| Self {
            text: self.text.get(begin..end).unwrap_or_default(),
        };
        let mut at = if self.kind() == kind {
            space(text, 1)
        } else {
            text.len()
        };
        core::iter::from_fn(move || {
            if matches!(text.get(at), None | Some(b'}' | b']')) {
                return None;
            }
            let mut name = Self::default();
            if kind == Kind::Object {
                let end = string_end(text, at)?;
                name = piece(at, end);
                at = space(text, space(text, end) + 1);
            }
            let end = value_end(text, at)?;
            let value = piece(at, end);
            at = space(text, end);
            if text.get(at) == Some(&b',') {
                at = space(text, at + 1);
            }
            Some((name, value))
        })
    }

    /// The characters of a text.
    fn characters(self) -> Option<impl Iterator<Item = char>> {
        let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
        let mut at = 0;
        Some(core::iter::from_fn(move || {
            let rest = inner.get(at..)?;
            let first = rest.chars().next()?;
            if first != '\\' {
                at += first.len_utf8();
                return Some(first);
            }
            let escape = *rest.as_bytes().get(1)?;
            at += 2;
            Some(match escape {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => {
                    let (character, len) = unit(rest.as_bytes())?;
                    at += len - 2;
                    character
                }
                other => char::from(other),
            })
        }))
    }
}

/// The character of an escape like `\u00e4`, or of two that are a pair, and how many bytes that takes.
fn unit(text: &[u8]) -> Option<(char, usize)> {
    let high = hex(text, 2)?;
    if (0xD800..0xDC00).contains(&high) && text.get(6..8) == Some(b"\\u") {
        let low = hex(text, 8)?;
        if (0xDC00..0xE000).contains(&low) {
            let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            return Some((char::from_u32(code)?, 12));
        }
    }
    // Half a pair is no character.
    Some((char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}
