//! One line: a document with or without a check sum, or text.

use sig_wire::crc;

use crate::Check;

/// What a line turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A document of so many bytes, which this check sum confirms.
    Document(usize, Check),
    /// It has a check sum that is required, and not the right one.
    Damaged,
    /// A document without the check sum that is required.
    Unchecked,
    /// Text.
    Text,
}

/// Reads a line, without what ends it, where this check sum is required.
pub(super) fn read(line: &[u8], required: Check) -> Line {
    let (content, found) = split_suffix(line);
    match found {
        Some((check, right)) if check >= required => match (right, required) {
            (true, _) if is_document(content) => Line::Document(content.len(), check),
            // Where none is required yet it may be the text of a device that knows nothing of check sums.
            (true, _) | (false, Check::None) => Line::Text,
            (false, _) => Line::Damaged,
        },
        _ if !is_document(content) => Line::Text,
        None if required == Check::None => Line::Document(line.len(), Check::None),
        _ => Line::Unchecked,
    }
}

/// What stands in front of the suffix, which check sum that has, and whether it is right.
fn split_suffix(line: &[u8]) -> (&[u8], Option<(Check, bool)>) {
    for (digits, check) in [(8, Check::Crc32), (4, Check::Crc16)] {
        let Some((content, [b'*', suffix @ ..])) = line.len().checked_sub(digits + 1).map(|at| line.split_at(at))
        else {
            continue;
        };
        if let Some(found) = hexadecimal(suffix) {
            let right = match check {
                Check::Crc32 => crc::crc32(content) == found,
                Check::Crc16 | Check::None => u32::from(crc::crc16(content)) == found,
            };
            return (content, Some((check, right)));
        }
    }
    (line, None)
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// Whether a text is a document: a JSON object, or numbers with commas between them, which a board could mean.
#[must_use]
pub fn is_document(text: &[u8]) -> bool {
    crate::board::is_document(text)
}

/// The suffix of a line with this check sum.
#[must_use]
pub fn suffix(content: &[u8], check: Check) -> String {
    match check {
        Check::None => String::new(),
        Check::Crc16 => format!("*{:04X}", crc::crc16(content)),
        Check::Crc32 => format!("*{:08X}", crc::crc32(content)),
    }
}
