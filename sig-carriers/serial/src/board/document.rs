//! What a plain board says: one document at a time.

mod numbers;
mod object;

use bytes::Bytes;
use sig_core::{EventName, Payload, SenderName};

/// Most events that one board has, and most methods: names that noise made up are not to fill the memory.
pub(crate) const MAX_LISTED: usize = 256;

/// One document of a board.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// Which of the board's documents it is, if it says so.
    pub(crate) number: Option<u32>,
    /// What it says.
    pub(crate) content: Content,
}

/// What a document says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Who the board is.
    Hello(Hello),
    /// What happened, in the order in which it stands there.
    Events(Vec<(EventName, Payload)>),
    /// How a request went.
    Answer(Answer),
}

/// Who a board is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) name: SenderName,
    pub(crate) events: Vec<EventName>,
    /// The methods that it answers, `None` among them for all others; no list where it answers none.
    pub(crate) requests: Option<Vec<Option<String>>>,
}

/// How a request went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) id: u16,
    pub(crate) outcome: Result<Bytes, Refusal>,
}

/// Why a board did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Option<String>,
    pub(crate) text: String,
}

/// Reads a document; `None` where the text is none. Numbers without names belong to `columns`, if there are any.
///
/// A document is a JSON object, or numbers with commas between them, with brackets around them or not. Data is passed on as
/// it stands; only the words for numbers that JSON does not have become strings.
pub(crate) fn read(text: &[u8], columns: &[EventName]) -> Option<Document> {
    let text = std::str::from_utf8(text).ok()?.trim();
    match text.as_bytes().first()? {
        b'{' => object::read(text),
        b'[' => {
            let row = text.strip_prefix('[')?.strip_suffix(']')?;
            numbers::read(row, false, columns)
        }
        _ => numbers::read(text, true, columns),
    }
}

/// Whether a text is a document of a board.
pub(crate) fn is_document(text: &[u8]) -> bool {
    read(text, &[]).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str, columns: &[&str]) -> Option<String> {
        let columns: Vec<_> = columns.iter().map(|name| EventName::new(name).unwrap()).collect();
        let Content::Events(events) = read(text.as_bytes(), &columns)?.content else {
            panic!("no events: {text}")
        };
        let events = events
            .iter()
            .map(|(name, data)| format!("{name}={}", data.json_text().unwrap()));
        Some(events.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn every_form_of_an_event_is_read_and_its_data_stays_as_it_stands() {
        for (text, wanted) in [
            (r#"{"event":"temp","data":21.50}"#, "temp=21.50"),
            (r#"{"event":"temp"}"#, "temp=null"),
            (
                r#"{"event":"door","data":{"b":1, "a":[1,2]},"n":4}"#,
                r#"door={"b":1, "a":[1,2]}"#,
            ),
            (r#" {"temp":21.5,"hum":40} "#, "temp=21.5 hum=40"),
            (r#"{"temp":nan,"far":Infinity}"#, r#"temp="NaN" far="Infinity""#),
            (r#"{"id":"A3","temp":21.5}"#, r#"id="A3" temp=21.5"#),
            (r#"{"event":4,"hello":null}"#, "event=4 hello=null"),
            ("{}", ""),
            (r#"{"id":7,"method":"led","params":true}"#, ""),
            (r#"{"id":7,"method":"led"}"#, ""),
            (r#"{"id":7,"method":"led","temp":1}"#, r#"id=7 method="led" temp=1"#),
            (super::super::say::HOST_HELLO, ""),
            (r#"{"n":"x"}"#, r#"n="x""#),
            ("21.5", "values=21.5"),
            ("21.5,40", "values=[21.5,40]"),
            (" 1, -2 ,3e5,", "values=[1,-2,3e5]"),
            ("+.5,5.,007,nan,-inf", r#"values=[0.5,5.0,7.0,"NaN","-Infinity"]"#),
            ("[21.5]", "values=[21.5]"),
            ("[21.5, 40]", "values=[21.5,40]"),
        ] {
            assert_eq!(events(text, &[]).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn columns_name_the_numbers_of_a_row_that_is_whole() {
        assert_eq!(events("21.5,40", &["temp", "hum"]).as_deref(), Some("temp=21.5 hum=40"));
        assert_eq!(events("[1,2]", &["a", "b"]).as_deref(), Some("a=1 b=2"));
        for damaged in ["21.5", "21.5,40,21.5,41"] {
            assert_eq!(events(damaged, &["temp", "hum"]), None);
        }
    }

    #[test]
    fn what_is_no_document_is_text() {
        for text in [
            "",
            " ",
            "hello",
            "{",
            "{}{}",
            "{\"temp\":21.5}x",
            "[1,2",
            "[\"a\"]",
            "[]",
            "1 2",
            "1,,2",
            "-",
            "e",
            ".",
            "1.2.3",
            "12:30",
            "0x10",
            "{\"event\":\"#connect\"}",
            "{\"\":1}",
            "{\"hello\":\"\"}",
            "{\"hello\":\"#router\"}",
            "{\"hello\":\"x\",\"events\":[1]}",
            "{\"a\\u0000b\":1}",
            "nanometres",
            "true",
        ] {
            assert_eq!(read(text.as_bytes(), &[]), None, "{text}");
        }
        assert_eq!(read(b"{\"a\":\"\xff\"}", &[]), None);
    }

    #[test]
    fn a_hello_says_who_it_is() {
        let text = r#"{"hello":"greenhouse","events":["temp","hum","temp"],"requests":["led",null],"n":0,"more":1}"#;
        let wanted = Hello {
            name: SenderName::new("greenhouse").unwrap(),
            events: vec![EventName::new("temp").unwrap(), EventName::new("hum").unwrap()],
            requests: Some(vec![Some("led".to_owned()), None]),
        };
        let document = read(text.as_bytes(), &[]).unwrap();
        assert_eq!(
            document,
            Document {
                number: Some(0),
                content: Content::Hello(wanted)
            }
        );
        let Content::Hello(bare) = read(br#"{"hello":"x"}"#, &[]).unwrap().content else {
            panic!()
        };
        assert_eq!((bare.events.len(), bare.requests), (0, None));
    }

    #[test]
    fn an_answer_is_a_response_or_an_error() {
        let outcome = |text: &str| match read(text.as_bytes(), &[]).unwrap().content {
            Content::Answer(Answer { id, outcome }) => (id, outcome),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            outcome(r#"{"id":7,"response":{"a" :1}}"#),
            (7, Ok(Bytes::from_static(b"{\"a\" :1}")))
        );
        assert_eq!(
            outcome(r#"{"response":null,"id":65535,"n":9}"#),
            (65535, Ok(Bytes::from_static(b"null")))
        );
        let refusal = |code: Option<&str>, text: &str| {
            Err(Refusal {
                code: code.map(str::to_owned),
                text: text.to_owned(),
            })
        };
        assert_eq!(
            outcome(r#"{"id":1,"error":"no \"led\""}"#),
            (1, refusal(None, "no \"led\""))
        );
        assert_eq!(
            outcome(r#"{"id":1,"error":{"x":1},"code":"hot"}"#),
            (1, refusal(Some("hot"), "{\"x\":1}"))
        );
    }

    proptest::proptest! {
        /// Whatever comes, reading it does not panic, and events have names that a router takes.
        #[test]
        fn noise_is_read_without_harm(text in ".{0,80}", columns in 0_usize..3) {
            let columns: Vec<_> = (0..columns).map(|n| EventName::new(format!("c{n}")).unwrap()).collect();
            if let Some(Document { content: Content::Events(events), .. }) = read(text.as_bytes(), &columns) {
                for (name, data) in events {
                    proptest::prop_assert!(!name.is_presence() && data.json_text().is_ok());
                }
            }
        }
    }
}
