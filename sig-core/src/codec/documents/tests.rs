use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const MAX: usize = 64 * 1024;

/// Everything that comes out of `chunks`, and the error that ended it.
fn split<'a>(max: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Bytes>, Option<DocumentError>) {
    let mut documents = Documents::new(max);
    let mut found = Vec::new();
    for chunk in chunks {
        documents.push(chunk);
        loop {
            match documents.next() {
                Ok(Some(document)) => found.push(document),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(documents.next(), Err(error), "an error is final");
                    return (found, Some(error));
                }
            }
        }
    }
    (found, None)
}

fn only(text: &str) -> String {
    let (found, error) = split(MAX, [text.as_bytes()]);
    assert_eq!((found.len(), error), (1, None), "{text}");
    String::from_utf8(found[0].to_vec()).unwrap()
}

#[test]
fn brackets_and_quotes_in_strings_do_not_count() {
    for text in [
        r#"{"a":"}"}"#,
        r#"["[\"]"]"#,
        r#"{"\\":"\\\""}"#,
        r#"["NaN","-Infinity \" NaN"]"#,
        "{}",
    ] {
        assert_eq!(only(text), text);
    }
}

#[test]
fn j2_words_for_numbers_become_strings() {
    for (text, expected) in [
        ("[NaN]", r#"["NaN"]"#),
        ("[ NaN , -Infinity,Infinity ]", r#"[ "NaN" , "-Infinity","Infinity" ]"#),
        (
            r#"{"a": NaN, "b":{"c":-Infinity}}"#,
            r#"{"a": "NaN", "b":{"c":"-Infinity"}}"#,
        ),
        (
            r#"{"NaN":"Infinity","x":Infinity}"#,
            r#"{"NaN":"Infinity","x":"Infinity"}"#,
        ),
    ] {
        assert_eq!(only(text), expected);
        assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
    }
}

#[test]
fn words_that_are_no_values_stay_and_are_no_json() {
    for text in [
        "{NaN:1}",
        "[1NaN]",
        "[NaNNaN]",
        "[--Infinity]",
        r#"["a"NaN]"#,
        "[Infinit]",
        r#"{"a":1,NaN:2}"#,
        "[N]",
    ] {
        assert_eq!(only(text), text);
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
    }
}

#[test]
fn a_document_begins_with_a_bracket() {
    let (found, error) = split(MAX, [&b"{} \r\n\tGET / HTTP/1.1"[..]]);
    assert_eq!(found, ["{}"]);
    assert_eq!(
        error.unwrap().to_string(),
        "a message must be a JSON object, but begins with G (0x47); does the peer speak another protocol?"
    );
    for first in [
        b"1" as &[u8],
        b"\"a\"",
        b"null",
        b"NaN",
        b"}",
        b"]",
        b"\0",
        b"\xEF\xBB\xBF{}",
        b"\xFF",
    ] {
        let byte = first[0];
        assert_eq!(split(MAX, [first]), (vec![], Some(DocumentError::FirstByte { byte })));
    }
}

#[test]
fn the_size_is_bounded_whether_or_not_the_document_ends() {
    let text = br#"{"a":"0123456789"}"#;
    assert_eq!(split(text.len(), [&text[..]]).0.len(), 1);
    let limit = text.len() - 1;
    let error = DocumentError::TooLarge { limit };
    assert_eq!(split(limit, [&text[..]]), (vec![], Some(error)));
    assert_eq!(split(limit, [&text[..limit]]), (vec![], Some(error)));
    assert_eq!(error.to_string(), "a JSON message exceeds the limit of 17 bytes");
}

#[test]
fn nesting_is_bounded() {
    let deep = |levels| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(only(&deep(128)), deep(128));
    let (found, error) = split(MAX, [deep(129).as_bytes()]);
    assert!(found.is_empty());
    assert_eq!(
        error.unwrap().to_string(),
        "a JSON message nests deeper than 128 levels"
    );
    let (_, error) = split(usize::MAX, ["[{".repeat(1 << 20).as_bytes()]);
    assert_eq!(error, Some(DocumentError::TooDeep { limit: 128 }));
}

#[test]
fn nothing_is_held_when_idle_or_failed() {
    let mut documents = Documents::new(MAX);
    documents.push(b"{\"a\":1}  \n");
    assert!(documents.next().unwrap().is_some());
    assert_eq!(documents.next(), Ok(None));
    assert!(documents.is_idle());
    assert_eq!(documents.buffer.capacity(), 0);

    documents.push(b" {");
    assert_eq!(documents.next(), Ok(None));
    assert!(!documents.is_idle());
    documents.push(b"} x");
    assert!(documents.next().unwrap().is_some());
    assert!(documents.next().is_err());
    documents.push(&[b'{'; 1000]);
    assert_eq!(documents.buffer.capacity(), 0);
}

#[test]
fn a_kept_document_does_not_keep_its_neighbours() {
    let mut documents = Documents::new(MAX);
    documents.push(b"{\"a\":1}");
    documents.push(&[b' '; 30_000]);
    let small = documents.next().unwrap().unwrap();
    let bytes = small.try_into_mut().expect("the only owner of its memory");
    assert!(bytes.capacity() < 64, "{}", bytes.capacity());
}

/// A JSON value as a peer may send it, and as it must come out.
fn values() -> impl Strategy<Value = (String, String)> {
    let same = |text: String| (text.clone(), text);
    let leaf = prop_oneof![
        prop_oneof!["NaN", "Infinity", "-Infinity"].prop_map(|word| (word.clone(), format!("\"{word}\""))),
        any::<String>().prop_map(move |text| same(serde_json::to_string(&text).unwrap())),
        r#"[{}\[\]"\\NaI,:]{0,6}"#.prop_map(move |text| same(serde_json::to_string(&text).unwrap())),
        any::<i64>().prop_map(move |number| same(number.to_string())),
        prop_oneof!["null", "true", "false"].prop_map(same),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| around("[", items, "]")),
            proptest::collection::vec(("[\"\\\\{}N]{0,3}", inner), 0..4).prop_map(|members| around(
                "{",
                members.into_iter().map(|(key, (sent, expected))| {
                    let key = serde_json::to_string(&key).unwrap();
                    (format!("{key} :{sent}\n"), format!("{key} :{expected}\n"))
                }),
                "}"
            )),
        ]
    })
}

fn around(open: &str, items: impl IntoIterator<Item = (String, String)>, close: &str) -> (String, String) {
    let (sent, expected): (Vec<_>, Vec<_>) = items.into_iter().unzip();
    (
        format!("{open}{}{close}", sent.join(", ")),
        format!("{open}{}{close}", expected.join(", ")),
    )
}

/// `bytes` cut into pieces of the given sizes.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for &size in sizes {
        let (chunk, rest) = bytes.split_at(size.min(bytes.len()));
        chunks.push(chunk);
        bytes = rest;
    }
    chunks.push(bytes);
    chunks
}

proptest! {
    #[test]
    fn documents_come_out_whole_however_they_arrive(
        values in proptest::collection::vec((values(), "[ \t\r\n]{0,3}"), 0..6),
        sizes in proptest::collection::vec(0_usize..40, 0..40),
    ) {
        let mut stream = String::new();
        let mut expected = Vec::new();
        for ((sent, wanted), space) in values {
            let (sent, wanted) = around("[", [(sent, wanted)], "]");
            stream += &(sent + &space);
            expected.push(wanted);
        }
        let (found, error) = split(MAX, cut(stream.as_bytes(), &sizes));
        prop_assert_eq!(error, None);
        prop_assert_eq!(&found, &expected);
        for document in found {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&document).is_ok());
        }
    }

    #[test]
    fn any_bytes_split_the_same_however_they_arrive(
        stream in r#"[{}\[\]"\\ NaIfinty,:0x-]{0,60}"#,
        sizes in proptest::collection::vec(0_usize..10, 0..20),
        max in 1_usize..40,
    ) {
        let whole = split(max, [stream.as_bytes()]);
        prop_assert_eq!(split(max, cut(stream.as_bytes(), &sizes)), whole);
    }
}
