//! Python's words for numbers that JSON does not have.

use bytes::{Bytes, BytesMut};

const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// Puts `NaN`, `Infinity` and `-Infinity` in quotes wherever they stand as a value.
///
/// Elsewhere, as in `{NaN:1}` or `[1NaN]`, they stay, and the document stays invalid.
pub(super) fn quote(document: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(document.len() + 16);
    let mut copied = 0;
    let mut at = 0;
    // The last byte outside strings that is not white space.
    let mut before = 0;
    while let Some(rest) = document.get(at..) {
        let Some(&byte) = rest.first() else { break };
        if byte == b'"' {
            at += string_len(rest);
        } else if let Some(word) = matches!(before, b'[' | b',' | b':').then(|| word(rest)).flatten() {
            out.extend_from_slice(document.get(copied..at).unwrap_or_default());
            out.extend_from_slice(b"\"");
            out.extend_from_slice(word);
            out.extend_from_slice(b"\"");
            at += word.len();
            copied = at;
        } else {
            at += 1;
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
    }
    out.extend_from_slice(document.get(copied..).unwrap_or_default());
    out.freeze()
}

/// The word at the front of `rest`, if the value ends with it.
fn word(rest: &[u8]) -> Option<&'static [u8]> {
    let word = WORDS.into_iter().find(|word| rest.starts_with(word))?;
    let after = rest.get(word.len()..)?.trim_ascii_start().first()?;
    matches!(after, b',' | b']' | b'}').then_some(word)
}

/// Size of the string at the front of `rest`, quotes included.
fn string_len(rest: &[u8]) -> usize {
    let mut escaped = false;
    for (at, &byte) in rest.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
