//! Documents that are rows of numbers.

use std::borrow::Cow;

use serde_json::value::RawValue;
use sig_core::{EventName, Payload};

use super::{Content, Document};
use crate::board::words;

/// The event of numbers that have no names.
const VALUES: &str = "values";

/// Reads numbers with commas between them; a single one only where it `may_be_one`.
pub(super) fn read(text: &str, may_be_one: bool, columns: &[EventName]) -> Option<Document> {
    let text = text.trim();
    let text = if may_be_one {
        text.strip_suffix(',').unwrap_or(text)
    } else {
        text
    };
    let numbers: Vec<Cow<'_, str>> = text.split(',').map(number).collect::<Option<_>>()?;
    let json = |text: &str| Payload::from_json_text(text.to_owned());
    let events = match (columns, &numbers[..]) {
        ([], [one]) if may_be_one => vec![(EventName::new(VALUES).ok()?, json(one))],
        ([], all) => vec![(EventName::new(VALUES).ok()?, json(&format!("[{}]", all.join(","))))],
        // A row that is cut off, or runs into the next.
        (columns, numbers) if columns.len() != numbers.len() => return None,
        (columns, numbers) => {
            let cells = columns.iter().zip(numbers);
            cells.map(|(column, number)| (column.clone(), json(number))).collect()
        }
    };
    Some(Document {
        number: None,
        content: Content::Events(events),
    })
}

/// A number as JSON has it: C's `+.5` and `5.` are numbers too.
fn number(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if let Some(word) = words::word(text) {
        return Some(word.into());
    }
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    if !text.contains(|c: char| c.is_ascii_digit()) || !text.chars().all(is_number) {
        return None;
    }
    if serde_json::from_str::<&RawValue>(text).is_ok() {
        return Some(text.into());
    }
    let value: f64 = text.parse().ok()?;
    serde_json::Number::from_f64(value).map(|number| number.to_string().into())
}
