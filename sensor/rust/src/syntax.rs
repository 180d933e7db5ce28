//! Where the pieces of a JSON text end.

/// Deepest nesting of arrays and objects.
const DEPTH_MAX: u32 = 16;

/// The first byte from here on that is no space.
pub(crate) fn space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// Where the string ends that begins here.
pub(crate) fn string_end(text: &[u8], mut at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    at += 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => match text.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' => {
                    hex(text, at + 2)?;
                    at += 6;
                }
                _ => return None,
            },
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

/// The number of four hexadecimal digits here.
pub(crate) fn hex(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits
        .iter()
        .try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
}

fn digits_end(text: &[u8], mut at: usize) -> Option<usize> {
    let begin = at;
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > begin).then_some(at)
}

fn number_end(text: &[u8], mut at: usize) -> Option<usize> {
    if text.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match text.get(at) {
        Some(b'0') => at + 1,
        _ => digits_end(text, at)?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits_end(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = text.get(at) {
            at += 1;
        }
        at = digits_end(text, at)?;
    }
    Some(at)
}

fn word_end(text: &[u8], at: usize) -> Option<usize> {
    let words: [&[u8]; 3] = [b"true", b"false", b"null"];
    let word = words.iter().find(|word| text[at..].starts_with(word))?;
    Some(at + word.len())
}

/// Where the value ends that begins here, which no space is in front of. Nesting costs a bit for each level, and no stack.
pub(crate) fn value_end(text: &[u8], mut at: usize) -> Option<usize> {
    // The innermost is the lowest bit: 1 for an object.
    let mut objects = 0_u32;
    let mut depth = 0;
    let mut value_is_due = true;
    loop {
        let mut object = objects & 1 == 1;
        let first = *text.get(at)?;
        if value_is_due {
            value_is_due = false;
            if !matches!(first, b'{' | b'[') {
                at = match first {
                    b'"' => string_end(text, at)?,
                    b'-' | b'0'..=b'9' => number_end(text, at)?,
                    _ => word_end(text, at)?,
                };
                if depth == 0 {
                    return Some(at);
                }
                continue;
            }
            if depth == DEPTH_MAX {
                return None;
            }
            depth += 1;
            object = first == b'{';
            objects = objects << 1 | u32::from(object);
            at = space(text, at + 1);
            if text.get(at) == Some(&close(object)) {
                continue;
            }
        } else {
            at = space(text, at);
            match *text.get(at)? {
                b',' => at = space(text, at + 1),
                end if end == close(object) => {
                    at += 1;
                    objects >>= 1;
                    depth -= 1;
                    if depth == 0 {
                        return Some(at);
                    }
                    continue;
                }
                _ => return None,
            }
        }
        value_is_due = true;
        if object {
            at = space(text, string_end(text, at)?);
            if text.get(at) != Some(&b':') {
                return None;
            }
            at = space(text, at + 1);
        }
    }
}

fn close(object: bool) -> u8 {
    if object { b'}' } else { b']' }
}
