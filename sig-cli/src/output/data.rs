//! Data as one line that is safe to print.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;
use sig_core::Payload;

/// A payload as JSON on one line.
///
/// A router forwards data without looking into it, so it may be anything: what is not JSON is shown as bytes, and
/// control characters, which could drive a terminal, are escaped.
pub(crate) fn payload_text(payload: &Payload) -> String {
    let text = payload.json_text().ok();
    let json = text
        .as_deref()
        .and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    match json {
        Some(json) => one_line(json.get()).into_owned(),
        None => Payload::from_bytes(payload.bytes().clone())
            .json_text()
            .map_or_else(|_| "null".to_owned(), Cow::into_owned),
    }
}

/// Text without line ends and control characters: white space becomes a space, the others are written `\u....`.
/// Valid JSON stays the same JSON value.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => line.push(' '),
            c if c.is_control() => {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use sig_core::ContentType;

    use super::*;

    fn json(text: &str) -> String {
        payload_text(&Payload::new(ContentType::JSON, text.as_bytes().to_vec()))
    }

    #[test]
    fn json_stays_the_same_value_on_one_line() {
        assert_eq!(json(" {\n\t\"a\": 1.50\r\n} "), r#"{  "a": 1.50  }"#);
        assert_eq!(json("\"caf\u{e9}\""), "\"caf\u{e9}\"");
    }

    #[test]
    fn nothing_reaches_the_terminal_that_could_drive_it() {
        assert_eq!(json("\"\u{9b}2J\u{7f}\""), r#""\u009b2J\u007f""#);
        assert_eq!(json("\u{1b}[2J"), r#"{"$bytes":"G1sySg=="}"#);
        assert_eq!(json(""), r#"{"$bytes":""}"#);
        let text = Payload::new(ContentType::TEXT, "a\u{1b}b\n");
        assert_eq!(payload_text(&text), r#""a\u001bb\n""#);
        assert_eq!(payload_text(&Payload::from_bytes(vec![255])), r#"{"$bytes":"/w=="}"#);
        assert_eq!(
            payload_text(&Payload::new(ContentType::TEXT, vec![255])),
            r#"{"$bytes":"/w=="}"#
        );
    }
}
