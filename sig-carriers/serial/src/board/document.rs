//! What a plain board says, and what it is told: one document at a time.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sig_core::{EventName, MAX_NAME, Payload, SenderName};

use super::words;

/// Most events that one board has, and most methods: names that noise made up are not to fill the memory.
pub(crate) const MAX_LISTED: usize = 256;

/// The event of numbers that have no names.
pub(crate) const VALUES: &str = "values";

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
        b'{' => object(text),
        b'[' => {
            let numbers = text.strip_prefix('[')?.strip_suffix(']')?;
            row(numbers, false, columns)
        }
        _ => row(text, true, columns),
    }
}

/// Whether a text is a document of a board.
pub(crate) fn is_document(text: &[u8]) -> bool {
    read(text, &[]).is_some()
}

/// What says to a board that somebody is there, who wants to know its name.
pub(crate) const HOST_HELLO: &str = "{\"hello\":\"sig\"}";

/// The name in it. A board that says back whatever it hears has no other.
const HOST: &str = "sig";

/// The document that asks a board for something. It is as short as can be, and always in the same order: a board without a
/// library looks for the words in it.
pub(crate) fn request(id: u16, method: &str, params: &str) -> String {
    let method = serde_json::Value::from(method);
    match params {
        "null" => format!("{{\"id\":{id},\"method\":{method}}}"),
        params => format!("{{\"id\":{id},\"method\":{method},\"params\":{}}}", compact(params)),
    }
}

/// JSON without white space between its tokens.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let is_kept = |c: &char| {
        let was_in_string = in_string;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = in_string,
            '"' => in_string = !in_string,
            _ => {}
        }
        was_in_string || !c.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}

fn object(text: &str) -> Option<Document> {
    match serde_json::from_str::<Members<'_>>(text) {
        Ok(members) => members.read(),
        Err(_) => {
            let quoted = words::quoted(text)?;
            serde_json::from_str::<Members<'_>>(&quoted).ok()?.read()
        }
    }
}

/// The members of an object, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object).map(Self)
    }
}

impl Members<'_> {
    fn read(mut self) -> Option<Document> {
        let number = self.number();
        let content = match (self.text("hello"), self.text("event"), self.id()) {
            // What the board was told, by one that says back whatever it hears.
            (Some(name), ..) if name == HOST && self.0.len() == 1 => Content::Events(Vec::new()),
            (None, None, None) if self.is_request() => Content::Events(Vec::new()),
            (Some(name), ..) => Content::Hello(self.hello(&name)?),
            (None, Some(name), _) => {
                let data = self.get("data").map_or_else(Payload::null, payload);
                Content::Events(vec![(event(&name)?, data)])
            }
            (None, None, Some(id)) => Content::Answer(Answer {
                id,
                outcome: self.outcome(),
            }),
            (None, None, None) => {
                let events = self.0.iter().map(|(name, data)| Some((event(name)?, payload(data))));
                Content::Events(events.collect::<Option<_>>()?)
            }
        };
        Some(Document { number, content })
    }

    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| *value)
    }

    fn parsed<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.parsed(name)
    }

    /// Takes out which of the board's documents it is.
    fn number(&mut self) -> Option<u32> {
        let number = self.parsed("n")?;
        self.0.retain(|(name, _)| name != "n");
        Some(number)
    }

    /// The id of the request that it answers. Others may use the word for something of their own.
    fn id(&self) -> Option<u16> {
        self.get("response").or_else(|| self.get("error"))?;
        self.parsed("id")
    }

    fn is_request(&self) -> bool {
        let is_of_one = |(name, _): &(String, &RawValue)| matches!(name.as_str(), "id" | "method" | "params");
        self.parsed::<u16>("id").is_some() && self.text("method").is_some() && self.0.iter().all(is_of_one)
    }

    fn hello(&self, name: &str) -> Option<Hello> {
        let name = SenderName::new(name).ok().filter(|name| !name.is_reserved())?;
        let listed: Vec<String> = match self.get("events") {
            Some(_) => self.parsed("events")?,
            None => Vec::new(),
        };
        let mut events: Vec<EventName> = Vec::new();
        for name in listed.iter().take(MAX_LISTED) {
            let name = event(name)?;
            if !events.contains(&name) {
                events.push(name);
            }
        }
        let mut requests: Option<Vec<Option<String>>> = match self.get("requests") {
            Some(_) => self.parsed("requests")?,
            None => None,
        };
        if let Some(requests) = &mut requests {
            requests.retain(|method| method.as_ref().is_none_or(|method| method.len() <= MAX_NAME));
            requests.truncate(MAX_LISTED);
        }
        Some(Hello { name, events, requests })
    }

    fn outcome(&self) -> Result<Bytes, Refusal> {
        match self.get("error") {
            Some(error) => Err(Refusal {
                code: self.text("code"),
                text: self.text("error").unwrap_or_else(|| error.get().to_owned()),
            }),
            None => Ok(self.get("response").map_or_else(Bytes::new, bytes)),
        }
    }
}

/// Numbers with commas between them.
fn row(text: &str, may_be_one: bool, columns: &[EventName]) -> Option<Document> {
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

/// The name of an event that a board may have.
fn event(name: &str) -> Option<EventName> {
    EventName::new(name).ok().filter(|name| !name.is_presence())
}

fn bytes(value: &RawValue) -> Bytes {
    Bytes::copy_from_slice(value.get().as_bytes())
}

fn payload(value: &RawValue) -> Payload {
    Payload::from_json_text(bytes(value))
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
            (HOST_HELLO, ""),
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

    #[test]
    fn a_request_is_one_line_whatever_its_parameters_look_like() {
        assert_eq!(request(7, "led", "true"), r#"{"id":7,"method":"led","params":true}"#);
        assert_eq!(request(7, "led", "null"), r#"{"id":7,"method":"led"}"#);
        let params = "{\r\n  \"a \\n\\\" \": [1,\n\t2 ]\n}";
        let text = request(65535, "say \"x\"", params);
        assert_eq!(text, r#"{"id":65535,"method":"say \"x\"","params":{"a \n\" ":[1,2]}}"#);
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
