//! Words for numbers that JSON does not have.

/// How C, Python and others print them, and what they are in a document that is passed on.
const WORDS: [(&str, &str); 8] = [
    ("NaN", "\"NaN\""),
    ("nan", "\"NaN\""),
    ("Infinity", "\"Infinity\""),
    ("inf", "\"Infinity\""),
    ("ovf", "\"Infinity\""),
    ("-Infinity", "\"-Infinity\""),
    ("-inf", "\"-Infinity\""),
    ("-ovf", "\"-Infinity\""),
];

/// The word that a text is, as a JSON string.
pub(super) fn word(text: &str) -> Option<&'static str> {
    WORDS.iter().find(|(word, _)| *word == text).map(|(_, json)| *json)
}

/// A document in which such words are strings, wherever they stand as a value; `None` where there are none.
pub(super) fn quoted(document: &str) -> Option<String> {
    let mut out = String::with_capacity(document.len() + 16);
    let mut rest = document;
    // The last character outside strings that is not white space.
    let mut before = ' ';
    let mut found = false;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '"' => string_len(rest),
            _ if matches!(before, '[' | ',' | ':') => match value_word(rest) {
                Some((len, json)) => {
                    out.push_str(json);
                    found = true;
                    rest = rest.get(len..).unwrap_or_default();
                    before = '"';
                    continue;
                }
                None => c.len_utf8(),
            },
            _ => c.len_utf8(),
        };
        let (front, back) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        out.push_str(front);
        rest = back;
        if !c.is_ascii_whitespace() {
            before = c;
        }
    }
    found.then_some(out)
}

/// The word at the front, if the value ends with it.
fn value_word(rest: &str) -> Option<(usize, &'static str)> {
    let len = rest.find(|c: char| !c.is_ascii_alphabetic() && c != '-')?;
    let (front, back) = rest.split_at_checked(len)?;
    let ends = matches!(back.trim_start().chars().next(), Some(',' | ']' | '}'));
    word(front).filter(|_| ends).map(|json| (len, json))
}

/// Size of the string at the front, quotes included.
fn string_len(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_strings_where_they_are_values() {
        let document = r#"{"a":NaN,"b": -inf ,"c":[nan,ovf,1],"d":"NaN: nan,"}"#;
        let wanted = r#"{"a":"NaN","b": "-Infinity" ,"c":["NaN","Infinity",1],"d":"NaN: nan,"}"#;
        assert_eq!(quoted(document).as_deref(), Some(wanted));
    }

    #[test]
    fn elsewhere_they_stay() {
        for document in [
            r#"{"nan":1}"#,
            "{nan:1}",
            "[1nan]",
            "[nanx]",
            r#"{"a":"\"nan"}"#,
            "[nan",
            ":",
            "\"",
            "é[é",
        ] {
            assert_eq!(quoted(document), None, "{document}");
        }
    }
}
