//! Documents that are JSON objects.

use std::fmt;

use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sig_core::{EventName, MAX_NAME, Payload, SenderName};

use super::{Answer, Content, Document, Hello, MAX_LISTED, Refusal};
use crate::board::say::HOST;
use crate::board::words;

/// Reads an object; `None` where the text is none, or no document.
pub(super) fn read(text: &str) -> Option<Document> {
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
